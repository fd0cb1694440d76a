//! A link, the owners of its VNIs, and what it sends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ahash::RandomState;
use bytes::Bytes;

use crate::federation::link::envelope::{Content, Envelope};
use crate::federation::link::form::control::Kind;
use crate::federation::link::form::{Heartbeat, Interest};
use crate::federation::link::{
    Address, BusSource, Link, LinkEvent, LinkSettings, Outgoing, Output, SiteStatus,
};
use crate::ids::link::EXPORTER;
use crate::ids::{Moment, PeerId, ShardId};
use crate::shard::{Counted, Delivery, Request};
use crate::table::Chunk;
use crate::wire::{Action, Destination, NextHop, Vni, encode_update};

pub(super) const VNI: Vni = Vni(7);
const HERE: &str = "here";

/// Another site, which lives while it is listed.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    pub(super) site: &'static str,
    pub(super) epoch: u64,
    pub(super) is_warming: bool,
    pub(super) heartbeats: u64,
}

impl Fake {
    pub(super) fn new(site: &'static str, epoch: u64) -> Self {
        Self { site, epoch, is_warming: false, heartbeats: 0 }
    }
}

type Held = BTreeSet<(Destination, NextHop)>;

/// See the module's documentation.
pub(super) struct Scene {
    pub(super) link: Link,
    pub(super) now: Moment,
    pub(super) fakes: Vec<Fake>,
    /// The routes of each peer of the link.
    held: BTreeMap<(PeerId, Vni), Held>,
    /// VNIs of which answerers get no chunks.
    pub(super) stuck: BTreeSet<Vni>,
    pub(super) events: Vec<LinkEvent>,
    pub(super) sent: Vec<(Address, Content)>,
}

impl Scene {
    /// A link that is connected.
    pub(super) fn new(settings: impl FnOnce(&mut LinkSettings)) -> Self {
        Self::of(HERE, 5_000_000, settings)
    }

    pub(super) fn of(site: &str, wall: u64, change: impl FnOnce(&mut LinkSettings)) -> Self {
        let now = Moment(1_000_000);
        let mut settings = LinkSettings::new(site);
        (settings.listening, settings.warming) = (Duration::ZERO, Duration::ZERO);
        change(&mut settings);
        let link = Link::new(settings, ShardId(1), RandomState::with_seeds(1, 2, 3, 4), now, wall);
        let mut scene = Self {
            link,
            now,
            fakes: Vec::new(),
            held: BTreeMap::new(),
            stuck: BTreeSet::new(),
            events: Vec::new(),
            sent: Vec::new(),
        };
        scene.link.connected(now);
        scene.serve();
        scene
    }

    /// A client here wants a VNI.
    pub(super) fn want(&mut self, vni: Vni, is_wanted: bool) {
        let wanted = Delivery::Wanted { vni, is_wanted, is_used: false };
        self.link.delivered(self.now, &wanted);
        self.serve();
    }

    /// A message of another site.
    pub(super) fn hear(&mut self, site: &str, epoch: u64, content: Content) {
        let source = match &content {
            Content::Delta { vni, .. } | Content::Tail { vni, .. } => BusSource::Vni(site, *vni),
            Content::Chunk { .. } => BusSource::Site(site),
            Content::Control(_) => BusSource::All(site),
        };
        let payload = Envelope { epoch, sent: 0, content }.encode();
        self.link.received(self.now, source, payload);
        self.serve();
    }

