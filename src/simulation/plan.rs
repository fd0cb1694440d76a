//! What one run is like: sizes, bounds and fault rates, drawn from the seed.
//!
//! Swarm testing: each run leaves out about half of the faults, since some bugs only show when
//! nothing else disturbs, and some only when everything does.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::policy::{self, Selections};
use super::rng::Rng;
use crate::shard::{Limits, ShardBounds, ShardConfig};
use crate::wire::{Action, Destination, NextHop, NextHopType, Vni};
use crate::{outbox, table};

/// A route by its places in the pools: VNI, destination, next hop.
pub(super) type Key = (u32, u32, u32);

/// The meaning of a frame for the model, once the shard has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sent {
    Hello,
    Keepalive,
    Subscribe(u32),
    Unsubscribe(u32),
    Update(Action, Key),
    /// A frame that is skipped, and one that ends the session.
    Skipped,
    Bad,
}

/// The number of actions of each kind in a thousand actions of clients.
#[derive(Debug)]
pub(super) struct Rates {
    pub(super) unsubscribe: usize,
    pub(super) resubscribe: usize,
    pub(super) burst: usize,
    pub(super) toggle: usize,
    pub(super) replace: usize,
    pub(super) stuck: usize,
    pub(super) silent: usize,
    pub(super) reset: usize,
    pub(super) close: usize,
    pub(super) bad: usize,
    /// In a thousand steps: how often a move begins, how often all tables and connections go to other shards in the
    /// portable form.
    pub(super) moves: usize,
    pub(super) handovers: usize,
    /// In a thousand beginnings of a move: how often the number of active shards changes. In a thousand steps: how
    /// often a move or handover is given up.
    pub(super) active: usize,
    pub(super) give_up: usize,
    /// In a thousand steps: how often another policy comes into force.
    pub(super) policies: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) shards: usize,
    pub(super) peers: usize,
    pub(super) phases: usize,
    pub(super) steps: usize,
    pub(super) vnis: Vec<Vni>,
    pub(super) destinations: Vec<Destination>,
    pub(super) hops: Vec<NextHop>,
    vni_index: HashMap<Vni, u32>,
    destination_index: HashMap<Destination, u32>,
    hop_index: HashMap<NextHop, u32>,
    pub(super) burst_max: usize,
    /// The number of parcels in a channel between two shards.
    pub(super) parcels: usize,
    /// In a thousand peers: those that set isServer, those that send extensions, and those that the kernel reports on.
    pub(super) servers: usize,
    pub(super) extended: usize,
    pub(super) sighted: usize,
    pub(super) slow: usize,
    pub(super) tiny_pipes: usize,
    /// The routes that clients of each home receive.
    pub(super) selections: Selections,
    /// In a thousand: how often a parcel, or a socket or pipe, moves when it can.
    pub(super) parcel_moves: usize,
    pub(super) socket_moves: usize,
    pub(super) rates: Rates,
    pub(super) settings: ShardConfig,
    /// Whether to print every event.
    pub(super) is_verbose: bool,
}

