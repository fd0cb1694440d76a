//! How many updates some bytes hold.

use crate::wire::{Action, MessageType, whole_frames};

/// The numbers of updates by action, of one batch at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) adds: u32,
    pub(crate) removes: u32,
}

impl Tally {
    pub(crate) fn one(action: Action) -> Self {
        let is_add = u32::from(action == Action::Add);
        Self { adds: is_add, removes: 1 - is_add }
    }

    /// Counts the updates in whole messages of this program. Costs a pass over them: not for the data path.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut tally = Self::default();
        for frame in whole_frames(bytes) {
            if frame.kind == MessageType::Update
                && let Ok(update) = crate::wire::decode_update(frame.payload)
            {
                tally += Self::one(update.action);
            }
        }
        tally
    }

    pub(crate) fn total(self) -> u64 {
        u64::from(self.adds) + u64::from(self.removes)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.adds = self.adds.wrapping_add(more.adds);
        self.removes = self.removes.wrapping_add(more.removes);
    }
}

impl std::ops::SubAssign for Tally {
    fn sub_assign(&mut self, less: Self) {
        self.adds = self.adds.wrapping_sub(less.adds);
        self.removes = self.removes.wrapping_sub(less.removes);
    }
}
