//! The process that serves offers what it has to a successor that asks. On a thread of its own.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::PidfdFlags;
use thiserror::Error;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::channel::{Channel, DESCRIPTORS_MAX, Received};
use super::message::{self, ToPredecessor, ToSuccessor, form};
use super::path::Listener;
use super::protocol::Predecessor;
use super::protocol::predecessor::{Action, Event, Stage};
use crate::ids::PeerId;
use crate::portable;
use crate::reflector::handover::{Estate, Ledger, Listening, Outcome, Report, Steps, Use};
use crate::reflector::inspector::Detail;
use crate::reflector::{ControlError, Inspector, Reflector};

/// How long a successor may take for its request, and to prepare.
const ASKS: Duration = Duration::from_secs(5);
const PREPARES: Duration = Duration::from_secs(60);
/// How long it may take nothing of what is written.
const TAKES: Duration = Duration::from_secs(2);
/// How long it may take to check what it has read, and to say that it serves.
const CHECKS: Duration = Duration::from_secs(5);
/// Sessions are not served for longer than this before a handover is called off.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Between two looks at whether the process is asked to end.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes of the snapshot in one message, and a piece more.
const PART: usize = 128 << 10;

/// Why nothing can be offered.
#[derive(Debug, Error)]
pub enum OfferError {
    /// The socket could not be opened.
    #[error(transparent)]
    Socket(#[from] ControlError),
    /// There can be no further thread.
    #[error("cannot start the thread that hands over: {0}; the limit on threads may be too low")]
    Thread(#[source] std::io::Error),
}

/// Waits for successors until dropped.
#[derive(Debug)]
pub struct Offer {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
    /// The process that has taken over.
    successor: watch::Receiver<Option<u32>>,
}

#[derive(Debug, Default)]
struct State {
    is_stopping: AtomicBool,
}

impl Offer {
    /// Offers what a reflector serves, over this socket.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn begin(reflector: &Reflector, listener: Listener) -> Result<Self, OfferError> {
        let state = Arc::<State>::default();
        let (tell, successor) = watch::channel(None);
        let listening = reflector.listening();
        let copies = listening.iter().map(|it| {
            let socket = it.socket.try_clone()?;
            Ok(Listening { is_for: it.is_for, configured: it.configured.clone(), socket })
        });
        let offering = Offering {
            inspector: reflector.inspector(),
            listening: copies.collect::<std::io::Result<_>>().map_err(OfferError::Thread)?,
            state: Arc::clone(&state),
        };
        let run = move || {
            if let Some(process) = offering.run(&listener) {
                listener.leave();
                tell.send_replace(Some(process));
            }
        };
        let thread = std::thread::Builder::new().name("handover".into()).spawn(run);
        Ok(Self { state, thread: Some(thread.map_err(OfferError::Thread)?), successor })
    }

    /// Opens the socket beside a control socket and offers what a reflector serves.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn open(reflector: &Reflector, control: &Path) -> Result<Self, OfferError> {
        Self::begin(reflector, Listener::open(control)?)
    }