impl Plan {
    pub(super) fn draw(rng: &mut Rng, is_verbose: bool) -> Self {
        let is_big = rng.chance(120);
        let peers = if is_big { rng.between(4, 8) } else { rng.bound(4, 12, 40) };
        let (dests, hops) = if is_big {
            (rng.between(300, 900), rng.between(1, 4))
        } else {
            (rng.bound(1, 8, 60), rng.bound(1, 4, 20))
        };
        let vnis = rng.between(1, if is_big { 2 } else { 6 });
        let vnis = pool(vnis, || Vni(u32::try_from(rng.between(1, 300)).unwrap_or(1)));
        let destinations = pool(dests, || destination(rng));
        let hops = pool(hops, || next_hop(rng));
        Self {
            is_verbose,
            shards: rng.between(1, 4),
            peers,
            phases: rng.between(1, 4),
            steps: rng.between(50, 500),
            vni_index: index(&vnis),
            destination_index: index(&destinations),
            hop_index: index(&hops),
            burst_max: if is_big { dests } else { rng.bound(2, 10, 60) },
            parcels: rng.bound(1, 3, 16),
            servers: rng.rate(500),
            extended: rng.below(1001),
            sighted: rng.below(1001),
            slow: rng.rate(600),
            tiny_pipes: rng.rate(600),
            selections: policy::selections(rng),
            parcel_moves: rng.between(200, 1000),
            socket_moves: rng.between(100, 1000),
            rates: Rates {
                unsubscribe: rng.rate(40),
                resubscribe: rng.rate(40),
                burst: rng.rate(if is_big { 200 } else { 80 }),
                toggle: rng.rate(150),
                replace: rng.rate(150),
                stuck: rng.rate(40),
                silent: rng.rate(4),
                reset: rng.rate(20),
                close: rng.rate(20),
                bad: rng.rate(8),
                moves: if rng.chance(700) { rng.between(20, 500) } else { 0 },
                handovers: if rng.chance(500) { rng.between(1, 50) } else { 0 },
                active: if rng.chance(500) { rng.between(1, 100) } else { 0 },
                give_up: if rng.chance(500) { rng.between(1, 100) } else { 0 },
                policies: if rng.chance(500) { rng.between(1, 60) } else { 0 },
            },
            settings: settings(rng, is_big),
            vnis,
            destinations,
            hops,
        }
    }

    pub(super) fn key_of(&self, vni: Vni, dest: &Destination, hop: &NextHop) -> Option<Key> {
        let vni = self.vni_index.get(&vni)?;
        Some((*vni, *self.destination_index.get(dest)?, *self.hop_index.get(hop)?))
    }

    pub(super) fn place_of(&self, vni: Vni) -> Option<u32> {
        self.vni_index.get(&vni).copied()
    }

    pub(super) fn show(&self, (vni, dest, hop): Key) -> String {
        let vni = self.vnis[vni as usize];
        let (dest, hop) = (self.destinations[dest as usize], self.hops[hop as usize]);
        format!("VNI {}: {dest} via {hop}", vni.0)
    }

    /// Whether clients may receive one next hop of this kind per destination.
    pub(super) fn is_standard(&self, hop: u32) -> bool {
        self.hops[hop as usize].kind() == NextHopType::Standard
    }

    pub(super) fn show_sent(&self, what: Sent) -> String {
        match what {
            Sent::Update(action, key) => format!("{action:?} {}", self.show(key)),
            Sent::Subscribe(vni) => format!("Subscribe {:?}", self.vnis[vni as usize]),
            Sent::Unsubscribe(vni) => format!("Unsubscribe {:?}", self.vnis[vni as usize]),
            Sent::Hello | Sent::Keepalive | Sent::Skipped | Sent::Bad => format!("{what:?}"),
        }
    }

    pub(super) fn is_default(&self, dest: u32) -> bool {
        self.destinations[dest as usize].is_default()
    }

    /// Whether a peer may be given up because the journal is bounded.
    pub(super) fn gives_up(&self) -> bool {
        self.settings.bounds.table.journal_min < 10_000
    }
}

