//! The configuration of a reflector: its members, the rows of its settings, and the errors of a start.
//!
//! * `settings`: the rows of `[server]`, and the list of all sections.
//! * `capacity`, `guard`, `tls` and `federation`: the members of one subject each, with their rows.
//! * `in_force`: the configuration of a running reflector.
//!
//! Imports: access, control, counts, http_guard, ids, io, policy, session, settings, shard, tls.

mod capacity;
mod federation;
mod guard;
mod in_force;
mod settings;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

pub use self::capacity::{Capacity, MemoryBudget};
pub use self::federation::{FederationConfig, FederationError};
pub(crate) use self::guard::Guard;
pub use self::guard::{GuardConfig, GuardError};
pub use self::in_force::InForce;
pub use self::settings::{SETTINGS, Shown};
pub use self::tls::{TlsConfig, TlsError};
use crate::access::Access;
use crate::control::ControlError;
use crate::http_guard::{HttpRules, TokenError};
use crate::io::{IoChoice, IoError, Pin, PinError, Unready};
use crate::shard::ShardConfig;

/// How to run a reflector. The default is a working dual-stack reflector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReflectorConfig {
    /// The address on which to listen for sessions; port 0 takes a free port.
    pub listen: SocketAddr,
    /// The address on which to answer HTTP; `None` for no HTTP.
    pub http: Option<SocketAddr>,
    /// The host names and the token that requests to [`ReflectorConfig::http`] need.
    pub http_rules: HttpRules,
    /// Other reflectors that the page shows beside this one: the addresses on which they answer `/metrics`.
    pub http_peers: Vec<SocketAddr>,
    /// How often what leaves report is compared with what they should have; zero means never.
    pub verify_interval: Duration,
    /// The address on which to answer HTTP for health and metrics alone, without a token; `None` for none.
    pub health: Option<SocketAddr>,
    /// The path of the control socket; `None` for none. Its folder must exist. Unix only.
    pub control: Option<PathBuf>,
    /// The path of the control socket for readers, which accepts no command; `None` for none.
    pub control_read_only: Option<PathBuf>,
    /// The group, by name or number, that may use the control socket for readers.
    pub control_group: String,
    /// Whether to take over from a reflector that runs with the same control socket. Used by
    /// [`handover::start`](crate::handover::start). Linux only.
    pub takeover: bool,
    /// Whether the process stays when another one has taken over, for a supervisor that restarts a process that
    /// ends. Used by the command, not by the reflector.
    pub linger: bool,
    /// Whether the process may start any program. Used by the command, not by the reflector.
    pub allow_exec: bool,
    /// The number of shards, from 1 to 1024; `None` for one per core that the process may use, or per core that
    /// [`ReflectorConfig::pin`] names.
    pub shards: Option<usize>,
    /// The number of shards that stay awake at any load, from 1 on. More than
    /// [`ReflectorConfig::shards`] counts as that many.
    pub min_shards: usize,
    /// For how long after a start 256 connections wake all shards: a fleet connects again at that time.
    pub wake_all_for: Duration,
    /// The cores of the shards.
    pub pin: Pin,
    /// The I/O back end: io_uring or epoll.
    pub io: IoChoice,
    /// The most sessions, from 1 on; further connections are closed at once. The default,
    /// [`ReflectorConfig::MAX_PEERS`], is lowered to the number that the process's descriptors allow.
    pub max_peers: u64,
    /// The sources that may connect, and how often.
    pub access: Access,
    /// The packets of peers that the kernel drops.
    pub guard: GuardConfig,
    /// The listener for sessions over TLS.
    pub tls: TlsConfig,
    /// The limits of the whole reflector.
    pub capacity: Capacity,
    /// The connection with reflectors of other sites.
    pub federation: FederationConfig,
    /// The behaviour of every shard.
    pub settings: ShardConfig,
}

impl Default for ReflectorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0u16; 8], 4711)),
            http: None,
            http_rules: HttpRules::default(),
            http_peers: Vec::new(),
            verify_interval: Duration::from_secs(60),
            health: None,
            control: None,
            control_read_only: None,
            control_group: "metalbond-ro".to_owned(),
            takeover: false,
            linger: false,
            allow_exec: false,
            shards: None,
            min_shards: 1,
            wake_all_for: Duration::from_secs(30),
            pin: Pin::Auto,
            io: IoChoice::Auto,
            max_peers: Self::MAX_PEERS,
            access: Access::default(),
            guard: GuardConfig::default(),
            tls: TlsConfig::default(),
            capacity: Capacity::default(),
            federation: FederationConfig::default(),
            settings: ShardConfig::default(),
        }
    }
}

