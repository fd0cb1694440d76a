//! A simulated peer: what it sends, the pipes between it and its shard, and what it makes of the
//! bytes that it reads.
//!
//! Everything the peer believes it derives from its byte stream alone, with one exception: when an
//! UNSUBSCRIBE and a SUBSCRIBE cross updates on their way, no client can tell old updates from new.
//! The simulation can: it notes how many bytes had been handed to the connection when the shard took
//! in the UNSUBSCRIBE or SUBSCRIBE. Updates of that VNI *before* that point of the stream belong to
//! the subscription that ended and are the only ones tolerated; behind it all is exact.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use super::model::{Model, Reader};
use super::plan::{Key, Plan, Sent};
use super::policy;
use super::rng::Rng;
use crate::ids::{Moment, PeerId};
use crate::outbox::OutBuf;
use crate::policy::{Echo, Selection};
use crate::session::{CloseReason, LOW_WATER};
use crate::shard::Slot;
use crate::table::FIRSTS_MAX;
use crate::wire::{
    Action, Capabilities, Extensions, Handshake, Hello, Message, Phase, Reassembly, Side, Update,
    Vni,
};

/// The kind of a peer; fixed for its life.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) is_server: bool,
    pub(super) extensions: Option<Capabilities>,
    pub(super) interval: u32,
    /// Its home, and its address there.
    pub(super) from: (usize, IpAddr),
    /// The segment size, if the kernel reports on the connection.
    pub(super) mss: Option<u32>,
    /// The number of bytes that fit between the shard and the peer.
    pub(super) capacity: usize,
    /// The number of bytes that it reads at once.
    pub(super) read_max: usize,
    /// By next hop: whether it receives its own routes back, and whether it receives them in a dump.
    own: Vec<bool>,
    own_in_dump: Vec<bool>,
    /// Whether it receives one next hop of each destination.
    pub(super) one_next_hop: bool,
}

impl Profile {
    pub(super) fn draw(rng: &mut Rng, plan: &Plan) -> Self {
        let extensions = rng
            .chance(plan.extended)
            .then(|| Capabilities(u32::try_from(rng.below(4)).unwrap_or(0)));
        let capacity = if rng.chance(plan.tiny_pipes) { rng.between(1, 200) } else { 65_536 };
        let (is_server, from) = (rng.chance(plan.servers), policy::address(rng));
        let selection = if is_server { Selection::default() } else { plan.selections[from.0] };
        let Selection { echo, one_next_hop } = selection;
        let returns = |echo: Echo| {
            plan.hops.iter().map(|hop| echo.returns(Action::Add, hop.kind())).collect()
        };
        Self {
            own: returns(echo),
            own_in_dump: returns(echo.in_dump()),
            one_next_hop,
            is_server,
            extensions,
            from,
            interval: u32::try_from(rng.between(1, 5)).unwrap_or(1),
            mss: rng.chance(plan.sighted).then(|| *rng.pick(&[536, 1400, 8940])),
            capacity,
            read_max: if rng.chance(plan.slow) { rng.between(1, 300) } else { 100_000 },
        }
    }

    pub(super) fn has(&self, capability: Capabilities) -> bool {
        self.extensions.is_some_and(|has| has.contains(capability))
    }
}

/// One subscription, from the moment that the shard took in the SUBSCRIBE.
#[derive(Debug)]
pub(super) struct Subscription {
    /// The place in the byte stream at which it begins.
    from: u64,
    pub(super) view: BTreeSet<(u32, u32)>,
    /// Routes that the dump must cover unless they are withdrawn meanwhile.
    pub(super) due: BTreeSet<(u32, u32)>,
    began_bulk: bool,
    pub(super) ended_dump: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: PeerId,
    pub(super) shard: usize,
    pub(super) slot: Slot,
    pub(super) profile: Profile,

    /// Bytes sent and not yet taken in by the shard; and the meaning of each of their frames, by the frame's end.
    pub(super) outgoing: VecDeque<u8>,
    sent: u64,
    processed: u64,
    script: VecDeque<(u64, Sent)>,
    /// Routes that it remembers having announced.
    pub(super) mine: Vec<Key>,