fn settings(rng: &mut Rng, is_big: bool) -> ShardConfig {
    // Thousands of routes, one by one, would take too long.
    let tiny = if is_big { 100 } else { 1 };
    let budget = rng.bound(tiny, 600, if is_big { 20_000 } else { 4_000 });
    let copy_max = rng.bound(1, 300, 8192);
    ShardConfig {
        keepalive: u32::try_from(rng.between(1, 5)).unwrap_or(1),
        batch_delay: Duration::from_micros(if rng.chance(500) { 0 } else { 500 }),
        send_hold: Duration::from_secs(if rng.chance(200) { 3 } else { 3600 }),
        pacing: rng.chance(700),
        pace: *rng.pick(&[28_000, 1_000_000]),
        limits: Limits {
            routes_per_peer: if rng.chance(100) { 20 } else { 4_000_000 },
            ..Limits::default()
        },
        bounds: ShardBounds {
            table: table::TableBounds {
                next_hops: 4096,
                seal_at: rng.bound(1, 8, 2048) as u64,
                trim_at: rng.bound(1, 50, 4096),
                compact_at: rng.bound(1, 50, 4096),
                journal_min: if rng.chance(150) { rng.between(1, 200) } else { 1 << 20 },
                journal_per_route: 4,
                journal_span: 1 << 28,
                pack_after: u8::try_from(rng.between(0, 8)).unwrap_or(0),
                portion: rng.bound(1, 20, 2048),
                chunk_places: u32::try_from(rng.bound(tiny, tiny + 20, 16_384)).unwrap_or(1),
                chunk_entries: rng.bound(tiny, tiny + 20, 16_384) as u64,
                cached_chunks: rng.bound(1, 4, 32),
            },
            outbox: outbox::OutboxBounds {
                budget,
                low_water: rng.bound(tiny, 400, 3_000).min(budget),
                copy_max,
                write_max: copy_max + rng.bound(0, 300, 65_536),
            },
            request_room: rng.bound(tiny, tiny + 30, 8192),
            delivery_room: rng.bound(1, 10, 1024),
            work_per_turn: rng.bound(tiny, tiny + 50, 16_384),
            read_per_turn: rng.bound(500, 4_000, 512 * 1024),
            unused_vnis: rng.bound(0, 2, 64),
        },
        // As long as possible in some runs, so that the HELLO is at its longest.
        node: "n".repeat(rng.bound(0, 5, 255)),
        ..ShardConfig::default()
    }
}

/// Up to `len` different values.
fn pool<T: PartialEq>(len: usize, mut draw: impl FnMut() -> T) -> Vec<T> {
    let mut pool = Vec::new();
    for _ in 0..len {
        let one = draw();
        if !pool.contains(&one) {
            pool.push(one);
        }
    }
    pool
}

fn index<T: Copy + Eq + std::hash::Hash>(pool: &[T]) -> HashMap<T, u32> {
    pool.iter().copied().zip(0..).collect()
}

fn destination(rng: &mut Rng) -> Destination {
    let host = u8::try_from(rng.below(4)).unwrap_or(0); // host bits below the prefix are kept
    let (addr, len) = match rng.below(12) {
        0 => (IpAddr::V4(Ipv4Addr::new(0, 0, 0, host)), 0),
        1 => (IpAddr::V6(Ipv6Addr::from(u128::from(host))), 0),
        2..=7 => {
            let [a, b] = [rng.below(8), rng.below(256)].map(|n| u8::try_from(n).unwrap_or(0));
            (IpAddr::V4(Ipv4Addr::new(10, a, b, host)), *rng.pick(&[8, 24, 31, 32]))
        }
        _ => {
            let low = rng.below(1000) as u128;
            let addr = (0x2001_0db8_u128 << 96) | (low << 16) | u128::from(host);
            (IpAddr::V6(Ipv6Addr::from(addr)), *rng.pick(&[1, 48, 64, 127, 128]))
        }
    };
    Destination::new(addr, len).expect("a valid prefix")
}

fn next_hop(rng: &mut Rng) -> NextHop {
    let low = rng.below(4) as u128;
    let address = if rng.chance(200) {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, u8::try_from(low).unwrap_or(0)))
    } else {
        IpAddr::V6(Ipv6Addr::from((0xfd00_u128 << 112) | low))
    };
    match rng.below(4) {
        0 => {
            let from = u32::try_from(rng.below(3) * 1024).unwrap_or(0);
            NextHop::new(address, 0, NextHopType::Nat, from, from + 1023).expect("a valid range")
        }
        1 => NextHop::new(address, 0, NextHopType::LoadBalancerTarget, 0, 0).expect("no ports"),
        2 => {
            let [vni, to] = [*rng.pick(&[0, 7]), *rng.pick(&[0, 1, 2])];
            NextHop::new(address, vni, NextHopType::Standard, 0, to).expect("no range")
        }
        _ => NextHop::standard(address),
    }
}
