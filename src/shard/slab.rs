//! Values under typed handles.
//!
//! State: the values and a list of free places. A handle is the number of a place, of a type that fits
//! this slab and no other; it is valid from [`Slab::insert`] to [`Slab::remove`].

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// The number of a place in one kind of slab.
pub(crate) trait Handle: Copy {
    /// The handle of a place.
    fn at(place: u32) -> Self;
    /// The place of a handle.
    fn place(self) -> u32;
}

/// Declares handles.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub(crate) struct $name(u32);

        impl $crate::shard::slab::Handle for $name {
            fn at(place: u32) -> Self {
                Self(place)
            }

            fn place(self) -> u32 {
                self.0
            }
        }
    };
}
pub(crate) use handle;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Slab<H, T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
    handles: PhantomData<fn(H)>,
}

impl<H: Handle, T> Slab<H, T> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new(), handles: PhantomData }
    }

    /// Stores a value.
    pub(crate) fn insert(&mut self, value: T) -> H {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(value);
            return H::at(place);
        }
        self.places.push(Some(value));
        H::at(u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX))
    }

    /// Takes a value out. Taking the last one gives the memory back.
    pub(crate) fn remove(&mut self, handle: H) -> Option<T> {
        let value = self.places.get_mut(handle.place() as usize)?.take()?;
        self.free.push(handle.place());
        if self.free.len() == self.places.len() {
            (self.places, self.free) = (Vec::new(), Vec::new());
        }
        Some(value)
    }

    pub(crate) fn get(&self, handle: H) -> Option<&T> {
        self.places.get(handle.place() as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, handle: H) -> Option<&mut T> {
        self.places.get_mut(handle.place() as usize)?.as_mut()
    }

    /// One past the last place: the bound of a walk over all places.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// All values with their handles, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (H, &mut T)> {
        let places = (0..).zip(&mut self.places);
        places.filter_map(|(place, value)| Some((H::at(place), value.as_mut()?)))
    }

    /// The values in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (H, &T)> {
        let places = (0..).zip(&self.places);
        places.filter_map(|(place, value)| Some((H::at(place), value.as_ref()?)))
    }
}

/// # Panics
/// When the handle is not valid, which is a bug in this program.
impl<H: Handle, T> Index<H> for Slab<H, T> {
    type Output = T;

    #[inline]
    #[expect(
        clippy::expect_used,
        reason = "as a slice: a handle is made by the slab that it is for"
    )]
    fn index(&self, handle: H) -> &T {
        self.get(handle).expect("a valid handle")
    }
}

/// # Panics
/// When the handle is not valid, which is a bug in this program.
impl<H: Handle, T> IndexMut<H> for Slab<H, T> {
    #[inline]
    #[expect(
        clippy::expect_used,
        reason = "as a slice: a handle is made by the slab that it is for"
    )]
    fn index_mut(&mut self, handle: H) -> &mut T {
        self.get_mut(handle).expect("a valid handle")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    handle!(
        /// A handle.
        Test
    );

    #[test]
    fn places_are_used_again_and_given_back() {
        let mut slab: Slab<Test, u32> = Slab::new();
        let handles: Vec<Test> = (0..10).map(|n| slab.insert(n)).collect();
        assert_eq!(slab.remove(handles[3]), Some(3));
        assert_eq!(slab.remove(handles[3]), None);
        assert_eq!(slab.insert(33), handles[3]);
        assert_eq!((slab[handles[3]], slab.iter().count()), (33, 10));
        for handle in handles {
            slab.remove(handle);
        }
        assert_eq!((slab.end(), slab.iter().count()), (0, 0));
    }
}
