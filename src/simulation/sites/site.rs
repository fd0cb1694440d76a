//! A site: shards, a link on the last of them, and clients.

use std::collections::VecDeque;

use ahash::RandomState;
use bytes::Bytes;

use super::client::Client;
use super::plan::Plan;
use crate::federation::link::{Link, LinkSettings, Output as LinkOutput};
use crate::ids::{Moment, PeerId, ShardId};
use crate::session::CloseReason;
use crate::shard::moves::{Answer, MoveCommand, MoveOrder};
use crate::shard::{
    Delivery, GuestKind, Layout, Output, Request, Shard, ShardConfig, Slot, Traveller,
};
use crate::simulation::Rng;

/// The parcels on their way from one shard to another.
#[derive(Debug, Default)]
struct Channel {
    requests: VecDeque<Vec<Request>>,
    deliveries: VecDeque<Vec<Delivery>>,
}

/// The process of a site.
#[derive(Debug)]
pub(super) struct Process {
    /// Its shards; the last owns no VNI.
    pub(super) shards: Vec<Shard>,
    channels: Vec<Vec<Channel>>,
    pub(super) link: Link,
    pub(super) is_connected: bool,
    /// Connections that have arrived at shards: peer, shard and slot.
    pub(super) arrived: Vec<(PeerId, usize, Slot)>,
    /// Answers of shards about a handover.
    pub(super) answers: VecDeque<(ShardId, Answer<Traveller>)>,
    /// The number of messages that its connection takes at a time.
    pub(super) takes: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) process: Option<Process>,
    pub(super) clients: Vec<Client>,
    /// The moment until which it stands still.
    pub(super) frozen_until: Moment,
    /// The moment at which it starts again.
    pub(super) starts_at: Option<Moment>,
    /// The moment at which it ends.
    pub(super) ends_at: Option<Moment>,
    /// The moment at which its connection comes back.
    pub(super) connects_at: Option<Moment>,
    /// The number of messages that came while it stood still.
    pub(super) missed: usize,
}

impl Site {
    pub(super) fn is_frozen(&self, now: Moment) -> bool {
        self.frozen_until > now
    }
}

impl Process {
    pub(super) fn new(plan: &Plan, settings: LinkSettings, rng: &mut Rng, now: Moment) -> Self {
        let layout = Layout::of(plan.shards).hosting(Some(GuestKind::Federation));
        let seeds = [rng.next(), rng.next(), rng.next(), rng.next()];
        let mut config = ShardConfig { keepalive: 3600, ..ShardConfig::default() };
        config.bounds.outbox.low_water = plan.low_water;
        config.bounds.work_per_turn = plan.work_per_turn;
        let shard = |id| Shard::new(id, layout, config.clone(), seeds, now);
        let count = layout.all();
        let [a, b, c, d] = seeds;
        let hasher = RandomState::with_seeds(a, b, c, d);
        let channels = || (0..count).map(|_| Channel::default()).collect();
        // Clocks of sites differ, and a later process has a later clock.
        let wall = now.0 + 1_700_000_000_000_000;
        let place = layout.guest().map_or(ShardId(0), |guest| guest.0);
        Self {
            shards: ShardId::first(count).map(shard).collect(),
            channels: (0..count).map(|_| channels()).collect(),
            link: Link::new(settings, place, hasher, now, wall),
            is_connected: false,
            arrived: Vec::new(),
            answers: VecDeque::new(),
            takes: 1000,
        }
    }

    fn link_shard(&self) -> usize {
        self.shards.len() - 1
    }

    /// One round of every shard, and of the link. Returns whether messages are on their way between them.
    pub(super) fn round(&mut self, rng: &mut Rng, now: Moment) -> (bool, Vec<LinkOutput>) {
        let count = self.shards.len();
        let first = rng.below(count);
        for to in (0..count).map(|place| (first + place) % count) {
            self.take_in(rng, to, now);
            self.shards[to].turn(now);
            self.shards[to].outputs();
            while let Some(output) = self.shards[to].poll() {
                self.heed(now, to, output);
            }
            self.send_out(to);
        }
        let outputs = self.turn_link(now);
        self.send_out(self.link_shard());
        let is_busy = self
            .channels
            .iter()
            .flatten()
            .any(|channel| !channel.requests.is_empty() || !channel.deliveries.is_empty())
            || self.shards.iter().any(|shard| !shard.is_flushed());
        (is_busy, outputs)
    }

    fn heed(&mut self, now: Moment, shard: usize, output: Output) {
        let id = ShardId::at(shard);
        match output {
            Output::Closed(closed) => {
                assert_eq!(closed.reason, CloseReason::PeerClosed);
                self.shards[shard].release(closed.slot);
            }
            Output::Leaves(slot) => {
                if let Some(connection) = self.shards[shard].leave(now, slot, Bytes::new()) {
                    self.answers.push_back((id, Answer::Moves { connection }));
                }
            }
            Output::Answer(answer) => self.answers.push_back((id, answer.widen())),
            _ => {}
        }
    }

    /// Carries out commands to shards, and to the link beside them.
    pub(super) fn obey(&mut self, now: Moment, commands: Vec<(ShardId, MoveCommand<Traveller>)>) {
        for (shard, command) in commands {
            let place = shard.index();
            match command {
                MoveCommand::Order(order) => {
                    if place == self.link_shard() {
                        match order {
                            MoveOrder::Freeze { .. } => self.link.freeze(now),
                            MoveOrder::Thaw { .. } => self.link.thaw(now),
                            _ => {}
                        }
                    }
                    self.shards[place].order(now, order);
                }
                MoveCommand::Adopt { number, connection } => {
                    let peer = connection.peer();
                    let slot = self.shards[place].arrive(now, connection);
                    self.arrived.push((peer, place, slot));
                    self.answers.push_back((shard, Answer::Arrived { number }));
                }
            }
        }
    }

    fn turn_link(&mut self, now: Moment) -> Vec<LinkOutput> {
        let mut others = Vec::new();
        let place = self.link_shard();
        self.link.judge_by(self.shards[place].policy());
        self.link.turn(now);
        while let Some(output) = self.link.poll() {
            match output {
                LinkOutput::Request(request) => self.shards[place].request(request),
                other => others.push(other),
            }
        }
        others
    }

    fn take_in(&mut self, rng: &mut Rng, to: usize, now: Moment) {
        for from in 0..self.shards.len() {
            let link_shard = self.link_shard();
            let Self { shards, channels, link, .. } = self;
            let (shard, channel) = (&mut shards[to], &mut channels[from][to]);
            while rng.chance(700)
                && shard.takes_requests()
                && let Some(parcel) = channel.requests.pop_front()
            {
                shard.requests(parcel);
            }
            while rng.chance(700)
                && let Some(parcel) = channel.deliveries.pop_front()
            {
                if to == link_shard {
                    parcel.iter().for_each(|delivery| link.delivered(now, delivery));
                }
                shard.deliveries(now, parcel);
            }
        }
    }

    fn send_out(&mut self, from: usize) {
        for to in (0..self.shards.len()).filter(|to| *to != from) {
            let Self { shards, channels, .. } = self;
            let (shard, channel) = (&mut shards[from], &mut channels[from][to]);
            if let Some(parcel) = shard.take_requests(ShardId::at(to)) {
                channel.requests.push_back(parcel);
            }
            if let Some(parcel) = shard.take_deliveries(ShardId::at(to)) {
                channel.deliveries.push_back(parcel);
            }
        }
    }
}