    /// Waits until another process serves the sessions; its number. This one should end then.
    pub async fn handed_over(&mut self) -> u32 {
        match self.successor.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(process)) => *process,
            _ => std::future::pending().await,
        }
    }

    /// Calls off what is under way, unless the successor may serve already. Blocks until that is clear.
    /// Returns the process that has taken over, if one has.
    pub fn stop(mut self) -> Option<u32> {
        self.end();
        *self.successor.borrow()
    }

    fn end(&mut self) {
        self.state.is_stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread that hands over panicked");
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the thread works with.
struct Offering {
    inspector: Inspector,
    listening: Vec<Listening>,
    state: Arc<State>,
}

impl Offering {
    /// Until it is stopped, or the process that has taken over.
    fn run(&self, listener: &Listener) -> Option<u32> {
        while !self.is_stopping() {
            match listener.socket().accept() {
                Ok((socket, _)) => {
                    let handed_over = match Channel::new(socket) {
                        Ok(channel) => self.answer(channel, listener),
                        Err(error) => {
                            warn!(%error, "cannot say which process asks to take over");
                            None
                        }
                    };
                    if handed_over.is_some() {
                        return handed_over;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    super::channel::await_input(listener.socket().as_fd(), LOOK);
                }
                Err(error) => {
                    warn!(%error, "cannot accept a process that asks to take over");
                    std::thread::sleep(LOOK);
                }
            }
        }
        None
    }

    fn is_stopping(&self) -> bool {
        self.state.is_stopping.load(Ordering::Relaxed)
    }

    fn answer(&self, channel: Channel, listener: &Listener) -> Option<u32> {
        let own = rustix::process::geteuid().as_raw();
        let (process, user) = (channel.process(), channel.user());
        if user != own && user != 0 {
            warn!(process, user, "a process of another user may not take over");
            return None;
        }
        info!(process, "a process asks to take over");
        self.inspector.handover_begins();
        let mut conversation = Conversation {
            offering: self,
            listener,
            channel,
            machine: Predecessor::new(),
            estate: None,
            other: String::new(),
            reason: None,
            began: Instant::now(),
            silent_since: None,
            steps: Steps::default(),
            routes: 0,
            bytes: 0,
        };
        conversation.run();
        let Conversation { machine, .. } = &conversation;
        let is_handed_over = machine.stage() == Stage::HandedOver;
        conversation.end(is_handed_over);
        is_handed_over.then_some(process)
    }
}

/// One successor's attempt.
struct Conversation<'a> {
    offering: &'a Offering,
    listener: &'a Listener,
    channel: Channel,
    machine: Predecessor,
    estate: Option<Estate>,
    other: String,
    reason: Option<String>,
    began: Instant,
    silent_since: Option<Instant>,
    steps: Steps,
    routes: u64,
    bytes: u64,
}

impl Conversation<'_> {
    fn run(&mut self) {
        while !matches!(self.machine.stage(), Stage::CalledOff | Stage::HandedOver) {
            let mut event = self.next();
            while let Some(happened) = event {
                event = self.machine.on(happened).and_then(|action| self.act(action));
            }
        }
    }

    /// What the successor says, or that it says nothing.
    fn next(&mut self) -> Option<Event> {
        let patience = match self.machine.stage() {
            Stage::Asked => ASKS,
            Stage::Preparing => PREPARES,
            _ => CHECKS,
        };
        let deadline = Instant::now() + patience;
        loop {
            let until = deadline.min(Instant::now() + LOOK);
            match self.channel.receive::<form::ToPredecessor>(until) {
                Received::Message(message, _) => return message.kind.and_then(|it| self.heard(it)),
                Received::Died => {
                    return Some(self.because("the successor has ended", Event::Died));
                }
                Received::Left => return Some(self.because("the successor has gone", Event::Left)),
                Received::Late if Instant::now() >= deadline => {
                    return Some(self.because("the successor takes too long", Event::Late));
                }
                Received::Late if self.offering.is_stopping() => {
                    let event = self.because("this process is asked to end", Event::Stopped);
                    // When it changes nothing, the successor's word is still to come.
                    let action = self.machine.on(event);
                    if action.is_some() {
                        return action.and_then(|action| self.act(action));
                    }
                }
                Received::Late => {}
            }
        }
    }

    fn because(&mut self, reason: &str, event: Event) -> Event {
        self.reason.get_or_insert_with(|| reason.to_owned());
        event
    }

    fn heard(&mut self, message: ToPredecessor) -> Option<Event> {
        Some(match message {
            ToPredecessor::Request(request) => match self.check(&request) {
                Ok(()) => Event::Requested,
                Err(unknown) => self.because(&unknown.to_string(), Event::Refused),
            },
            ToPredecessor::Prepared(_) => Event::Prepared,
            ToPredecessor::Ready(_) => Event::Ready,
            ToPredecessor::Taken(_) => Event::Taken,
            ToPredecessor::Refused(form::Refused { reason }) => {
                let reason: String =
                    reason.chars().filter(|it| !it.is_control()).take(500).collect();
                self.because(&reason, Event::Refused)
            }
        })
    }

    fn check(&mut self, request: &form::Request) -> Result<(), message::Unknown> {
        self.other = message::check(request.version.as_ref())?;
        if request.snapshot_major == portable::VERSION.0 {
            return Ok(());
        }
        Err(message::Unknown::Snapshot(self.other.clone(), request.snapshot_major))
    }

    fn act(&mut self, action: Action) -> Option<Event> {
        #[cfg(test)]
        super::tests::fault(&action);
        match action {
            Action::Welcome => self.welcome(),
            Action::Freeze => {
                self.steps.prepare = self.began.elapsed();
                let began = Instant::now();
                self.silent_since = Some(began);
                match self.offering.inspector.freeze() {
                    Ok(estate) => {
                        self.steps.shards = began.elapsed();
                        self.estate = Some(estate);
                        Some(Event::Frozen)
                    }
                    Err(error) => Some(self.because(&error.to_string(), Event::NotFrozen)),
                }
            }
            Action::Send => {
                let began = Instant::now();
                let sent = self.send_all();
                self.steps.snapshot = began.elapsed();
                Some(match sent {
                    Ok(()) => Event::Sent,
                    Err(error) => self.failed(&error),
                })
            }
            Action::Commit => self.say(ToSuccessor::Commit(form::Commit {}), CHECKS),
            Action::CallOff => {
                let reason = self.reason.clone().unwrap_or_else(|| "it is out of turn".to_owned());
                let said =
                    self.send(ToSuccessor::CalledOff(form::CalledOff { reason }), Duration::ZERO);
                Some(match said {
                    Ok(()) => Event::Told,
                    // Who has closed its end takes nothing over.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => Event::Told,
                    Err(_) => Event::NotTold,
                })
            }
            Action::Kill => Some(self.kill()),
            Action::TakeBack => {
                if let Some(estate) = self.estate.take() {
                    self.offering.inspector.thaw(estate);
                }
                None
            }
        }
    }

    fn welcome(&mut self) -> Option<Event> {
        let listening = &self.offering.listening;
        let mut listeners: Vec<_> = listening.iter().map(listener).collect();
        let configured = self.listener.path().display().to_string();
        listeners.push(form::Listener { r#use: form::listener::Use::Handover.into(), configured });
        let mut descriptors: Vec<_> = listening.iter().map(|it| it.socket.as_fd()).collect();
        descriptors.push(self.listener.socket().as_fd());
        let own = match rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        {
            Ok(own) => own,
            Err(error) => return Some(self.failed(&error.into())),
        };
        descriptors.push(own.as_fd());
        let welcome = form::Welcome {
            version: Some(message::own_version()),
            process: std::process::id(),
            now: self.offering.inspector.now().0,
            listeners,
        };
        let sent = send(&self.channel, ToSuccessor::Welcome(welcome), &descriptors, TAKES);
        sent.err().map(|error| self.failed(&error))
    }

    /// Sends a message; an event only if that fails.
    fn say(&mut self, kind: ToSuccessor, patience: Duration) -> Option<Event> {
        self.send(kind, patience).err().map(|error| self.failed(&error))
    }

    fn send(&self, kind: ToSuccessor, patience: Duration) -> std::io::Result<()> {
        send(&self.channel, kind, &[], patience)
    }

    fn failed(&mut self, error: &std::io::Error) -> Event {
        match error.kind() {
            ErrorKind::TimedOut => self.because("the successor takes too long", Event::Late),
            ErrorKind::BrokenPipe => self.because("the successor has gone", Event::Left),
            _ => self
                .because(&format!("the successor cannot be told anything: {error}"), Event::Left),
        }
    }

    fn send_all(&mut self) -> std::io::Result<()> {
        let Some(estate) = &self.estate else { return Err(ErrorKind::NotFound.into()) };
        let deadline = self.silent_since.unwrap_or_else(Instant::now) + SILENCE_MAX;
        send_sockets(&self.channel, estate)?;
        send(&self.channel, ToSuccessor::State(state(estate.ledger())), &[], TAKES)?;
        let (mut part, mut result) = (Vec::with_capacity(2 * PART), Ok(()));
        let (mut bytes, mut routes) = (0, 0);
        let mut flush = |part: &mut Vec<u8>| {
            if Instant::now() > deadline {
                return Err(ErrorKind::TimedOut.into());
            }
            bytes += part.len() as u64;
            let snapshot = std::mem::take(part).into();
            send(&self.channel, ToSuccessor::Snapshot(snapshot), &[], TAKES)
        };
        estate.snapshot(&mut |kind| {
            if result.is_err() {
                return;
            }
            if let portable::form::piece::Kind::End(end) = &kind {
                routes = end.routes;
            }
            portable::write(kind, &mut part);
            if part.len() >= PART {
                result = flush(&mut part);
            }
        });
        result?;
        flush(&mut part)?;
        (self.bytes, self.routes) = (bytes, routes);
        send(&self.channel, ToSuccessor::Whole(form::Whole {}), &[], TAKES)
    }

    /// Ends the successor. Returns when it is dead, or has said that it serves.
    fn kill(&mut self) -> Event {
        let process = self.channel.process();
        warn!(process, "ends the successor, which does not answer");
        let mut is_dead = self.channel.kill();
        if !is_dead {
            error!(
                process,
                "cannot end the successor; sessions wait until it has ended: end it by hand"
            );
        }
        loop {
            match self.channel.receive::<form::ToPredecessor>(Instant::now() + LOOK) {
                Received::Message(
                    form::ToPredecessor { kind: Some(ToPredecessor::Taken(_)) },
                    _,
                ) => {
                    return Event::Taken;
                }
                Received::Message(..) => {}
                Received::Died => return Event::Died,
                Received::Left | Received::Late if is_dead => return Event::Died,
                Received::Left | Received::Late => {
                    std::thread::sleep(LOOK);
                    is_dead = self.channel.kill();
                }
            }
        }
    }

    /// Tells operators what became of it.
    fn end(mut self, is_handed_over: bool) {
        let inspector = &self.offering.inspector;
        self.steps.silence = self.silent_since.map_or(Duration::ZERO, |since| since.elapsed());
        let connections = self.estate.as_ref().map_or(0, |estate| estate.sockets().count());
        let (from, to) = (std::process::id(), self.channel.process());
        let report = Report {
            outcome: if is_handed_over { Outcome::HandedOver } else { Outcome::CalledOff },
            from,
            to,
            other: std::mem::take(&mut self.other),
            at: Report::now(),
            connections: u64::try_from(connections).unwrap_or(u64::MAX),
            routes: self.routes,
            bytes: self.bytes,
            steps: self.steps,
            reason: self.reason.filter(|_| !is_handed_over),
        };
        let Steps { prepare, shards, snapshot, silence } = self.steps;
        if is_handed_over {
            info!(
                to,
                connections,
                routes = self.routes,
                bytes = self.bytes,
                ?prepare,
                ?shards,
                ?snapshot,
                ?silence,
                "handed over"
            );
        } else {
            let reason = report.reason.as_deref().unwrap_or_default();
            warn!(to, reason, ?silence, "handover called off; sessions go on here");
        }
        #[cfg(test)]
        super::tests::fault(&report.outcome);
        inspector.handover_ended(report);
        if let Some(estate) = self.estate.filter(|_| is_handed_over) {
            inspector.handed_over(estate);
        }
    }
}

fn send(
    channel: &Channel,
    kind: ToSuccessor,
    descriptors: &[BorrowedFd<'_>],
    patience: Duration,
) -> std::io::Result<()> {
    let count = u32::try_from(descriptors.len()).unwrap_or(u32::MAX);
    let message = form::ToSuccessor { kind: Some(kind), descriptors: count };
    channel.send(&message, descriptors, patience)
}

fn send_sockets(channel: &Channel, estate: &Estate) -> std::io::Result<()> {
    let all: Vec<_> = estate.sockets().collect();
    for some in all.chunks(DESCRIPTORS_MAX) {
        let sockets =
            some.iter().map(|&(peer, remote, followed, _)| socket(peer, remote, followed));
        let message = form::Sockets { sockets: sockets.collect() };
        let descriptors: Vec<_> = some.iter().map(|it| it.3).collect();
        send(channel, ToSuccessor::Sockets(message), &descriptors, TAKES)?;
    }
    Ok(())
}

fn socket(peer: PeerId, remote: SocketAddr, followed: Option<Detail>) -> form::Socket {
    let followed = match followed {
        None => form::socket::Detail::None,
        Some(Detail::Summaries) => form::socket::Detail::Summaries,
        Some(Detail::Messages) => form::socket::Detail::Messages,
    };
    form::Socket { peer: peer.0, remote: remote.to_string(), followed: followed.into() }
}

fn listener(listening: &Listening) -> form::Listener {
    let is_for = match listening.is_for {
        Use::Sessions => form::listener::Use::Sessions,
        Use::Http => form::listener::Use::Http,
        Use::Control => form::listener::Use::Control,
    };
    form::Listener { r#use: is_for.into(), configured: listening.configured.clone() }
}

fn state(ledger: &Ledger) -> form::State {
    let counters = ledger.shards.iter().map(|saved| {
        let numbers = |(name, numbers): (&String, &Vec<u64>)| {
            (name.clone(), form::Numbers { numbers: numbers.clone() })
        };
        form::Counters { counters: saved.iter().map(numbers).collect() }
    });
    form::State {
        serial: ledger.serial,
        drains: ledger.drains.map_or(0, std::num::NonZeroU32::get),
        serving: ledger.serving,
        shards: counters.collect(),
        refused: ledger.refused.clone(),
        sessions_since: ledger.since,
        generation: ledger.generation,
    }
}
