//! Tells the service manager, by the protocol of sd_notify(3), when the process is ready, reloads or stops, what its
//! status is, and that it is still alive.
//!
//! This code does nothing if the manager has not named a socket (`NOTIFY_SOCKET`), or on systems other than Linux. The
//! queue of that socket is short and shared by all services: while it is full, this module keeps states in their order,
//! and sends statuses later. The crate sd-notify does not serve here: it waits for room in that queue and opens a
//! socket for each message.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tracing::warn;

use self::socket::Socket;

/// How often health is looked at, at most.
const LOOK: Duration = Duration::from_secs(1);
/// How often the manager is told how it is.
const STATUS: Duration = Duration::from_secs(10);
/// How long the manager may take to hear of another process.
const HEARS: Duration = Duration::from_secs(5);
/// For how long a process repeats its first messages. The manager hears only the service's main process. After a
/// handover the predecessor names the new main process, perhaps after the successor's first messages.
const REPEATS: Duration = Duration::from_secs(10);
/// Between two attempts to send what found no room.
const AGAIN: Duration = Duration::from_millis(50);

/// Who started this process and wants to hear of it.
pub(super) struct Manager {
    socket: Option<Socket>,
    /// It ends the process that has said nothing for so long.
    watchdog: Option<Duration>,
    /// States that found no room yet.
    kept: RefCell<VecDeque<String>>,
}

