//! From a socket's bytes to requests.

use super::holds::Holds;
use super::peer::Peer;
use super::read::Flow;
use super::reports::Reported;
use super::runs::{Run, Runs};
use super::{Connections, Slot};
use crate::ids::Moment;
use crate::session::{CloseReason, Pacer, SessionEvent, Skipped, Timing};
use crate::shard::fair::QUANTUM;
use crate::shard::output::Output;
use crate::shard::owners::Owners;
use crate::table::{Announcement, TOGETHER};
use crate::wire::{
    Action, Capabilities, Extensions, Frame, Frames, HEADER_LEN, Hello, Message, Report, Update,
};

/// The number of updates of a run that are sent on together: as many as a table looks up at once, and as many as a peer
/// is served in one turn at most.
pub(super) const ENOUGH: usize = TOGETHER;
const _: () = assert!(ENOUGH <= QUANTUM);

impl Connections {
    /// Takes bytes that a peer sent, cut anywhere. It takes all of them: the caller bounds how many it reads
    /// at a time, which is the budget of a connection in one turn.
    pub(in crate::shard) fn received(
        &mut self,
        now: Moment,
        slot: Slot,
        bytes: &[u8],
        owners: &mut Owners<'_>,
    ) -> Flow {
        self.reading.at = now;
        self.reading.read = self.reading.read.saturating_add(bytes.len());
        let Self { peers, outputs, .. } = self;
        let Some(peer) = peers.get_mut(slot).filter(|peer| !peer.is_closed) else {
            return Flow::Closed;
        };
        if let Some(departure) = &mut peer.departure {
            departure.keep(bytes);
            return Flow::Pause;
        }
        self.counting.stats.bytes_received += bytes.len() as u64;
        let updates = self.counting.stats.updates_received;
        if bytes.len() > HEADER_LEN {
            Self::disturb(outputs, slot, peer);
        }
        peer.counts.heard = now;
        peer.counts.bytes_received += bytes.len() as u64;
        let mut input = std::mem::take(&mut peer.input);
        let runs = std::mem::take(&mut self.runs);
        let mut intake = Intake { now, slot, runs, connections: self, owners };
        let result = intake.frames(input.feed(bytes));
        // After an error the session ends, and the updates that are left would only be withdrawn.
        let result = result.and_then(|()| intake.send_runs());
        let mut runs = intake.runs;
        runs.clear();
        self.runs = runs;
        let peer = &mut self.peers[slot];
        peer.input = input;
        peer.counts.updates_received += self.counting.stats.updates_received - updates;
        let id = peer.id;
        if result.is_ok() {
            self.forget_unused(slot, owners);
        }
        match result {
            Err(reason) => {
                self.close(slot, reason, owners);
                Flow::Closed
            }
            Ok(()) if owners.is_backed_up() || owners.keeps_waiting(id) => {
                self.pause(slot, owners);
                Flow::Pause
            }
            Ok(()) => Flow::Continue,
        }
    }
}

/// One read of a peer while it is taken in.
#[derive(Debug)]
pub(super) struct Intake<'a, 'b> {
    pub(super) now: Moment,
    slot: Slot,
    pub(super) runs: Runs,
    pub(super) connections: &'a mut Connections,
    owners: &'a mut Owners<'b>,
}

impl Intake<'_, '_> {
    pub(super) fn peer(&mut self) -> &mut Peer {
        &mut self.connections.peers[self.slot]
    }

