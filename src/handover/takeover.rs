//! A process that starts takes over from the one that serves.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use thiserror::Error;
use tracing::{info, warn};

use super::channel::{Channel, Received};
use super::message::{self, ToPredecessor, ToSuccessor, form};
use super::path::{Listener, connect};
use super::protocol::Successor;
use super::protocol::successor::{SuccessorAction, SuccessorEvent, SuccessorStage};
use super::translate;
use crate::admin::OperatorEndpoints;
use crate::config::{ReflectorConfig, StartError};
use crate::control::ControlError;
use crate::estate::{Arrival, Inherited, Legacy};
use crate::io;
use crate::portable::{self, Defect, Pieces};
use crate::reflector::{Prepared, Reflector};
use crate::shard::Restorer;
use crate::threads::{HandoverReport, HandoverSteps, Ledger, Outcome};

/// How long the predecessor may send nothing while the successor waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a message may take to be sent.
const SENDS: Duration = Duration::from_secs(5);

/// Why this process has neither taken over nor started a reflector.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TakeoverError {
    /// The configuration has no control socket, beside which both processes meet.
    #[error("--takeover needs --control: both processes use a socket beside the control socket")]
    NoControl,
    /// The serving process cannot be asked.
    #[error(
        "cannot ask the running reflector to hand over: {0}; run both processes as the same user"
    )]
    Unreachable(#[source] std::io::Error),
    /// The reflector of this process cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The serving process has called the handover off and continues.
    #[error("the running reflector keeps its sessions, because the handover failed: {0}")]
    CalledOff(String),
    /// This process cannot use the data that the serving process sent; the serving process continues.
    #[error("the running reflector keeps its sessions, because the handover failed: {0}")]
    Unusable(#[from] Unusable),
    /// The serving process has died.
    #[error(
        "the reflector that ran has died before it had handed over, and its sessions have ended; \
         start this reflector again"
    )]
    Died,
}

/// What is wrong with the data that the serving process sent.
#[derive(Debug, Error)]
pub enum Unusable {
    /// It has another version.
    #[error("{0}")]
    Version(String),
    /// The snapshot cannot be read.
    #[error("its snapshot cannot be read: {0}")]
    Snapshot(String),
    /// There are connections without sockets, or sockets without connections.
    #[error("the sockets that it sent do not match its connections")]
    Sockets,
    /// There are more sockets than this process may have.
    #[error(
        "the new process may not open enough file descriptors for the sockets of all sessions: raise \
         the limit (LimitNOFILE of the unit, ulimit -Hn)"
    )]
    Descriptors,
}

/// A reflector that has started: anew, or with the sessions and routes of another process.
#[derive(Debug)]
pub struct Started {
    /// The reflector, which serves.
    pub reflector: Reflector,
    /// The socket over which a later process can ask this one to hand over; `None` without a control socket.
    pub listener: Option<Listener>,
}

/// Starts a reflector. If `takes_over` is true and a reflector runs with the same control socket, that reflector hands
/// over to this one. Blocks the calling thread for some milliseconds; with millions of routes, for seconds.
///
/// # Errors
/// [`TakeoverError`]. A running reflector continues then, unless it has died.
pub fn start(config: &ReflectorConfig, takes_over: bool) -> Result<Started, TakeoverError> {
    let control = config.control.as_deref();
    if takes_over {
        let control = control.ok_or(TakeoverError::NoControl)?;
        if let Some(socket) = connect(control).map_err(TakeoverError::Unreachable)? {
            // The sockets of all sessions come before this process serves. The log tells the limit then.
            io::raise_nofile().ok();
            let channel = Channel::new(socket).map_err(TakeoverError::Unreachable)?;
            return Taking::new(config, control, channel).run();
        }
        info!("no reflector runs that could hand over; starting as usual");
    }
    let reflector = Reflector::start(config)?;
    let listener = control.map(Listener::open).and_then(kept);
    Ok(Started { reflector, listener })
}

/// One attempt to take over.
struct Taking<'a> {
    config: &'a ReflectorConfig,
    control: &'a Path,
    channel: Channel,
    machine: Successor,
    other: String,
    prepared: Option<Prepared<OperatorEndpoints>>,
    /// The predecessor's Welcome, its descriptors, and the moment when it came.
    welcome: Option<(form::Welcome, Vec<OwnedFd>, Instant)>,
    /// The socket over which the next process will ask.
    socket: Option<OwnedFd>,
    restorer: Option<Restorer>,
    pieces: Pieces,
    arrivals: Vec<Arrival>,
    ledger: Ledger,
    legacy: Option<Legacy>,
    began: Instant,
    silent_since: Option<Instant>,
    steps: HandoverSteps,
    bytes: u64,
    /// The outcome, as far as it is known.
    outcome: Option<Result<Started, TakeoverError>>,
}