    /// Time passes. Sites that live send heartbeats.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            if self.now.0.is_multiple_of(1_000_000) {
                for at in 0..self.fakes.len() {
                    self.beat(at);
                }
            }
            self.now = self.now + Duration::from_millis(100);
            self.serve();
        }
    }

    fn beat(&mut self, at: usize) {
        let fake = &mut self.fakes[at];
        fake.heartbeats += 1;
        let Fake { site, epoch, is_warming: warming, heartbeats: number } = fake.clone();
        let heartbeat = Heartbeat { number, warming, ..Heartbeat::default() };
        self.hear(site, epoch, Content::Control(Kind::Heartbeat(heartbeat)));
    }

    /// A site wants a VNI.
    pub(super) fn interest(&mut self, site: &str, epoch: u64, vni: Vni) {
        let interest = Interest { generation: 1, vni_steps: vec![vni.0] };
        self.hear(site, epoch, Content::Control(Kind::Interest(interest)));
    }

    /// The link and the owners work until nothing more happens.
    pub(super) fn serve(&mut self) {
        for _ in 0..100 {
            self.link.turn(self.now);
            let mut is_over = true;
            while let Some(output) = self.link.poll() {
                is_over = false;
                match output {
                    Output::Request(request) => self.request(request),
                    Output::Event(event) => self.events.push(event),
                    Output::Listen(_) | Output::Ignore(_) => {}
                }
            }
            while let Some(Outgoing { to, payload }) = self.link.next_message() {
                is_over = false;
                self.sent.push((to, Envelope::decode(payload).expect("its own message").content));
            }
            if is_over {
                return;
            }
        }
        panic!("the link does not come to rest");
    }

    fn request(&mut self, request: Request) {
        let answer = match request {
            Request::Updates { origin, vni, updates, .. } => {
                let held = self.held.entry((origin.peer, vni)).or_default();
                let before = held.len();
                for update in updates {
                    let route = (update.destination, update.next_hop);
                    match update.action {
                        Action::Add => held.insert(route),
                        Action::Remove => held.remove(&route),
                    };
                }
                (held.len() != before).then(|| counted(origin.peer, vni, held.len()))
            }
            Request::Leave { peer, vni } => {
                let held = self.held.remove(&(peer, vni)).unwrap_or_default();
                (!held.is_empty()).then(|| counted(peer, vni, 0))
            }
            Request::Mark { origin, vni, number } => {
                Some(Delivery::Marked { peer: origin.peer, vni, number })
            }
            Request::Pull { peer, vni, subscription, .. }
                if peer == EXPORTER || !self.stuck.contains(&vni) =>
            {
                let chunk = Chunk { batch: None, end_of_table: true, in_sync: true };
                Some(Delivery::Chunk { peer, vni, subscription, chunk })
            }
            _ => None,
        };
        if let Some(answer) = answer {
            self.link.delivered(self.now, &answer);
        }
    }

    /// The number of the other sites' routes here.
    pub(super) fn routes(&self) -> usize {
        self.held.values().flatten().collect::<BTreeSet<_>>().len()
    }

    pub(super) fn status(&self) -> SiteStatus {
        self.link.status().sites.remove(0)
    }

    /// The number of the latest snapshot request.
    pub(super) fn inbox(&self) -> u64 {
        let inbox = self.sent.iter().rev().find_map(|(_, content)| match content {
            Content::Control(Kind::SnapshotRequest(request)) => Some(request.inbox),
            _ => None,
        });
        inbox.expect("a request")
    }

    /// A site answers the latest request with a chunk of a VNI.
    pub(super) fn answer(
        &mut self,
        of: (&str, u64),
        sequence: u64,
        frames: Bytes,
        end: Option<u64>,
    ) {
        let (site, epoch) = of;
        let inbox = self.inbox();
        self.hear(site, epoch, Content::Chunk { vni: VNI, sequence, inbox, end, frames });
    }
}

fn counted(peer: PeerId, vni: Vni, routes: usize) -> Delivery {
    let routes = u32::try_from(routes).expect("few routes");
    Delivery::Announced { peer, counted: Counted::change(vni, 1, routes) }
}

/// Updates of routes by their numbers.
pub(super) fn frames(action: Action, numbers: std::ops::Range<u8>) -> Bytes {
    let mut bytes = Vec::new();
    for number in numbers {
        let destination = Destination::new([10, 0, number, 0].into(), 24).expect("a prefix");
        let hop = NextHop::standard(std::net::Ipv6Addr::LOCALHOST.into());
        encode_update(&mut bytes, action, VNI, &destination, &hop);
    }
    bytes.into()
}

/// Two links exchange all messages.
pub(super) fn exchange(one: &mut Scene, other: &mut Scene) {
    loop {
        let mut is_over = true;
        for _ in 0..2 {
            let (from, to) = (&mut *one, &mut *other);
            let (site, epoch) = (from.link.settings.site.clone(), from.link.epoch);
            for (_, content) in std::mem::take(&mut from.sent) {
                is_over = false;
                to.hear(&site, epoch, content);
            }
            std::mem::swap(one, other);
        }
        if is_over {
            return;
        }
    }
}
