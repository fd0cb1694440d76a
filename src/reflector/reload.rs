//! What can change while a reflector runs.

use std::time::Duration;

use super::access::Access;
use super::config::{Config, StartError};
use crate::shard::{Limits, Settings};

/// The part of a [`Config`] that a running reflector can be given anew.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reloadable {
    /// See [`Config::max_peers`]. With more sessions than that none is closed, but no further one
    /// is taken.
    pub max_peers: u64,
    /// See [`Access`]. Sessions of sources that are now denied are closed; those above a lowered
    /// number per source are not.
    pub access: Access,
    /// See [`Settings::limits`]. A peer above a lowered limit stays as it is until it adds one more.
    pub limits: Limits,
    /// See [`Settings::batch_delay`]; [`Self::BATCH_DELAY_MAX`] at most.
    pub batch_delay: Duration,
    /// See [`Settings::send_hold`].
    pub send_hold: Duration,
    /// See [`Settings::pacing`]. Holds for sessions that begin from now on.
    pub pacing: bool,
    /// See [`Settings::pace`]. Holds for sessions that begin from now on.
    pub pace: u64,
}

impl From<&Config> for Reloadable {
    fn from(config: &Config) -> Self {
        let Settings { limits, batch_delay, send_hold, pacing, pace, .. } = config.settings;
        let (max_peers, access) = (config.max_peers, config.access.clone());
        Self { max_peers, access, limits, batch_delay, send_hold, pacing, pace }
    }
}

impl Reloadable {
    /// The longest [`Settings::batch_delay`]: what makes sense is a thousandth of it, so more was
    /// meant to be in another unit.
    pub const BATCH_DELAY_MAX: Duration = Duration::from_secs(1);

    /// The same settings with this part replaced.
    pub(super) fn applied_to(&self, settings: &Settings) -> Settings {
        let Self { limits, batch_delay, send_hold, pacing, pace, .. } = *self;
        Settings { limits, batch_delay, send_hold, pacing, pace, ..settings.clone() }
    }

    /// Checks what can be checked beforehand.
    pub(super) fn check(&self) -> Result<(), StartError> {
        match self {
            Self { send_hold: Duration::ZERO, .. } => Err(StartError::SendHold),
            Self { max_peers: 0, .. } => Err(StartError::MaxPeers),
            Self { batch_delay, .. } if *batch_delay > Self::BATCH_DELAY_MAX => {
                Err(StartError::BatchDelay(*batch_delay))
            }
            _ => Ok(()),
        }
    }
}