impl ReflectorConfig {
    /// The default of [`ReflectorConfig::max_peers`].
    pub const MAX_PEERS: u64 = 65_536;

    /// The longest [`ShardConfig::batch_delay`]. Useful values are around 1 ms; a longer one is probably a mistake
    /// in the unit.
    pub const BATCH_DELAY_MAX: Duration = Duration::from_secs(1);

    /// Checks the values without starting a reflector. Reads the files of keys and certificates.
    ///
    /// # Errors
    /// The first error that is found.
    pub fn check(&self) -> Result<(), StartError> {
        if self.settings.keepalive == 0 {
            return Err(StartError::Keepalive);
        }
        if let Some(shards) = self.shards
            && !(1..=1024).contains(&shards)
        {
            return Err(StartError::Shards(shards));
        }
        if self.settings.send_hold.is_zero() {
            return Err(StartError::SendHold);
        }
        if self.max_peers == 0 {
            return Err(StartError::MaxPeers);
        }
        if self.settings.batch_delay > Self::BATCH_DELAY_MAX {
            return Err(StartError::BatchDelay(self.settings.batch_delay));
        }
        self.guard.check()?;
        self.tls.check()?;
        self.federation.check()?;
        Ok(())
    }
}

/// Why a reflector did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The listening socket could not be opened.
    #[error("cannot listen on {address} ({flag}): {source}; {}", remedy(source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The flag that says where.
        flag: &'static str,
        /// Why not.
        source: std::io::Error,
    },
    /// The control socket could not be opened.
    #[error("--control: {0}")]
    Control(#[source] ControlError),
    /// The control socket for readers could not be opened.
    #[error("--control-read-only: {0}")]
    ControlReadOnly(#[source] ControlError),
    /// An HTTP address is configured, but the build lacks the feature `http`.
    #[cfg(not(feature = "http"))]
    #[error(
        "this program was built without HTTP, so it cannot answer on {0}: build it with --features http"
    )]
    NoHttp(SocketAddr),
    /// The file of the HTTP token is not usable.
    #[error("--http-token-file: {0}")]
    Token(#[from] TokenError),
    /// The I/O back end that the configuration names is not available.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The configuration of federation is not usable.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// The kernel cannot check peers' packets as configured.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The configuration of TLS is not usable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Shards cannot be pinned to the configured cores.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The number of shards is not between 1 and 1024.
    #[error("--shards {0} is not between 1 and 1024")]
    Shards(usize),
    /// A keepalive interval of 0, which the protocol forbids.
    #[error("--keepalive 0 is not allowed; give a number of seconds from 1 on")]
    Keepalive,
    /// A send-hold time of 0, which would close every session with data to send.
    #[error("--send-hold 0 is not allowed; give a time such as 90s")]
    SendHold,
    /// A batch delay above [`ReflectorConfig::BATCH_DELAY_MAX`].
    #[error(
        "--batch-delay {0:?} is above the maximum of {max:?}; give a time such as 500us",
        max = ReflectorConfig::BATCH_DELAY_MAX
    )]
    BatchDelay(Duration),
    /// A limit of 0 sessions.
    #[error(
        "--max-peers 0 would accept no session: give a number from 1 on; to end all sessions of a \
         running reflector, use metalbond ctl drain"
    )]
    MaxPeers,
    /// A thread or its event loop could not be set up.
    #[error(
        "cannot set up a shard: {0}; the limits on threads, memory or descriptors may be too low"
    )]
    Shard(#[source] std::io::Error),
}

fn remedy(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another process listens there already (ss -ltnp shows which): stop that process or \
             choose another port"
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: grant it or choose a higher port"
        }
        _ if Unready::of(error).is_some() => {
            "check with ip -6 address show that the interface is up, and that no other machine \
             has the address"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address (ip address shows which do)"
        }
        _ => "choose another address",
    }
}
