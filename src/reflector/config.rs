//! What a reflector is told, and what can stand in the way of its start.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::capacity::Capacity;
use super::federation::{FederationConfig, FederationError};
use super::guard::{GuardConfig, GuardError};
use super::tls::{TlsConfig, TlsError};
use crate::access::Access;
use crate::control::ControlError;
use crate::http_guard::{HttpRules, TokenError};
use crate::io::{IoChoice, IoError, Pin, PinError, Unready};
use crate::shard::ShardConfig;

/// How to run a reflector. The default is a working dual-stack reflector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReflectorConfig {
    /// Where to listen for sessions; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where to answer HTTP, if at all.
    pub http: Option<SocketAddr>,
    /// What requests to [`ReflectorConfig::http`] must say.
    pub http_rules: HttpRules,
    /// Other reflectors that are shown beside this one: where they answer `/metrics`.
    pub http_peers: Vec<SocketAddr>,
    /// Where to answer HTTP about health and metrics alone, if at all; without a token.
    pub health: Option<SocketAddr>,
    /// Where the control socket is, if there is one. Its folder must be there. Unix only.
    pub control: Option<PathBuf>,
    /// Where the control socket for readers is, if there is one: it takes no command.
    pub control_read_only: Option<PathBuf>,
    /// The group, by name or number, that may use it.
    pub control_group: String,
    /// Whether to take over from a reflector that runs with the same control socket: what
    /// [`handover::start`](crate::handover::start) goes by. Linux only.
    pub takeover: bool,
    /// Whether the process is to stay when another one has taken over, for a supervisor that starts again
    /// what has ended. The program goes by it, not the reflector.
    pub linger: bool,
    /// Whether the process may start any program. The program goes by it, not the reflector.
    pub allow_exec: bool,
    /// Number of shards; `None` for one per core that the process may use, or per core that
    /// [`ReflectorConfig::pin`] names.
    pub shards: Option<usize>,
    /// Shards that are awake at least, however little there is to do; from 1 on. More than
    /// [`ReflectorConfig::shards`] counts as that many.
    pub min_shards: usize,
    /// For how long after a start all shards are awake: everybody comes back then.
    pub wake_all_for: Duration,
    /// On which cores shards sit.
    pub pin: Pin,
    /// How sockets are driven.
    pub io: IoChoice,
    /// Sessions at most, from 1 on; further connections are closed at once. [`ReflectorConfig::MAX_PEERS`], the
    /// default, becomes what the descriptors of the process allow, if that is less.
    pub max_peers: u64,
    /// Who may connect.
    pub access: Access,
    /// What the kernel drops of peers' packets.
    pub guard: GuardConfig,
    /// Where sessions over TLS come in.
    pub tls: TlsConfig,
    /// What it may grow to.
    pub capacity: Capacity,
    /// How reflectors of other sites are reached.
    pub federation: FederationConfig,
    /// What every shard is told.
    pub settings: ShardConfig,
}

impl Default for ReflectorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0u16; 8], 4711)),
            http: None,
            http_rules: HttpRules::default(),
            http_peers: Vec::new(),
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
    /// Sessions at most when nothing is said.
    pub const MAX_PEERS: u64 = 65_536;

    /// The longest [`ShardConfig::batch_delay`]: what makes sense is a thousandth of it, so more was
    /// meant to be in another unit.
    pub const BATCH_DELAY_MAX: Duration = Duration::from_secs(1);

    /// Checks what can be checked without starting.
    ///
    /// # Errors
    /// The first thing that is wrong.
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
    /// The listening socket could not be had.
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
    /// The build has no feature `http`.
    #[cfg(not(feature = "http"))]
    #[error("nothing can answer on {0}: build it with the feature http")]
    NoHttp(SocketAddr),
    /// There is no HTTP token.
    #[error("--http-token-file: {0}")]
    Token(#[from] TokenError),
    /// The I/O that was asked for by name can't be had.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Federation can't be had as it was asked for.
    #[error(transparent)]
    Federation(#[from] FederationError),
    /// Peers' packets can't be held to what was asked for.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// TLS can't be had as it was asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Shards can't sit on the cores that were asked for.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// More shards than a shard's number can say, or none.
    #[error("--shards {0} is not between 1 and 1024")]
    Shards(usize),
    /// A keepalive interval of 0, which the protocol forbids.
    #[error("--keepalive 0 is not allowed; give a number of seconds from 1 on")]
    Keepalive,
    /// A send-hold time of 0, which would close whoever is owed anything.
    #[error("--send-hold 0 is not allowed; give a time such as 90s")]
    SendHold,
    /// A delay that would hold updates up for as long as people notice.
    #[error(
        "--batch-delay {0:?} is not allowed, it is at most {max:?}; give a time such as 500us",
        max = ReflectorConfig::BATCH_DELAY_MAX
    )]
    BatchDelay(Duration),
    /// No sessions at all.
    #[error(
        "--max-peers 0 would take no session; give a number from 1 on, and to end all sessions of a \
         reflector that runs, drain it (metalbond ctl drain)"
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
            "something listens there already (ss -ltnp shows what): stop it or choose another port"
        }
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE: grant it or choose a higher port"
        }
        _ if Unready::of(error).is_some() => {
            "ip -6 address show says what has become of it: see that the interface is up and that nobody \
             else has the address"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has that address (ip address shows which do)"
        }
        _ => "choose another address",
    }
}
