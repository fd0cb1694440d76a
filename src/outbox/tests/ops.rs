//! Any sequence of operations, any bounds: whole frames, every update exact, every view what the
//! model says. Run by the property and by fuzzing.

use super::world::{PEERS, VNIS, World};
use crate::fuzzing::{Code, Head, pick};
use crate::outbox;
use crate::table;
use crate::wire::{Action, Capabilities, Extensions, Hello, Message, Vni};

/// The bounds of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpBounds {
    pub(super) outbox: outbox::OutboxBounds,
    pub(super) table: table::TableBounds,
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// Changes `count` destinations from `first` on, by one next hop.
    Change {
        peer: u64,
        vni: Vni,
        action: Action,
        first: u8,
        count: u8,
        hop: u16,
    },
    /// Seals a batch and offers it to all subscribers.
    Flush(Vni),
    Subscribe(u64, Vni),
    /// UNSUBSCRIBE, which also ends the peer's routes.
    Unsubscribe(u64, Vni),
    /// The next chunk, if the peer is behind.
    Pull(u64, Vni, usize),
    /// The next write of an outbox as it is.
    Write(u64),
    /// The next write of an outbox, with at most this many bytes.
    Record(u64, usize),
    Control(u64, Message),
    Work(Vni, usize),
    Trim(Vni),
    Wait,
}

pub(crate) fn decode([kind, who, a, b]: Code) -> Op {
    let peer = pick(&PEERS, who >> 1);
    let vni = pick(&VNIS, who);
    let change = |action| {
        let (first, hop) = (a & 15, u16::from(a >> 4) % 3);
        Op::Change { peer, vni, action, first, count: pick(&[1, 1, 2, 16], b), hop }
    };
    match kind % 48 {
        0..8 => change(Action::Add),
        8..15 => change(Action::Remove),
        15..22 => Op::Flush(vni),
        22..26 => Op::Subscribe(peer, vni),
        26 => Op::Unsubscribe(peer, vni),
        27..34 => Op::Pull(peer, vni, pick(&[1, 60, 200, 4096], a)),
        34..38 => Op::Write(peer),
        38..42 => Op::Record(peer, pick(&[0, 1, 60, 100, 250, 4096], a)),
        42 => Op::Control(peer, Message::Keepalive),
        43 => Op::Control(peer, hello(a)),
        44 => Op::Work(vni, usize::from(a % 3) + 1),
        45..47 => Op::Trim(vni),
        _ => Op::Wait,
    }
}

/// A HELLO as long as the byte says, but no longer than allowed.
fn hello(length: u8) -> Message {
    let name = "n".repeat(usize::from(length).min(Extensions::MAX_STRING));
    let extensions = Some(Extensions::new(Capabilities::STREAM, name.clone(), name));
    Message::Hello(Hello { keepalive_interval: 5, is_server: true, extensions })
}

/// Bounds small enough that everything happens with few routes.
pub(crate) fn bounds(
    [budget, copy, write, seal, compact, places, entries, cached]: Head,
) -> OpBounds {
    let size = |byte| pick(&[1u32, 2, 3, 8, 1000], byte);
    let budget = pick(&[1, 60, 200, 1000, 1 << 20], budget);
    let copy_max = pick(&[0, 40, 60, 200, 8192], copy);
    OpBounds {
        outbox: outbox::OutboxBounds {
            budget,
            copy_max,
            write_max: copy_max + pick(&[0, 1, 60, 300, 65_536], write),
            ..outbox::OutboxBounds::default()
        },
        table: table::TableBounds {
            seal_at: size(seal).into(),
            trim_at: size(cached >> 4) as usize,
            compact_at: pick(&[1, 2, 4, 8, 16, 32_768], compact),
            chunk_places: size(places),
            chunk_entries: size(entries).into(),
            cached_chunks: size(cached & 15) as usize,
            ..table::TableBounds::default()
        },
    }
}

pub(crate) fn run(bounds: OpBounds, ops: impl IntoIterator<Item = Op>) {
    let mut world = World::new(bounds);
    for op in ops {
        match op {
            Op::Change { peer, vni, action, first, count, hop } => {
                for dest in first..first.saturating_add(count) {
                    world.update(peer, vni, action, dest % 16, hop);
                }
            }
            Op::Flush(vni) => world.flush(vni),
            Op::Subscribe(peer, vni) => world.subscribe(peer, vni),
            Op::Unsubscribe(peer, vni) => world.unsubscribe(peer, vni),
            Op::Pull(peer, vni, limit) => world.pull(peer, vni, limit),
            Op::Write(peer) => drop(world.write(peer)),
            Op::Record(peer, limit) => drop(world.record(peer, limit)),
            Op::Control(peer, message) => world.control(peer, message),
            Op::Work(vni, budget) => world.work(vni, budget),
            Op::Trim(vni) => world.trim(vni),
            Op::Wait => world.wait(),
        }
    }
    world.finish();
}
