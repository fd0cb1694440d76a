//! One successor's attempt, as the process that serves sees it.

use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::process::PidfdFlags;
use tracing::{error, info, warn};

use super::channel::{Channel, Received};
use super::message::{self, ToPredecessor, ToSuccessor, form};
use super::path::Listener;
use super::protocol::Predecessor;
use super::protocol::predecessor::{PredecessorAction, PredecessorEvent, PredecessorStage};
use super::{translate, writing};
use crate::estate::Listening;
use crate::inspector::Inspector;
use crate::portable;
use crate::threads::{Estate, HandoverReport, HandoverSteps, Outcome};

/// How long a successor may take for its request, and to prepare.
const ASKS: Duration = Duration::from_secs(5);
const PREPARES: Duration = Duration::from_secs(60);
/// How long the successor may take no written bytes.
const TAKES: Duration = Duration::from_secs(2);
/// How long the successor may take to check what it has read, and to say that it serves.
const CHECKS: Duration = Duration::from_secs(3);
/// A handover whose snapshot is not written after this time is called off. Peers close a session that is silent for 2.5
/// of its intervals, of which one may have passed already: 7.5 s are left by default, also for [`CHECKS`].
const SILENCE_MAX: Duration = Duration::from_secs(4);
/// The time between two looks at whether the process is asked to end.
const LOOK: Duration = Duration::from_millis(100);

/// The parts of its process that a conversation needs.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) inspector: &'a Inspector,
    /// Listening sockets to pass on.
    pub(super) listening: &'a [Listening],
    /// The socket over which successors ask.
    pub(super) listener: &'a Listener,
    /// Whether the process is asked to end.
    pub(super) is_stopping: &'a dyn Fn() -> bool,
}

