//! Any sequence of operations, any bounds: every message exact, every view what the model says.
//! Run by the property and by fuzzing.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::{Table, is_chooser};
use crate::fuzzing::{Code, Head, pick};
use crate::ids::{Moment, PeerId};
use crate::table::TableBounds;
use crate::table::vnet::UpdateOutcome;

/// Eight clients and two servers. Two of the clients receive one next hop of each destination, two receive own routes
/// back.
const PEERS: [u64; 10] = [1, 2, 3, 4, 5, 6, ECHO_ALL, ECHO_DUMP, 1001, 1002];
const DESTINATIONS: u8 = 6;
const HOPS: u16 = 3;
const ECHO_ALL: u64 = 7;
const ECHO_DUMP: u64 = 8;

#[derive(Debug, Clone)]
pub(crate) enum Op {
    Announce(u64, u8, u16),
    Withdraw(u64, u8, u16),
    Join(u64),
    Leave(u64),
    SlowDown(u64),
    Pull(u64, usize),
    Flush,
    Work(usize),
    Trim,
    Tidy(usize),
    Repack,
    Port,
    Wait,
}

pub(crate) fn decode([kind, peer, a, b]: Code) -> Op {
    let peer = pick(&PEERS, peer);
    match kind % 38 {
        0..8 => Op::Announce(peer, a % DESTINATIONS, u16::from(b) % HOPS),
        8..16 => Op::Withdraw(peer, a % DESTINATIONS, u16::from(b) % HOPS),
        16..19 => Op::Join(peer),
        19 => Op::Leave(peer),
        20..22 => Op::SlowDown(peer),
        22..28 => Op::Pull(peer, pick(&[1, 50, 120, 4096], a)),
        28..32 => Op::Flush,
        32..34 => Op::Work(usize::from(a % 3) + 1),
        34..36 => Op::Trim,
        36 if a % 2 == 0 => Op::Tidy(usize::from(b % 5) + 1),
        36 if a % 4 == 1 => Op::Port,
        37 => Op::Repack,
        _ => Op::Wait,
    }
}

/// Bounds small enough that everything happens with few routes.
pub(crate) fn bounds(
    [seal, trim, compact, places, entries, cached, hops, portion]: Head,
) -> TableBounds {
    let size = |byte| pick(&[1u32, 2, 3, 8, 1000], byte);
    TableBounds {
        next_hops: pick(&[1, 2, 4096], hops),
        seal_at: size(seal).into(),
        trim_at: size(trim) as usize,
        compact_at: pick(&[1, 2, 4, 8, 16, 32_768], compact),
        chunk_places: size(places),
        chunk_entries: size(entries).into(),
        cached_chunks: size(cached) as usize,
        portion: size(portion) as usize,
        ..TableBounds::default()
    }
}

/// Routes, each with its announcers.
pub(crate) type Model<R> = BTreeMap<R, BTreeSet<u64>>;

/// The routes that a peer should have. Peers above 1000 are servers.
pub(crate) fn owed<R: Ord + Clone>(model: &Model<R>, peer: u64) -> BTreeSet<R> {
    let is_owed = |by: &BTreeSet<u64>| {
        let is_own = |a: u64| a == peer && peer != ECHO_ALL;
        by.iter().any(|a| !is_own(*a) && (peer < 1000 || *a < 1000))
    };
    model.iter().filter(|(_, by)| is_owed(by)).map(|(route, _)| route.clone()).collect()
}

pub(crate) fn forget<R>(model: &mut Model<R>, peer: u64) {
    for by in model.values_mut() {
        by.remove(&peer);
    }
}

/// The chosen next hop of each destination, while any peer wants only one.
#[derive(Default)]
struct Choices(BTreeMap<u8, u16>);

impl Choices {
    /// Follows the choice after routes have come or gone.
    fn look(&mut self, table: &Table) {
        if !table.subscribers().into_iter().any(is_chooser) {
            self.0.clear();
            return;
        }
        for dest in 0..DESTINATIONS {
            let hops = table.hops(&prefix(dest));
            let kept = self.0.remove(&dest).filter(|hop| hops.contains(hop));
            if let Some(hop) = kept.or_else(|| hops.first().copied()) {
                self.0.insert(dest, hop);
            }
        }
    }