impl Manager {
    /// As the environment names it.
    pub(super) fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        Self {
            socket: Socket::of_environment(),
            watchdog: watchdog(
                variable("WATCHDOG_USEC").as_deref(),
                variable("WATCHDOG_PID").as_deref(),
                std::process::id(),
            ),
            kept: RefCell::default(),
        }
    }

    /// It serves.
    pub(super) fn ready(&self) {
        self.state("READY=1".to_owned());
    }

    /// It reads its configuration anew, until it is [`Manager::ready`] again.
    pub(super) fn reloading(&self) {
        // What has not been heard of an earlier time is said by this one as well.
        self.kept.borrow_mut().clear();
        let now = socket::monotonic().as_micros();
        self.state(format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    /// It ends.
    pub(super) fn stopping(&self) {
        self.kept.borrow_mut().clear();
        self.state("STOPPING=1\nSTATUS=stopping".to_owned());
    }

    /// Another process is the service from now on. Returns when the manager has taken note of it, or takes
    /// too long.
    pub(super) async fn handed_over(&self, process: u32) {
        self.kept.borrow_mut().clear();
        self.state(format!("MAINPID={process}"));
        let heard = async {
            while !self.send_kept() {
                tokio::time::sleep(AGAIN).await;
            }
            // The manager goes by who sends it, which it can't see of a process that is gone.
            if let Some(socket) = &self.socket {
                socket.barrier().await;
            }
        };
        if tokio::time::timeout(HEARS, heard).await.is_err() {
            warn!(
                "the service manager has not taken note of the process that has taken over: it may end that process \
                 when this one ends"
            );
        }
    }

    /// Tells how it is, and feeds the watchdog while it is well, for as long as it is polled.
    /// `health` is a sentence for people: an error of what is wrong.
    pub(super) async fn keep_telling(&self, health: impl AsyncFn() -> Result<String, String>) {
        if self.socket.is_none() {
            return std::future::pending::<()>().await;
        }
        let mut teller = Teller::new(self.watchdog, Instant::now());
        loop {
            let mut pause = teller.pause();
            let had_room = self.send_kept()
                && match teller.message(&health().await, Instant::now()) {
                    Some(message) => self.send(&message),
                    None => true,
                };
            if !had_room {
                teller.unheard();
                pause = pause.min(AGAIN);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends what is kept as soon as there is room, for as long as it is polled.
    pub(super) async fn deliver(&self) {
        while !self.send_kept() {
            tokio::time::sleep(AGAIN).await;
        }
        std::future::pending::<()>().await;
    }

    /// Says a state, after those before it.
    fn state(&self, state: String) {
        if self.socket.is_none() {
            return;
        }
        self.kept.borrow_mut().push_back(state);
        if !self.send_kept() {
            warn!(
                "the service manager takes no messages for now; this process sends them as soon \
                 as it does"
            );
        }
    }

    /// Whether none is left.
    fn send_kept(&self) -> bool {
        let mut kept = self.kept.borrow_mut();
        while let Some(state) = kept.front() {
            if !self.send(state) {
                return false;
            }
            kept.pop_front();
        }
        true
    }

    /// False if there was no room. A manager that is gone is told nothing.
    fn send(&self, message: &str) -> bool {
        self.socket.as_ref().is_none_or(|socket| socket.send(message))
    }
}

/// The interval in force for the process `own`, from what the manager has set.
fn watchdog(interval: Option<&str>, process: Option<&str>, own: u32) -> Option<Duration> {
    // Meant for the parent of this process, perhaps, which has passed its environment on.
    if process.is_some_and(|process| process.parse() != Ok(own)) {
        return None;
    }
    interval?.parse().ok().filter(|interval| *interval > 0).map(Duration::from_micros)
}

/// When there is something to tell.
struct Teller {
    began: Instant,
    /// Half of what the manager waits for.
    feeds_every: Option<Duration>,
    fed: Option<Instant>,
    status: String,
    status_at: Instant,
}

impl Teller {
    fn new(watchdog: Option<Duration>, now: Instant) -> Self {
        let feeds_every = watchdog.map(|interval| interval / 2);
        Self { began: now, feeds_every, fed: None, status: String::new(), status_at: now }
    }

    /// Until health should be looked at again.
    fn pause(&self) -> Duration {
        // A look that just misses a bad moment must not cost the whole interval.
        self.feeds_every.map_or(LOOK, |every| (every / 4).min(LOOK))
    }

    /// The last message may not have been heard: what it says is due again.
    fn unheard(&mut self) {
        self.fed = None;
        self.status.clear();
    }

    fn message(&mut self, health: &Result<String, String>, now: Instant) -> Option<String> {
        let mut lines = Vec::new();
        if now - self.began < REPEATS {
            self.unheard();
        }
        let is_due = |every| self.fed.is_none_or(|fed| now - fed >= every);
        if health.is_ok() && self.feeds_every.is_some_and(is_due) {
            self.fed = Some(now);
            lines.push("WATCHDOG=1".to_owned());
        }
        let (Ok(status) | Err(status)) = health;
        let may_send = self.status.is_empty() || health.is_err() || now - self.status_at >= STATUS;
        if may_send && self.status != *status {
            self.status.clone_from(status);
            self.status_at = now;
            lines.push(format!("STATUS={status}"));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

#[cfg(target_os = "linux")]
mod socket {
    use std::io::ErrorKind;
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd as _, BorrowedFd};
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::{SocketAddr, UnixDatagram, UnixStream};
    use std::time::Duration;

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    use tracing::warn;

    pub(super) struct Socket {
        own: UnixDatagram,
        manager: SocketAddr,
    }

    impl Socket {
        pub(super) fn of_environment() -> Option<Self> {
            let name = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty())?;
            let manager = match name.as_bytes() {
                // A name that is in no folder.
                [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
                _ => SocketAddr::from_pathname(&name),
            };
            let open = |manager| {
                let own = UnixDatagram::unbound()?;
                // The manager's queue may be full; sessions don't wait for it.
                own.set_nonblocking(true)?;
                Ok(Self { own, manager })
            };
            manager
                .and_then(open)
                .inspect_err(|error| warn!(%error, "cannot send messages to the service manager"))
                .ok()
        }

        /// False if there was no room for it.
        pub(super) fn send(&self, message: &str) -> bool {
            let sent = self.own.send_to_addr(message.as_bytes(), &self.manager);
            !sent.is_err_and(|error| is_full(&error))
        }

        /// Waits until the manager has taken in what was sent: it closes the descriptor that it is sent then.
        pub(super) async fn barrier(&self) {
            let Ok((own, theirs)) = UnixStream::pair() else { return };
            loop {
                match self.send_with(b"BARRIER=1", theirs.as_fd()) {
                    Ok(()) => break,
                    Err(error) if is_full(&error) => tokio::time::sleep(super::AGAIN).await,
                    Err(_) => return,
                }
            }
            drop(theirs);
            let end =
                own.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(own));
            if let Ok(end) = end {
                end.readable().await.ok();
            }
        }

        fn send_with(&self, message: &[u8], descriptor: BorrowedFd<'_>) -> std::io::Result<()> {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let descriptors = [descriptor];
            control.push(SendAncillaryMessage::ScmRights(&descriptors));
            let message = [std::io::IoSlice::new(message)];
            // With an address of the standard library's it can only be connected.
            let own = UnixDatagram::unbound()?;
            own.set_nonblocking(true)?;
            own.connect_addr(&self.manager)?;
            sendmsg(&own, &message, &mut control, SendFlags::NOSIGNAL)?;
            Ok(())
        }
    }

    fn is_full(error: &std::io::Error) -> bool {
        error.kind() == ErrorKind::WouldBlock
            || error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error())
    }

    pub(super) fn monotonic() -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or_default())
    }
}

#[cfg(not(target_os = "linux"))]
mod socket {
    use std::time::Duration;

    /// There is none.
    pub(super) enum Socket {}

    impl Socket {
        pub(super) fn of_environment() -> Option<Self> {
            None
        }

        pub(super) fn send(&self, _: &str) -> bool {
            match *self {}
        }

        pub(super) async fn barrier(&self) {
            match *self {}
        }
    }

    pub(super) fn monotonic() -> Duration {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_watchdog_is_the_one_of_this_process() {
        let twenty = Some(Duration::from_secs(20));
        assert_eq!(watchdog(Some("20000000"), None, 7), twenty);
        assert_eq!(watchdog(Some("20000000"), Some("7"), 7), twenty);
        for (interval, process) in [
            (None, None),
            (None, Some("7")),
            (Some("20000000"), Some("8")),
            (Some("20000000"), Some("")),
            (Some("0"), None),
            (Some("soon"), None),
        ] {
            assert_eq!(watchdog(interval, process, 7), None, "{interval:?} {process:?}");
        }
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_interval_while_all_is_well() {
        let began = Instant::now();
        let mut teller = Teller::new(Some(20 * SECOND), began);
        let well = Ok("2 sessions".to_owned());
        let ill = Err("stuck shards: 1".to_owned());
        let mut status =
            |health, seconds| teller.message(health, began + REPEATS + seconds * SECOND);
        assert_eq!(status(&well, 0).as_deref(), Some("WATCHDOG=1\nSTATUS=2 sessions"));
        assert_eq!(status(&well, 9), None);
        assert_eq!(status(&well, 10).as_deref(), Some("WATCHDOG=1"));
        assert_eq!(status(&ill, 20).as_deref(), Some("STATUS=stuck shards: 1"));
        assert_eq!(status(&ill, 25), None);
        // As soon as it is well again, and not only after another half.
        assert_eq!(status(&well, 26).as_deref(), Some("WATCHDOG=1"));
        assert_eq!(status(&well, 36).as_deref(), Some("WATCHDOG=1\nSTATUS=2 sessions"));
        assert!(teller.pause() <= SECOND);
    }

    #[test]
    fn a_manager_that_learns_late_of_a_successor_hears_it_before_the_watchdog_fires() {
        let began = Instant::now();
        let interval = 20 * SECOND;
        let mut teller = Teller::new(Some(interval), began);
        let well = Ok("2 sessions".to_owned());
        // The predecessor may have fed it last just before it was due again.
        let fires = began + interval - interval / 2 - teller.pause();
        let mut now = began;
        // As long as the manager may take to hear of the successor.
        while now < began + HEARS {
            teller.message(&well, now);
            now += teller.pause();
        }
        let heard = teller.message(&well, now);
        assert_eq!(heard.as_deref(), Some("WATCHDOG=1\nSTATUS=2 sessions"));
        assert!(now < fires);
    }

    #[test]
    fn without_a_watchdog_only_changes_are_sent() {
        let began = Instant::now();
        let mut teller = Teller::new(None, began);
        let mut status = |sessions: u32, seconds| {
            teller.message(&Ok(format!("{sessions} sessions")), began + REPEATS + seconds * SECOND)
        };
        assert_eq!(status(1, 0).as_deref(), Some("STATUS=1 sessions"));
        assert_eq!(status(2, 1), None);
        assert_eq!(status(3, 10).as_deref(), Some("STATUS=3 sessions"));
        assert_eq!(status(3, 40), None);
    }
}
