//! The ceilings of shards. Pure: the amounts that the shards have taken in go in, ceilings come out.
//!
//! The rest of a limit is divided evenly among the shards. But one VNI, on one shard, may need all of it. So if little
//! is left, each shard may still take up to [`BURST`], which is more than a shard takes in between two checks. The
//! shards together may then exceed the limit by up to [`BURST`] for each shard but one. With one shard the limit is
//! exact.

use crate::shard::growth::{Amounts, Ceiling};
use crate::threads::Seen;

/// The routes that each shard may take in although others might take the rest: some 29 MB. A shard loads up to two
/// million routes a second, and there are ten checks.
pub(super) const BURST: i64 = 262_144;
/// The same for VNIs.
pub(super) const BURST_VNIS: i64 = 8_192;

/// Memory of an announcement: 100 to 110 bytes of a new route with all its structures, and a reserve.
const BYTES_PER_ANNOUNCEMENT: u64 = 128;
/// Memory of an unpacked VNI.
const BYTES_PER_VNI: u64 = 4_096;

/// The limits, and the use of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Limits {
    pub(super) routes: Option<u64>,
    pub(super) vnis: Option<u64>,
    /// The bytes of the budget, and the bytes in use.
    pub(super) memory: Option<(u64, u64)>,
}

/// The ceilings that shards have been sent.
#[derive(Debug)]
pub(super) struct Shares {
    told: Vec<Ceiling>,
    /// The ceiling of each shard while memory is short; `None` otherwise.
    short: Option<Vec<Amounts>>,
    /// The amounts of tables that came from another process. A table that moves between two shards counts in
    /// neither, so this is the highest sum that the shards have reported.
    base: Amounts,
}

impl Shares {
    /// For `shards` shards, to which an earlier process leaves `base`.
    pub(super) fn new(shards: usize, base: Amounts) -> Self {
        Self { told: vec![Ceiling::default(); shards], short: None, base }
    }

    /// The amounts that all shards hold.
    pub(super) fn held(&mut self, seen: &[Seen]) -> Amounts {
        let moved = seen.iter().fold(Amounts::default(), |sum, seen| sum + seen.moved);
        self.base = self.base.with(moved, i64::max);
        seen.iter().fold(self.base, |sum, seen| sum + seen.grown)
    }

    /// The new ceilings, for the shards whose ceiling changes.
    pub(super) fn look(&mut self, limits: &Limits, seen: &[Seen]) -> Vec<(usize, Ceiling)> {
        let held = self.held(seen);
        let shards = i64::try_from(seen.len()).unwrap_or(i64::MAX).max(1);
        let left = |most: Option<u64>, held: i64| most.map(|most| (to_amount(most) - held).max(0));
        let routes = left(limits.routes, held.routes);
        let vnis = left(limits.vnis, held.vnis);
        let spare = limits.memory.map(|(budget, used)| budget.saturating_sub(used));
        self.note_memory(spare, seen);
        let part = |bytes: u64| spare.map_or(i64::MAX, |spare| to_amount(spare / bytes) / shards);
        let by_count = Amounts {
            routes: routes.map_or(i64::MAX, |left| share(left, shards, BURST)),
            announcements: i64::MAX,
            vnis: vnis.map_or(i64::MAX, |left| share(left, shards, BURST_VNIS)),
        };
        let mut news = Vec::new();
        for (shard, (seen, told)) in seen.iter().zip(&mut self.told).enumerate() {
            let memory = match &self.short {
                Some(short) => Amounts { routes: i64::MAX, ..short[shard] - seen.grown },
                None => Amounts {
                    routes: i64::MAX,
                    announcements: part(BYTES_PER_ANNOUNCEMENT),
                    vnis: part(BYTES_PER_VNI),
                },
            };
            let target = by_count.with(memory, i64::min);
            let room = told.grown - seen.grown;
            let next = target.with(room, settle);
            let vnis_by_memory = memory.vnis < by_count.vnis;
            if next != room || vnis_by_memory != told.vnis_by_memory {
                let grown = seen.grown.with(next, i64::saturating_add);
                *told = Ceiling { grown, vnis_by_memory };
                news.push((shard, *told));
            }
        }
        news
    }

    /// While memory is short, each shard may grow to its size at the beginning of the shortage: withdrawn routes may
    /// be announced again.
    fn note_memory(&mut self, spare: Option<u64>, seen: &[Seen]) {
        match spare {
            Some(0) => {
                self.short.get_or_insert_with(|| seen.iter().map(|seen| seen.grown).collect());
            }
            _ => self.short = None,
        }
    }
}

/// The part of the rest that one shard may take.
fn share(left: i64, shards: i64, burst: i64) -> i64 {
    (left / shards).max(left.min(burst))
}

/// The new room of a shard that has `room` and should have `target`. A large room changes only when it is far off,
/// since each order wakes a sleeping shard.
fn settle(target: i64, room: i64) -> i64 {
    const MUCH: i64 = 4 * BURST;
    if target < MUCH {
        return target;
    }
    if (target / 2..=target).contains(&room) { room } else { target - target / 4 }
}