    /// The routes that a peer with one next hop should have.
    fn owed(&self, model: &Model<String>, peer: u64) -> BTreeSet<String> {
        let all = owed(model, peer);
        let of = |dest: u8| {
            let name = |hop: u16| format!("{} {hop}", prefix(dest));
            let hops = self.0.get(&dest).copied().into_iter().chain(0..HOPS);
            hops.map(name).find(|route| all.contains(route))
        };
        (0..DESTINATIONS).filter_map(of).collect()
    }
}

fn prefix(dest: u8) -> String {
    match dest {
        0 => "0.0.0.0/0".into(),
        1 => "::/0".into(),
        other => format!("10.0.0.{other}/24"),
    }
}

fn step(table: &mut Table, model: &mut Model<String>, op: &Op) {
    match *op {
        Op::Announce(peer, dest, hop) => {
            let outcome = table.announce(peer, &prefix(dest), hop);
            let by = model.entry(format!("{} {hop}", prefix(dest))).or_default();
            let is_new = !table.was_full && by.insert(peer);
            assert_eq!(outcome == UpdateOutcome::Added, is_new);
        }
        Op::Withdraw(peer, dest, hop) => {
            let by = model.entry(format!("{} {hop}", prefix(dest))).or_default();
            let outcome = table.withdraw(peer, &prefix(dest), hop);
            assert_eq!(outcome == UpdateOutcome::Removed, by.remove(&peer));
        }
        Op::Join(peer) if !table.subscribers().contains(&peer) => table.join(peer),
        Op::Leave(peer) => {
            forget(model, peer);
            table.leave(peer);
        }
        Op::SlowDown(peer) => table.slow_down(peer),
        Op::Pull(peer, limit) if table.subscribers().contains(&peer) => {
            table.pull(peer, limit);
        }
        Op::Flush => table.flush(),
        Op::Work(budget) => {
            table.vnet.work(budget);
        }
        Op::Trim => assert_eq!(table.vnet.trim(false), []),
        Op::Tidy(budget) => table.vnet.tidy(budget),
        Op::Repack => {
            let wait = |table: &mut Table| {
                table.flush();
                table.now = Moment(table.now.0 + 2_000_000);
                table.vnet.expire(table.now);
                table.trim();
            };
            wait(table);
            table.repack();
        }
        Op::Port => table.port(),
        Op::Wait => {
            table.now = Moment(table.now.0 + 2_000_000);
            table.vnet.expire(table.now);
        }
        Op::Join(_) | Op::Pull(..) => {}
    }
}

pub(crate) fn run(bounds: TableBounds, ops: impl IntoIterator<Item = Op>) {
    let mut table = Table::with(bounds);
    let mut model = Model::new();
    let mut choices = Choices::default();
    for op in ops {
        if let Op::Announce(peer, ..) = op {
            // Otherwise the announcement would do it, and a choice in between would not show.
            table.vnet.finish_leaving(PeerId(peer), usize::MAX);
            choices.look(&table);
        }
        step(&mut table, &mut model, &op);
        choices.look(&table);
    }
    table.vnet.work(usize::MAX);
    choices.look(&table);
    table.flush();
    for peer in table.subscribers() {
        table.catch_up(peer);
    }
    table.flush();
    for peer in table.subscribers() {
        let reader = table.reader(peer);
        let mut view = reader.view.clone();
        if peer == ECHO_DUMP {
            view.retain(|route| model.get(route) != Some(&BTreeSet::from([peer])));
        }
        let owed = if is_chooser(peer) { choices.owed(&model, peer) } else { owed(&model, peer) };
        assert_eq!(view, owed, "peer {peer}");
        assert!(reader.ended && reader.is_in_sync());
    }
    for peer in PEERS {
        table.leave(peer);
    }
    table.vnet.work(usize::MAX);
    table.flush();
    table.vnet.expire(Moment(table.now.0 + 10_000_000));
    assert_eq!(table.trim(), []);
    assert_eq!(table.vnet.held(), (0, 0));
    assert!(table.vnet.is_empty() && !table.vnet.lingers());
}