impl<'a> Taking<'a> {
    fn new(config: &'a ReflectorConfig, control: &'a Path, channel: Channel) -> Self {
        Self {
            config,
            control,
            channel,
            machine: Successor::new(),
            other: String::new(),
            prepared: None,
            welcome: None,
            socket: None,
            restorer: None,
            pieces: Pieces::default(),
            arrivals: Vec::new(),
            ledger: Ledger::default(),
            legacy: None,
            began: Instant::now(),
            silent_since: None,
            steps: HandoverSteps::default(),
            bytes: 0,
            outcome: None,
        }
    }

    fn run(mut self) -> Result<Started, TakeoverError> {
        info!(process = self.channel.process(), "asks the reflector that runs to hand over");
        let request = form::Request {
            version: Some(message::own_version()),
            snapshot_major: portable::VERSION.0,
        };
        self.say(ToPredecessor::Request(request)).map_err(TakeoverError::Unreachable)?;
        while !matches!(self.machine.stage(), SuccessorStage::Serving | SuccessorStage::Over) {
            let mut event = self.next();
            while let Some(happened) = event {
                event = self.machine.on(happened).and_then(|action| self.act(action));
            }
        }
        let lost = || Err(TakeoverError::CalledOff("that reflector does not answer".to_owned()));
        self.outcome.unwrap_or_else(lost)
    }

    /// The attempt fails for this reason, unless it can serve after all.
    fn fail(&mut self, error: impl Into<TakeoverError>) {
        self.outcome = Some(Err(error.into()));
    }

    fn say(&self, kind: ToPredecessor) -> std::io::Result<()> {
        self.channel.send(&form::ToPredecessor { kind: Some(kind) }, &[], SENDS)
    }

    fn next(&mut self) -> Option<SuccessorEvent> {
        let deadline = Instant::now() + PATIENCE;
        match self.channel.receive::<form::ToSuccessor>(deadline) {
            Received::Message(message, descriptors) => {
                let kind = message.kind?;
                match self.heard(kind, descriptors) {
                    Ok(event) => event,
                    Err(error) => {
                        self.fail(error);
                        Some(SuccessorEvent::Unfit)
                    }
                }
            }
            Received::Died => {
                self.fail(TakeoverError::Died);
                Some(SuccessorEvent::Died)
            }
            Received::Cut => {
                self.fail(Unusable::Descriptors);
                Some(SuccessorEvent::Unfit)
            }
            Received::Left => Some(SuccessorEvent::Left),
            Received::Late => Some(SuccessorEvent::Late),
        }
    }