fn to_amount(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shards that take in all offered routes, within their ceilings.
    struct World {
        shares: Shares,
        limits: Limits,
        seen: Vec<Seen>,
        ceilings: Vec<Ceiling>,
        orders: usize,
    }

    impl World {
        fn new(shards: usize, limits: Limits) -> Self {
            let shares = Shares::new(shards, Amounts::default());
            let seen = vec![Seen::default(); shards];
            let ceilings = vec![Ceiling::default(); shards];
            let mut world = Self { shares, limits, seen, ceilings, orders: 0 };
            world.look();
            world
        }

        fn look(&mut self) {
            for (shard, ceiling) in self.shares.look(&self.limits, &self.seen) {
                self.ceilings[shard] = ceiling;
                self.orders += 1;
            }
        }

        /// How many of `routes` routes a shard takes in.
        fn offer(&mut self, shard: usize, routes: i64) -> i64 {
            let grown = &mut self.seen[shard].grown;
            let room = self.ceilings[shard].grown - *grown;
            let taken = routes.min(room.routes).min(room.announcements).max(0);
            grown.routes += taken;
            grown.announcements += taken;
            taken
        }

        fn routes(&self) -> i64 {
            self.seen.iter().map(|seen| seen.grown.routes).sum()
        }
    }

    fn routes(most: u64) -> Limits {
        Limits { routes: Some(most), ..Limits::default() }
    }

    #[test]
    fn one_shard_takes_in_exactly_what_there_may_be() {
        for most in [0, 1, 1000, 10_000_000] {
            let mut world = World::new(1, routes(most));
            for _ in 0..1000 {
                world.offer(0, 100_000);
                world.look();
            }
            assert_eq!(world.routes(), to_amount(most));
            // A withdrawn route may be announced again.
            if most > 0 {
                world.seen[0].grown.routes -= 1;
                assert_eq!(world.offer(0, 10), 1);
            }
        }
    }

    #[test]
    fn any_one_of_many_shards_may_take_in_all_of_it() {
        let most = 5_000_000;
        let mut world = World::new(16, routes(most));
        let mut looks = 0;
        while world.routes() < to_amount(most) {
            assert!(world.offer(3, BURST.min(to_amount(most) - world.routes())) > 0);
            world.look();
            looks += 1;
        }
        assert!(looks <= 20, "nothing was refused before the limit");
    }

    #[test]
    fn many_shards_exceed_it_by_a_burst_of_each_but_one() {
        for (shards, most) in [(2, 10), (2, 1_000_000), (16, 3_000_000), (16, 100)] {
            let mut world = World::new(shards, routes(most));
            for _ in 0..100 {
                for shard in 0..shards {
                    world.offer(shard, 10_000_000);
                }
                world.look();
            }
            let bound =
                to_amount(most) + (i64::try_from(shards).unwrap() - 1) * BURST.min(to_amount(most));
            assert!((to_amount(most)..=bound).contains(&world.routes()), "{}", world.routes());
        }
    }

    #[test]
    fn tables_on_their_way_make_no_room() {
        let mut world = World::new(2, routes(1000));
        assert_eq!(world.offer(0, 1000), 1000);
        world.seen[0].moved.routes = -1000;
        world.look();
        assert_eq!(world.offer(0, 1) + world.offer(1, 1), 0);
        world.seen[1].moved.routes = 1000;
        world.look();
        assert_eq!(world.offer(0, 1) + world.offer(1, 1), 0);
    }

    #[test]
    fn shards_that_do_nothing_are_seldom_told_anything() {
        let mut world = World::new(8, routes(100_000_000));
        let begun = world.orders;
        for _ in 0..1000 {
            world.offer(0, 50_000);
            world.look();
        }
        assert!(world.orders - begun < 100, "{}", world.orders - begun);
    }

    #[test]
    fn while_memory_is_short_what_was_withdrawn_may_come_again() {
        let mut world =
            World::new(2, Limits { memory: Some((1 << 30, 1 << 20)), ..Limits::default() });
        assert_eq!(world.offer(0, 1000), 1000);
        world.limits.memory = Some((1 << 30, (1 << 30) + 5));
        world.look();
        assert_eq!((world.offer(0, 10), world.offer(1, 10)), (0, 0));
        world.seen[0].grown.routes -= 100;
        world.seen[0].grown.announcements -= 100;
        for _ in 0..10 {
            world.look();
        }
        assert_eq!((world.offer(0, 1000), world.offer(1, 10)), (100, 0));
        world.limits.memory = Some((1 << 30, 1 << 29));
        world.look();
        assert_eq!((world.offer(0, 1000), world.offer(1, 10)), (1000, 10));
    }

    #[test]
    fn what_an_earlier_process_leaves_counts_before_shards_have_it() {
        let base = Amounts { routes: 900, ..Amounts::default() };
        let mut world = World::new(1, routes(1000));
        world.shares = Shares::new(1, base);
        world.look();
        world.seen[0].moved.routes = 900;
        assert_eq!(world.offer(0, 1000), 100);
    }
}