    /// The write in flight and how much of it has gone into the pipe.
    pub(super) in_flight: Option<(OutBuf, usize)>,
    pub(super) pipe: VecDeque<u8>,
    /// Bytes that the shard has handed out, and bytes that the peer has read.
    pub(super) handed: u64,
    pub(super) read: u64,
    input: Reassembly,
    pub(super) wake: Option<Moment>,
    /// Bytes of a write that another shard had begun, to come next.
    pub(super) rest: u64,
    /// Whether it is on its way to another shard: no shard has its connection.
    pub(super) is_travelling: bool,
    /// Whether bytes of it were read that its next shard must take in.
    pub(super) has_kept: bool,

    pub(super) is_paused: bool,
    /// Whether its socket wakes no shard for a KEEPALIVE.
    pub(super) is_held: bool,
    pub(super) is_silent: bool,
    /// Whether neither the pipe moves nor the peer reads.
    pub(super) is_frozen: bool,
    pub(super) stuck_until: Moment,
    pub(super) next_keepalive: Moment,

    pub(super) has_said_hello: bool,
    /// When the shard last heard of it, by the shard's clock.
    pub(super) heard: Moment,
    /// That moment, or the moment when the shard last declined to read, if that is later.
    pub(super) unread_until: Moment,
    pub(super) last_write: Moment,
    /// When it had last read as much as shows that a paced client reads, and the bytes that it had read in all by then.
    pub(super) took: (Moment, u64),
    /// The number of KEEPALIVEs that the shard has taken in and not answered.
    pub(super) unanswered: usize,
    pub(super) handshake: Handshake,
    pub(super) expected_end: Option<CloseReason>,
    pub(super) sent_bad: bool,
    pub(super) subscriptions: BTreeMap<u32, Subscription>,
    /// The place in the byte stream at which the last subscription of a VNI ended.
    ended: BTreeMap<u32, u64>,
    /// The route about which no update may come, if there is one.
    pub(super) quiet_about: Option<Key>,
}

impl Client {
    pub(super) fn new(id: PeerId, shard: usize, slot: Slot, profile: Profile, now: Moment) -> Self {
        Self {
            id,
            shard,
            slot,
            profile,
            outgoing: VecDeque::new(),
            sent: 0,
            processed: 0,
            script: VecDeque::new(),
            mine: Vec::new(),
            in_flight: None,
            pipe: VecDeque::new(),
            handed: 0,
            read: 0,
            input: Reassembly::default(),
            wake: None,
            rest: 0,
            is_travelling: false,
            has_kept: false,
            is_paused: false,
            is_held: false,
            is_silent: false,
            is_frozen: false,
            stuck_until: now,
            next_keepalive: now,
            has_said_hello: false,
            heard: now,
            unread_until: now,
            last_write: now,
            took: (now, 0),
            unanswered: 0,
            handshake: Handshake::new(Side::Leaf),
            expected_end: None,
            sent_bad: false,
            subscriptions: BTreeMap::new(),
            ended: BTreeMap::new(),
            quiet_about: None,
        }
    }