    fn heard(
        &mut self,
        kind: ToSuccessor,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Option<SuccessorEvent>, Unusable> {
        match kind {
            ToSuccessor::Welcome(welcome) => {
                let heard = Instant::now();
                let checked = message::check(welcome.version.as_ref());
                self.other = checked.map_err(|error| Unusable::Version(error.to_string()))?;
                let mut descriptors = descriptors;
                if descriptors.len() != welcome.listeners.len() + 1 {
                    return Err(Unusable::Sockets);
                }
                if let Some(handle) = descriptors.pop() {
                    self.channel.is_with(welcome.process, handle);
                }
                self.welcome = Some((welcome, descriptors, heard));
                return Ok(Some(SuccessorEvent::Welcomed));
            }
            ToSuccessor::Sockets(form::Sockets { sockets }) => {
                self.silent_since.get_or_insert_with(Instant::now);
                if sockets.len() != descriptors.len() {
                    return Err(Unusable::Sockets);
                }
                for (socket, descriptor) in sockets.into_iter().zip(descriptors) {
                    let arrival = translate::arrival(&socket, descriptor);
                    self.arrivals.push(arrival.ok_or(Unusable::Sockets)?);
                }
            }
            ToSuccessor::State(state) => {
                self.silent_since.get_or_insert_with(Instant::now);
                self.ledger = translate::ledger(state);
            }
            ToSuccessor::Snapshot(bytes) => {
                self.bytes += bytes.len() as u64;
                self.read(&bytes).map_err(|defect| Unusable::Snapshot(defect.to_string()))?;
            }
            ToSuccessor::Whole(_) => return self.finish().map(|()| Some(SuccessorEvent::Whole)),
            ToSuccessor::Commit(_) => return Ok(Some(SuccessorEvent::Committed)),
            ToSuccessor::CalledOff(form::CalledOff { reason }) => {
                self.fail(TakeoverError::CalledOff(reason));
                return Ok(Some(SuccessorEvent::CalledOff));
            }
        }
        Ok(None)
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Defect> {
        let Some(restorer) = &mut self.restorer else {
            return Err(Defect::Misplaced("a snapshot"));
        };
        self.pieces.feed(bytes);
        while let Some(piece) = self.pieces.next()? {
            restorer.take(piece)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Unusable> {
        let broken = |defect: Defect| Unusable::Snapshot(defect.to_string());
        let restorer = self.restorer.take().ok_or_else(|| broken(Defect::CutShort))?;
        let restored = restorer.finish().map_err(broken)?;
        let (arrivals, ledger) =
            (std::mem::take(&mut self.arrivals), std::mem::take(&mut self.ledger));
        let legacy = Legacy::new(restored, arrivals, ledger).ok_or(Unusable::Sockets)?;
        self.legacy = Some(legacy);
        self.steps.snapshot = self.silent_since.map_or(Duration::ZERO, |since| since.elapsed());
        Ok(())
    }

    fn act(&mut self, action: SuccessorAction) -> Option<SuccessorEvent> {
        #[cfg(test)]
        super::tests::fault(&action);
        match action {
            SuccessorAction::Prepare => Some(match self.prepare() {
                Ok(()) => SuccessorEvent::Prepared,
                Err(error) => {
                    self.fail(error);
                    SuccessorEvent::Unfit
                }
            }),
            SuccessorAction::SayPrepared => {
                self.steps.prepare = self.began.elapsed();
                // If it can't be sent, reading the answer shows that.
                self.say(ToPredecessor::Prepared(form::Prepared {})).ok();
                None
            }
            SuccessorAction::Refuse => {
                let error = self.outcome.as_ref().and_then(|outcome| outcome.as_ref().err());
                let reason = error.map(ToString::to_string).unwrap_or_default();
                self.say(ToPredecessor::Refused(form::Refused { reason })).ok();
                None
            }
            SuccessorAction::SayReady => {
                let said = self.say(ToPredecessor::Ready(form::Ready {}));
                said.is_err().then_some(SuccessorEvent::NotTold)
            }
            SuccessorAction::Serve => {
                let is_told = self.say(ToPredecessor::Taken(form::Taken {})).is_ok();
                self.outcome = self.serve(is_told);
                None
            }
            SuccessorAction::End => None,
        }
    }

    fn prepare(&mut self) -> Result<(), TakeoverError> {
        let missing = || {
            TakeoverError::CalledOff("that reflector has not said what it listens on".to_owned())
        };
        let (welcome, descriptors, heard) = self.welcome.take().ok_or_else(missing)?;
        let mut listening = Vec::new();
        for (listener, socket) in welcome.listeners.into_iter().zip(descriptors) {
            match translate::listening(listener, socket) {
                Ok(socket) => listening.push(socket),
                Err(socket) => self.socket = Some(socket),
            }
        }
        // Moments go on: the clock begins at the same time as the predecessor's clock.
        let began = heard.checked_sub(Duration::from_micros(welcome.now)).unwrap_or(heard);
        let prepared = Prepared::new(self.config, Inherited::new(listening), began)?;
        self.restorer = Some(prepared.restorer());
        self.prepared = Some(prepared);
        Ok(())
    }

    fn serve(&mut self, is_told: bool) -> Option<Result<Started, TakeoverError>> {
        let (prepared, legacy) = (self.prepared.take()?, self.legacy.take()?);
        let (connections, sessions) = legacy.counts();
        let (routes, frozen) = (legacy.routes(), legacy.frozen());
        let arrived = Instant::now();
        let reflector = prepared.serve(Some(legacy));
        self.steps.shards = arrived.elapsed();
        self.steps.silence = reflector.inspector().now().since(frozen);
        let HandoverSteps { prepare, shards, snapshot, silence } = self.steps;
        let predecessor = self.channel.process();
        info!(
            predecessor,
            other = self.other,
            connections,
            sessions,
            routes,
            bytes = self.bytes,
            ?prepare,
            ?snapshot,
            ?shards,
            ?silence,
            "taken over"
        );
        if !is_told {
            warn!(
                predecessor,
                "the predecessor died after its last message; this process serves its sessions"
            );
        }
        reflector.inspector().handover_ended(HandoverReport {
            outcome: if is_told { Outcome::TakenOver } else { Outcome::TakenOverAlone },
            from: predecessor,
            to: std::process::id(),
            other: std::mem::take(&mut self.other),
            at: HandoverReport::now(),
            connections: u64::try_from(connections).unwrap_or(u64::MAX),
            routes,
            bytes: self.bytes,
            steps: self.steps,
            reason: None,
        });
        let listener = match self.socket.take() {
            Some(socket) => Listener::inherit(self.control, socket),
            None => Listener::open(self.control),
        };
        let listener = kept(listener);
        Some(Ok(Started { reflector, listener }))
    }
}

/// Without the socket a reflector serves, but cannot hand over.
fn kept(listener: Result<Listener, ControlError>) -> Option<Listener> {
    let warn =
        |error: &ControlError| warn!(%error, "the next process will not be able to take over");
    listener.inspect_err(warn).ok()
}
