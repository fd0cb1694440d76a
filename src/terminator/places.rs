//! Places for handshakes: who has one, and who must give one up.
//!
//! The acceptor takes a place for each connection. While all are taken, it asks *one* handshake that has taken long to
//! give up its place, the oldest first. The wish ends with the wait: as soon as the acceptor has a place, no handshake
//! is asked any more.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::HandshakePermit;

/// Both sides' view of the places.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// Has one permit while the acceptor waits, until a handshake takes it and gives up its place.
    wishes: Arc<Semaphore>,
}

impl Places {
    /// This many places.
    pub(super) fn new(max: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(max)), wishes: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until the caller, which has a place, must give it up.
    pub(super) async fn wanted(&self) {
        while let Ok(wish) = self.wishes.acquire().await {
            wish.forget();
            // The acceptor may not have looked yet: it will find a place, without this one.
            if self.free.available_permits() == 0 {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// The acceptor, as the one that takes places.
#[derive(Debug)]
pub(super) struct Taker {
    places: Places,
    /// Whether it waits for a place, and has asked for one.
    has_asked: bool,
}

impl Taker {
    pub(super) fn new(places: Places) -> Self {
        Self { places, has_asked: false }
    }

    /// The next place. While there is none, a handshake that has taken long loses its place. Dropping the future loses
    /// nothing, and the next call asks no other handshake.
    pub(super) async fn take(&mut self) -> Option<HandshakePermit> {
        let Places { free, wishes } = &self.places;
        let place = match Arc::clone(free).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                if !std::mem::replace(&mut self.has_asked, true) {
                    wishes.add_permits(1);
                }
                Arc::clone(free).acquire_owned().await.ok()
            }
        };
        if std::mem::take(&mut self.has_asked) {
            wishes.forget_permits(1); // if no handshake has taken it
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The result of a future that is polled once.
    fn once<T>(future: impl Future<Output = T>) -> Poll<T> {
        pin!(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn take(taker: &mut Taker) -> Option<HandshakePermit> {
        match once(taker.take()) {
            Poll::Ready(place) => place,
            Poll::Pending => None,
        }
    }

    /// Two places, both taken.
    fn full() -> (Places, Taker, [HandshakePermit; 2]) {
        let places = Places::new(2);
        let mut taker = Taker::new(places.clone());
        let taken = [(); 2].map(|()| take(&mut taker).unwrap());
        (places, taker, taken)
    }

    #[test]
    fn one_handshake_gives_up_its_place_for_each_place_that_is_awaited() {
        let (places, mut taker, [first, second]) = full();
        assert!(once(places.wanted()).is_pending(), "nobody waits");
        for _ in 0..3 {
            assert!(take(&mut taker).is_none()); // the acceptor did something else in between
        }
        let (mut oldest, mut other) = (pin!(places.wanted()), pin!(places.wanted()));
        assert!(once(oldest.as_mut()).is_ready());
        assert!(once(other.as_mut()).is_pending());
        drop(first);
        let third = take(&mut taker).unwrap();
        assert!(once(other.as_mut()).is_pending());
        assert!(take(&mut taker).is_none());
        assert!(once(other.as_mut()).is_ready(), "another place is awaited");
        drop((second, third));
    }

    #[test]
    fn a_wish_ends_when_the_acceptor_has_a_place() {
        let (places, mut taker, taken) = full();
        assert!(take(&mut taker).is_none());
        drop(taken);
        let _place = take(&mut taker).unwrap();
        let _last = take(&mut taker).unwrap();
        assert!(once(places.wanted()).is_pending(), "all places are taken, but none is awaited");
    }

    #[test]
    fn no_handshake_gives_up_its_place_while_another_is_free() {
        let (places, mut taker, [first, _second]) = full();
        assert!(take(&mut taker).is_none());
        drop(first);
        assert!(once(places.wanted()).is_pending());
        assert!(take(&mut taker).is_some());
    }
}