/// The conversation with one successor about its attempt.
pub(super) struct Conversation<'a> {
    host: Host<'a>,
    channel: Channel,
    machine: Predecessor,
    estate: Option<Estate>,
    other: String,
    reason: Option<String>,
    began: Instant,
    silent_since: Option<Instant>,
    steps: HandoverSteps,
    routes: u64,
    bytes: u64,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(host: Host<'a>, channel: Channel) -> Self {
        Self {
            host,
            channel,
            machine: Predecessor::new(),
            estate: None,
            other: String::new(),
            reason: None,
            began: Instant::now(),
            silent_since: None,
            steps: HandoverSteps::default(),
            routes: 0,
            bytes: 0,
        }
    }

    /// Hands over, or calls it off. Returns whether the successor serves.
    pub(super) fn run(mut self) -> bool {
        while !matches!(
            self.machine.stage(),
            PredecessorStage::CalledOff | PredecessorStage::HandedOver
        ) {
            let mut event = self.next();
            while let Some(happened) = event {
                event = self.machine.on(happened).and_then(|action| self.act(action));
            }
        }
        let is_handed_over = self.machine.stage() == PredecessorStage::HandedOver;
        self.end(is_handed_over);
        is_handed_over
    }

    /// The next event: the successor's message, or that none comes.
    fn next(&mut self) -> Option<PredecessorEvent> {
        let patience = match self.machine.stage() {
            PredecessorStage::Asked => ASKS,
            PredecessorStage::Preparing => PREPARES,
            _ => CHECKS,
        };
        let deadline = Instant::now() + patience;
        loop {
            let until = deadline.min(Instant::now() + LOOK);
            match self.channel.receive::<form::ToPredecessor>(until) {
                Received::Message(message, _) => return message.kind.and_then(|it| self.heard(it)),
                Received::Died => {
                    return Some(self.because("the successor has ended", PredecessorEvent::Died));
                }
                Received::Left | Received::Cut => {
                    return Some(self.because(
                        "the successor has closed its connection",
                        PredecessorEvent::Left,
                    ));
                }
                Received::Late if Instant::now() >= deadline => {
                    return Some(
                        self.because("the successor takes too long", PredecessorEvent::Late),
                    );
                }
                Received::Late if (self.host.is_stopping)() => {
                    let event =
                        self.because("this process was told to stop", PredecessorEvent::Stopped);
                    // If it changes nothing, the successor's message is still to come.
                    let action = self.machine.on(event);
                    if action.is_some() {
                        return action.and_then(|action| self.act(action));
                    }
                }
                Received::Late => {}
            }
        }
    }

    fn because(&mut self, reason: &str, event: PredecessorEvent) -> PredecessorEvent {
        self.reason.get_or_insert_with(|| reason.to_owned());
        event
    }

    fn heard(&mut self, message: ToPredecessor) -> Option<PredecessorEvent> {
        Some(match message {
            ToPredecessor::Request(request) => match self.check(&request) {
                Ok(()) => PredecessorEvent::Requested,
                Err(unknown) => self.because(&unknown.to_string(), PredecessorEvent::Refused),
            },
            ToPredecessor::Prepared(_) => PredecessorEvent::Prepared,
            ToPredecessor::Ready(_) => PredecessorEvent::Ready,
            ToPredecessor::Taken(_) => PredecessorEvent::Taken,
            ToPredecessor::Refused(form::Refused { reason }) => {
                let reason: String =
                    reason.chars().filter(|it| !it.is_control()).take(500).collect();
                self.because(&reason, PredecessorEvent::Refused)
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

    fn act(&mut self, action: PredecessorAction) -> Option<PredecessorEvent> {
        #[cfg(test)]
        super::tests::fault(&action);
        match action {
            PredecessorAction::Welcome => self.welcome(),
            PredecessorAction::Freeze => {
                self.steps.prepare = self.began.elapsed();
                let began = Instant::now();
                self.silent_since = Some(began);
                match self.host.inspector.freeze() {
                    Ok(estate) => {
                        self.steps.shards = began.elapsed();
                        self.estate = Some(estate);
                        Some(PredecessorEvent::Frozen)
                    }
                    Err(error) => {
                        Some(self.because(&error.to_string(), PredecessorEvent::NotFrozen))
                    }
                }
            }
            PredecessorAction::Send => {
                let began = Instant::now();
                let sent = self.send_all();
                self.steps.snapshot = began.elapsed();
                Some(match sent {
                    Ok(()) => PredecessorEvent::Sent,
                    Err(error) => {
                        // It may have said why it closed its end.
                        let said = self.channel.pending::<form::ToPredecessor>();
                        if let Some(said @ ToPredecessor::Refused(_)) = said.and_then(|it| it.kind)
                        {
                            self.heard(said);
                        }
                        self.failed(&error)
                    }
                })
            }
            PredecessorAction::Commit => self.say(ToSuccessor::Commit(form::Commit {}), CHECKS),
            PredecessorAction::CallOff => {
                let reason = self.reason.clone().unwrap_or_else(|| {
                    "the processes disagree on the step of the handover".to_owned()
                });
                let said =
                    self.send(ToSuccessor::CalledOff(form::CalledOff { reason }), Duration::ZERO);
                Some(match said {
                    Ok(()) => PredecessorEvent::Told,
                    // A successor that has closed its end takes nothing over.
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => PredecessorEvent::Told,
                    Err(_) => PredecessorEvent::NotTold,
                })
            }
            PredecessorAction::Kill => Some(self.kill()),
            PredecessorAction::TakeBack => {
                if let Some(estate) = self.estate.take() {
                    self.host.inspector.thaw(estate);
                }
                None
            }
        }
    }

    fn welcome(&mut self) -> Option<PredecessorEvent> {
        let listening = self.host.listening;
        let mut listeners: Vec<_> = listening.iter().map(translate::listener).collect();
        let configured = self.host.listener.path().display().to_string();
        listeners.push(form::Listener { r#use: form::listener::Use::Handover.into(), configured });
        let mut descriptors: Vec<_> = listening.iter().map(|it| it.socket.as_fd()).collect();
        descriptors.push(self.host.listener.socket().as_fd());
        let own = match rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())
        {
            Ok(own) => own,
            Err(error) => return Some(self.failed(&error.into())),
        };
        descriptors.push(own.as_fd());
        let welcome = form::Welcome {
            version: Some(message::own_version()),
            process: std::process::id(),
            now: self.host.inspector.now().0,
            listeners,
        };
        let sent = writing::send(&self.channel, ToSuccessor::Welcome(welcome), &descriptors, TAKES);
        sent.err().map(|error| self.failed(&error))
    }

    /// Sends a message. Returns an event only if that fails.
    fn say(&mut self, kind: ToSuccessor, patience: Duration) -> Option<PredecessorEvent> {
        self.send(kind, patience).err().map(|error| self.failed(&error))
    }

    fn send(&self, kind: ToSuccessor, patience: Duration) -> std::io::Result<()> {
        writing::send(&self.channel, kind, &[], patience)
    }

    fn failed(&mut self, error: &std::io::Error) -> PredecessorEvent {
        match error.kind() {
            ErrorKind::TimedOut => {
                self.because("the successor takes too long", PredecessorEvent::Late)
            }
            ErrorKind::BrokenPipe => {
                self.because("the successor has closed its connection", PredecessorEvent::Left)
            }
            _ => self
                .because(&format!("cannot send to the successor: {error}"), PredecessorEvent::Left),
        }
    }

    fn send_all(&mut self) -> std::io::Result<()> {
        let Some(estate) = &self.estate else { return Err(ErrorKind::NotFound.into()) };
        let deadline = self.silent_since.unwrap_or_else(Instant::now) + SILENCE_MAX;
        (self.bytes, self.routes) = writing::send_all(&self.channel, estate, TAKES, deadline)?;
        Ok(())
    }

    /// Ends the successor. Returns when it is dead, or has said that it serves.
    fn kill(&mut self) -> PredecessorEvent {
        let process = self.channel.process();
        warn!(process, "ends the successor, which does not answer");
        let mut is_dead = self.channel.kill();
        if !is_dead {
            error!(
                process,
                "cannot end the successor; this process serves no session until the successor has \
                 ended: kill it by hand"
            );
        }
        loop {
            match self.channel.receive::<form::ToPredecessor>(Instant::now() + LOOK) {
                Received::Message(
                    form::ToPredecessor { kind: Some(ToPredecessor::Taken(_)) },
                    _,
                ) => {
                    return PredecessorEvent::Taken;
                }
                Received::Message(..) => {}
                Received::Died => return PredecessorEvent::Died,
                Received::Left | Received::Cut | Received::Late if is_dead => {
                    return PredecessorEvent::Died;
                }
                Received::Left | Received::Cut | Received::Late => {
                    std::thread::sleep(LOOK);
                    is_dead = self.channel.kill();
                }
            }
        }
    }

    /// Reports the outcome to operators.
    fn end(mut self, is_handed_over: bool) {
        let inspector = self.host.inspector;
        self.steps.silence = self.silent_since.map_or(Duration::ZERO, |since| since.elapsed());
        let connections = self.estate.as_ref().map_or(0, |estate| estate.sockets().count());
        let (from, to) = (std::process::id(), self.channel.process());
        let report = HandoverReport {
            outcome: if is_handed_over { Outcome::HandedOver } else { Outcome::CalledOff },
            from,
            to,
            other: std::mem::take(&mut self.other),
            at: HandoverReport::now(),
            connections: u64::try_from(connections).unwrap_or(u64::MAX),
            routes: self.routes,
            bytes: self.bytes,
            steps: self.steps,
            reason: self.reason.filter(|_| !is_handed_over),
        };
        let HandoverSteps { prepare, shards, snapshot, silence } = self.steps;
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
