//! What must not wait while others send as fast as they can: a dead leaf's routes go, a new subscriber has its
//! table.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::harness::bystander::alone;
use crate::harness::flood::Flood;
use crate::harness::runs::{RUNS, Runs};
use crate::harness::{
    Client, Reflector, ReflectorConfig, counters, establish_on, eventually, on_each_io, routes,
    shard_of, start, vnis_by_shard,
};

on_each_io!(
    the_dead_leave_and_subscribers_join_in_time_beside_a_flood_on_another_shard,
    the_dead_leave_and_subscribers_join_in_time_in_a_flood_on_the_only_shard,
);

/// Routes of the leaf, and of the table.
const ROUTES: u32 = 1000;
/// Sessions at line rate.
const FLOODERS: usize = 4;
/// From the end of a leaf to its last withdrawal, and from a SUBSCRIBE to its END_OF_TABLE.
const IN_TIME: Duration = Duration::from_millis(200);
/// What the turns take that it needs on shards that have as much to do as they can.
const TURNS: Duration = Duration::from_millis(100);

/// A reflector with a table of some routes, and a watcher of what leaves announce, on the first shard.
struct Scene {
    reflector: Reflector,
    /// Where leaves announce, where the table is, and where there may be floods.
    leaves: u32,
    table: u32,
    floods: Vec<u32>,
    watcher: Client,
    /// The table's publisher, and others that say nothing.
    idle: Vec<Client>,
    flooders: Vec<SocketAddr>,
}

/// What took how long in one run.
#[derive(Clone, Copy)]
struct Took {
    finished: Duration,
    reset: Duration,
    joined: Duration,
}

impl Scene {
    fn new(config: &ReflectorConfig) -> Self {
        let (reflector, _) = start(config);
        let [first, second] = vnis_by_shard(&reflector);
        let [leaves, table, ref rest @ ..] = first[..] else { panic!("some VNIs") };
        let floods = if second.is_empty() { rest.to_vec() } else { second };
        let mut watcher = establish_on(&reflector, 0);
        watcher.subscribe(leaves);
        watcher.subscribe(table);
        let mut publisher = establish_on(&reflector, 0);
        let all = routes(table, 0..ROUTES, 1);
        publisher.announce_all(&all);
        watcher.expect_view(&all);
        watcher.unsubscribe(table);
        watcher.keepalive();
        watcher.view.clear();
        let (idle, flooders) = (vec![publisher], Vec::new());
        Self { reflector, leaves, table, floods, watcher, idle, flooders }
    }

    /// Floods the last shard, and returns when more has been said than any queue holds.
    fn flood(&mut self) -> Flood {
        let last = counters(&self.reflector).shards.len() - 1;
        let vnis = self.floods.iter().copied().cycle();
        let flooders: Vec<_> = vnis
            .take(FLOODERS)
            .map(|vni| {
                // As many are on the other shard, so that the balancer leaves all where they are.
                self.idle.push(establish_on(&self.reflector, 0));
                (establish_on(&self.reflector, u16::try_from(last).unwrap()), vni)
            })
            .collect();
        self.flooders = flooders.iter().map(|(client, _)| client.local_addr()).collect();
        let flood = Flood::over(flooders);
        eventually("a flood", || counters(&self.reflector).total.received.adds > 20_000);
        flood
    }

    /// The shards that serve the flooders.
    fn flooded(&self) -> Vec<u16> {
        self.flooders.iter().map(|flooder| shard_of(&self.reflector, *flooder)).collect()
    }

    fn run(&mut self) -> Took {
        Took {
            finished: self.leave(|leaf| leaf.iter().for_each(Client::finish)),
            reset: self.leave(|leaf| leaf.take().into_iter().for_each(Client::reset)),
            joined: self.join(),
        }
    }

    /// How long it takes until the last route of a leaf is withdrawn that has ended.
    fn leave(&mut self, end: impl FnOnce(&mut Option<Client>)) -> Duration {
        let mut leaf = Some(establish_on(&self.reflector, 0));
        leaf.as_mut().unwrap().announce_all(&routes(self.leaves, 0..ROUTES, 2));
        self.watcher.until("all routes", |watcher| watcher.view.len() == ROUTES as usize);
        let ended = Instant::now();
        end(&mut leaf);
        self.watcher.until("no route", |watcher| watcher.view.is_empty());
        ended.elapsed()
    }

    /// How long it takes until a new subscriber has a table.
    fn join(&self) -> Duration {
        let mut joiner = establish_on(&self.reflector, 0);
        let asked = Instant::now();
        joiner.subscribe(self.table);
        joiner.expect_end_of_table(self.table);
        let took = asked.elapsed();
        assert_eq!(joiner.view.len(), ROUTES as usize);
        took
    }
}

fn in_a_flood(config: &ReflectorConfig) {
    let _alone = alone();
    let [mut attacked, mut control] = [(); 2].map(|()| Scene::new(config));
    let flood = attacked.flood();
    let flooded = attacked.flooded();
    let took = [(); RUNS].map(|()| {
        std::thread::scope(|scope| {
            let beside = scope.spawn(|| control.run());
            (attacked.run(), beside.join().unwrap())
        })
    });
    assert_eq!(attacked.flooded(), flooded, "no flooder has moved");
    drop(flood);
    let runs =
        |of: fn(Took) -> Duration| took.map(|(attacked, control)| (of(attacked), of(control)));
    Runs::new("withdrawals after a FIN", runs(|took| took.finished)).expect(IN_TIME, TURNS);
    Runs::new("withdrawals after a RST", runs(|took| took.reset)).expect(IN_TIME, TURNS);
    Runs::new("END_OF_TABLE", runs(|took| took.joined)).expect(IN_TIME, TURNS);
}

fn the_dead_leave_and_subscribers_join_in_time_beside_a_flood_on_another_shard(
    config: ReflectorConfig,
) {
    in_a_flood(&config);
}

fn the_dead_leave_and_subscribers_join_in_time_in_a_flood_on_the_only_shard(
    mut config: ReflectorConfig,
) {
    config.shards = Some(1);
    in_a_flood(&config);
}