    fn frames(&mut self, mut frames: Frames<'_>) -> Result<(), CloseReason> {
        loop {
            let used = self.usual_updates(frames.rest())?;
            frames.skip(used);
            let Some(frame) = frames.next()? else { return Ok(()) };
            self.frame(&frame)?;
        }
    }

    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), CloseReason> {
        let timing = Timing { keepalive: self.connections.settings.keepalive };
        let now = self.now;
        let mut event = self.peer().session.receive(now, timing, frame)?;
        if self.connections.settings.skip_unusable_next_hops
            && let SessionEvent::Update(Update { action: Action::Add, next_hop, .. }) = &event
            && let Some(flaw) = next_hop.flaw()
        {
            event = SessionEvent::Skipped(Skipped::NextHop(flaw));
        }
        match event {
            SessionEvent::Update(update) => self.update(&update)?,
            SessionEvent::Hello => self.hello()?,
            SessionEvent::Keepalive { established } => self.keepalive(established),
            SessionEvent::Subscribe(vni) => {
                self.before_membership_changes()?;
                self.connections.subscribe(self.slot, vni, self.owners)?;
            }
            SessionEvent::Unsubscribe(vni) => {
                self.before_membership_changes()?;
                self.connections.unsubscribe(self.slot, vni, self.owners);
            }
            SessionEvent::Report(report) => self.report(&report),
            SessionEvent::Nothing => {}
            SessionEvent::Skipped(skipped) => self.skipped(skipped),
        }
        Ok(())
    }

    /// Sends the updates that the peer sent before, so that a change of membership does not overtake them.
    fn before_membership_changes(&mut self) -> Result<(), CloseReason> {
        let Connections { peers, outputs, .. } = &mut *self.connections;
        Connections::disturb(outputs, self.slot, &mut peers[self.slot]);
        self.send_runs()?;
        self.runs.clear();
        Ok(())
    }

    fn keepalive(&mut self, established: bool) {
        let (now, slot) = (self.now, self.slot);
        let Connections { peers, outputs, holds, counting, .. } = &mut *self.connections;
        let peer = &mut peers[slot];
        peer.outbox.control(&Message::Keepalive);
        Connections::mark_ready(outputs, slot, peer);
        if std::mem::take(&mut peer.is_held) {
            outputs.push(Output::Hold(slot, false));
        }
        if let Some(hold) = peer.quiet.keepalive(now, peer.session.interval()) {
            Holds::push(holds, hold.from, slot);
        }
        if established {
            peer.counts.established = Some(now);
            counting.established();
            let about = Box::new(peer.session.peer().clone());
            outputs.push(Output::Established(slot, peer.id, about));
        }
    }

    fn skipped(&mut self, skipped: Skipped) {
        let Connections { peers, outputs, counting, .. } = &mut *self.connections;
        let peer = &mut peers[self.slot];
        let reason = skipped.name();
        *counting.skipped.entry(reason).or_default() += 1;
        let count = peer.counts.rare().skipped.entry(reason).or_default();
        *count += 1;
        if *count == 1 {
            let node = peer.session.peer().node.clone();
            outputs.push(Output::Skipped(self.slot, peer.id, node, skipped));
        }
    }

    fn hello(&mut self) -> Result<(), CloseReason> {
        self.connections.find_class(self.slot)?;
        let Connections { peers, outputs, counting, settings, serving, .. } =
            &mut *self.connections;
        let peer = &mut peers[self.slot];
        counting.stats.sessions += 1;
        outputs.push(Output::Begun(self.slot));
        if settings.pacing && !peer.has(Capabilities::STREAM) {
            peer.pacer = Some(Box::new(Pacer::new(self.now, settings.pacing_limits())));
        }
        let agent = concat!("metalbond/", env!("CARGO_PKG_VERSION"));
        let capabilities =
            if settings.end_of_table { Capabilities::OURS } else { Capabilities::STREAM };
        let extensions = peer
            .session
            .peer()
            .extended
            .then(|| Extensions::new(capabilities, agent, &settings.node).serving(*serving));
        // Like the reference server: its clients use the interval that the server sends.
        let keepalive_interval = settings.keepalive.min(peer.session.wish());
        peer.outbox.control(&Message::Hello(Hello {
            keepalive_interval,
            is_server: true,
            extensions,
        }));
        Connections::mark_ready(outputs, self.slot, peer);
        Ok(())
    }

    #[inline]
    pub(super) fn update(&mut self, update: &Update) -> Result<(), CloseReason> {
        let Update { action, vni, destination, next_hop } = *update;
        let counting = &mut self.connections.counting;
        counting.stats.updates_received += 1;
        counting.removes_received += u64::from(action == Action::Remove);
        let announcement = Announcement { action, destination, next_hop };
        let run = self.runs.place(vni);
        if run.is_of(vni) {
            run.updates.push(announcement);
            if run.updates.len() < ENOUGH {
                return Ok(());
            }
            let mut run = std::mem::take(run);
            let sent = self.send(&mut run);
            *self.runs.place(vni) = run;
            return sent;
        }
        self.first_update(update, announcement)
    }

    /// Takes the first update of a VNI in this read, or the first after updates of another VNI took its place.
    fn first_update(
        &mut self,
        update: &Update,
        announcement: Announcement,
    ) -> Result<(), CloseReason> {
        let Update { action, vni, .. } = *update;
        let class = self.peer().standing.rights.class;
        let max = self.connections.settings.subscriptions_of(class);
        if action == Action::Add {
            self.connections.claim(self.slot, vni, self.owners);
        }
        if !self.peer().memberships.touch(vni, action == Action::Add, max)? {
            self.connections.counting.stats.updates_ignored += 1; // it announces nothing there
            return Ok(());
        }
        let mut run = std::mem::take(self.runs.place(vni));
        let sent = self.send(&mut run);
        run.begin(vni);
        run.updates.push(announcement);
        *self.runs.place(vni) = run;
        sent
    }

    /// Sends the waiting updates of every VNI to its owner.
    fn send_runs(&mut self) -> Result<(), CloseReason> {
        let mut runs = std::mem::take(&mut self.runs);
        let sent = runs.all().try_for_each(|run| self.send(run));
        self.runs = runs;
        sent
    }

    /// Sends the waiting updates of one VNI to its owner.
    fn send(&mut self, run: &mut Run) -> Result<(), CloseReason> {
        let Some(vni) = run.vni().filter(|_| !run.updates.is_empty()) else { return Ok(()) };
        let received = self.connections.reading.at;
        let shard = self.connections.shard;
        let peer = &self.connections.peers[self.slot];
        let origin = peer.origin(shard);
        let settings = &self.connections.settings;
        let room = settings.room_of(origin.rights.class, || peer.memberships.routes_outside(vni));
        match self.owners.updates(origin, vni, &mut run.updates, room, received) {
            Some(counted) => self.connections.count_routes(self.slot, counted),
            None => Ok(()),
        }
    }
}

impl Intake<'_, '_> {
    /// Takes a report of a peer. Reports of VNIs without a subscription are dropped, which bounds their number.
    pub(super) fn report(&mut self, report: &Report) {
        let (now, vni) = (self.now, report.vni);
        let peer = self.peer();
        if peer.has(Capabilities::REPORT) && peer.memberships.subscription(vni).is_some() {
            let reported = Reported::new(report, peer.reported(vni), now);
            peer.counts.rare().reports.insert(vni, reported);
        }
    }
}