    /// The client as a reader of changes.
    pub(super) fn reader(&self) -> Reader<'_> {
        let Profile { is_server, own, .. } = &self.profile;
        Reader { peer: self.id, is_server: *is_server, own }
    }

    /// The client as a reader of a dump.
    pub(super) fn dump_reader(&self) -> Reader<'_> {
        Reader { own: &self.profile.own_in_dump, ..self.reader() }
    }

    /// Whether it receives its own routes with a next hop only in a dump, so that the model can't tell which of them it
    /// has.
    pub(super) fn is_vague(&self, hop: u32) -> bool {
        self.profile.own_in_dump[hop as usize] && !self.profile.own[hop as usize]
    }

    /// Puts a message on its way.
    pub(super) fn send(&mut self, plan: &Plan, what: Sent) {
        let vni = |place: u32| plan.vnis[place as usize];
        let message = match what {
            Sent::Hello => Message::Hello(Hello {
                keepalive_interval: self.profile.interval,
                is_server: self.profile.is_server,
                extensions: self.profile.extensions.map(|c| Extensions::new(c, "sim", "")),
            }),
            Sent::Keepalive | Sent::Skipped | Sent::Bad => Message::Keepalive,
            Sent::Subscribe(place) => Message::Subscribe(vni(place)),
            Sent::Unsubscribe(place) => Message::Unsubscribe(vni(place)),
            Sent::Update(action, (place, dest, hop)) => Message::Update(Update {
                action,
                vni: vni(place),
                destination: plan.destinations[dest as usize],
                next_hop: plan.hops[hop as usize],
            }),
        };
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        self.send_raw(&bytes, what);
    }

    pub(super) fn send_raw(&mut self, bytes: &[u8], what: Sent) {
        self.outgoing.extend(bytes);
        self.sent += bytes.len() as u64;
        self.script.push_back((self.sent, what));
    }

    /// Whether its socket wakes the shard.
    pub(super) fn has_news(&self) -> bool {
        self.outgoing.len() >= if self.is_held { LOW_WATER } else { 1 }
    }

    /// The state of its connection, in words.
    pub(super) fn unsettled(&self) -> String {
        let Self { id, outgoing, pipe, in_flight, is_held, is_paused, is_frozen, .. } = self;
        let (outgoing, pipe, in_flight) = (outgoing.len(), pipe.len(), in_flight.is_some());
        format!(
            "{id}: {outgoing} bytes for the shard, {pipe} in the pipe, in flight {in_flight}, held {is_held}, \
             paused {is_paused}, frozen {is_frozen}"
        )
    }

    /// The next bytes for the shard.
    pub(super) fn take_outgoing(&mut self, len: usize) -> Vec<u8> {
        self.processed += len as u64;
        self.outgoing.drain(..len).collect()
    }

    /// The next message that the shard has taken in with these bytes, one at a time.
    pub(super) fn next_processed(&mut self) -> Option<Sent> {
        let (end, _) = self.script.front()?;
        if *end > self.processed {
            return None;
        }
        self.script.pop_front().map(|(_, what)| what)
    }

    /// The shard has taken in a message.
    pub(super) fn hear(&mut self, now: Moment) {
        (self.heard, self.unread_until) = (now, now);
    }

    /// The shard has closed the session: it may notice bad bytes before all of them have arrived.
    pub(super) fn is_next_bad(&mut self) {
        self.sent_bad |= matches!(self.script.front(), Some((_, Sent::Bad)));
    }

    /// The shard has taken in a SUBSCRIBE.
    pub(super) fn subscribed(&mut self, vni: u32, due: BTreeSet<(u32, u32)>) {
        // The rest of a write that another shard had begun goes first.
        let from = self.handed + self.rest;
        self.subscriptions.entry(vni).or_insert_with(|| Subscription {
            from,
            view: BTreeSet::new(),
            due,
            began_bulk: false,
            ended_dump: false,
        });
    }

    /// The shard has taken in an UNSUBSCRIBE; `false` if there was no subscription.
    pub(super) fn unsubscribed(&mut self, vni: u32) -> bool {
        if self.subscriptions.remove(&vni).is_none() {
            return false;
        }
        self.ended.insert(vni, self.handed + self.rest);
        true
    }

    /// Reads bytes from the pipe.
    pub(super) fn read(&mut self, plan: &Plan, model: &Model, len: usize) -> Result<(), String> {
        let bytes: Vec<u8> = self.pipe.drain(..len).collect();
        let mut input = std::mem::take(&mut self.input);
        let mut at = self.read - input.kept() as u64;
        self.read += len as u64;
        let mut frames = input.feed(&bytes);
        while let Some(frame) = frames.next().map_err(|error| format!("bad stream: {error}"))? {
            let message = Message::decode(&frame).map_err(|error| format!("bad frame: {error}"))?;
            if plan.is_verbose {
                println!("{:>10} {} gets {message:?}", "", self.id);
            }
            self.message(plan, model, at, &message)?;
            at += frame.len() as u64;
        }
        self.input = input;
        Ok(())
    }

    fn message(
        &mut self,
        plan: &Plan,
        model: &Model,
        at: u64,
        message: &Message,
    ) -> Result<(), String> {
        let had_hello = self.handshake.phase() != Phase::AwaitingHello;
        self.handshake.take(message.kind()).map_err(|breach| breach.to_string())?;
        match message {
            Message::Hello(hello) => {
                if had_hello {
                    return Err("a second HELLO".into());
                }
                // A peer shows that it knows extensions by the name of its agent, if by nothing else.
                if hello.extensions.is_some() != self.profile.extensions.is_some() {
                    return Err(format!("{hello:?} to a peer that sent {:?}", self.profile));
                }
                Ok(())
            }
            Message::Keepalive => Ok(()),
            Message::Update(update) => self.update(plan, model, at, update),
            Message::EndOfTable(vni) => self.end_of_table(plan, at, *vni),
            Message::Subscribe(_)
            | Message::Unsubscribe(_)
            | Message::Goodbye
            | Message::Report(_) => Err(format!("got {message:?}")),
        }
    }

    fn update(
        &mut self,
        plan: &Plan,
        model: &Model,
        at: u64,
        update: &Update,
    ) -> Result<(), String> {
        let Update { action, vni, destination, next_hop } = update;
        let Some(key) = plan.key_of(*vni, destination, next_hop) else {
            return Err(format!("nobody ever announced {update:?}"));
        };
        let (place, dest, hop) = key;
        let ended = self.ended.get(&place).is_some_and(|ended| at < *ended);
        let is_vague = self.is_vague(hop) && model.has_announced(self.id, key).0;
        let was_owed = model.was_ever_owed(self.dump_reader(), key);
        let Some(subscription) = self.subscriptions.get_mut(&place).filter(|s| at >= s.from) else {
            return if ended { Ok(()) } else { Err(format!("not subscribed to: {update:?}")) };
        };
        if !was_owed {
            return Err(format!("was never owed {action:?} {}", plan.show(key)));
        }
        if self.quiet_about == Some(key) {
            return Err(format!("nothing new in {action:?} {}", plan.show(key)));
        }
        if self.profile.one_next_hop && *action == Action::Add && plan.is_standard(hop) {
            let mut others = subscription.view.range((dest, 0)..=(dest, u32::MAX));
            if let Some((_, other)) = others.find(|(_, other)| plan.is_standard(*other)) {
                let has = plan.show((place, dest, *other));
                return Err(format!("{} beside {has}", plan.show(key)));
            }
        }
        match action {
            Action::Add => {
                if !subscription.view.insert((dest, hop)) && !is_vague {
                    return Err(format!("repeated ADD {}", plan.show(key)));
                }
                if !plan.is_default(dest) && !std::mem::replace(&mut subscription.began_bulk, true)
                {
                    let Subscription { due, view, .. } = &*subscription;
                    let late = due.iter().find(|r| plan.is_default(r.0) && !view.contains(r));
                    // A dump begins with a bounded number of default routes; further ones come in any order.
                    let defaults = || model.ever(place, |dest| plan.is_default(dest));
                    if let Some((dest, hop)) = late
                        && defaults() <= FIRSTS_MAX
                    {
                        let late = plan.show((place, *dest, *hop));
                        return Err(format!("{} before {late}", plan.show(key)));
                    }
                }
            }
            Action::Remove => {
                if !subscription.view.remove(&(dest, hop)) && !is_vague {
                    return Err(format!("REMOVE of unknown {}", plan.show(key)));
                }
            }
        }
        Ok(())
    }

    fn end_of_table(&mut self, plan: &Plan, at: u64, vni: Vni) -> Result<(), String> {
        if !self.profile.has(Capabilities::END_OF_TABLE) {
            return Err("END_OF_TABLE to a peer that does not know it".into());
        }
        let Some(place) = plan.place_of(vni) else { return Err(format!("END_OF_TABLE {vni:?}")) };
        let ended = self.ended.get(&place).is_some_and(|ended| at < *ended);
        let Some(subscription) = self.subscriptions.get_mut(&place).filter(|s| at >= s.from) else {
            return if ended { Ok(()) } else { Err(format!("END_OF_TABLE {vni:?} unasked")) };
        };
        if std::mem::replace(&mut subscription.ended_dump, true) {
            return Err(format!("a second END_OF_TABLE {vni:?}"));
        }
        let Subscription { due, view, .. } = &*subscription;
        if let Some((dest, hop)) = due.difference(view).next() {
            return Err(format!("END_OF_TABLE without {}", plan.show((place, *dest, *hop))));
        }
        Ok(())
    }
}
