//! Mesh: every peer publishes and subscribes, in some of many VNIs.
//!
//! A closed loop as in `fanout`: all peers announce their routes, each has to come to hold exactly
//! those of all others in its VNIs, then all withdraw. Peers and VNIs lie on different shards, so
//! most updates cross from one to another: that is what several shards cost and bring.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metalbond::wire::Action;

use super::{Run, Used, duration, ns, progress, seconds};
use crate::args::Spawn;
use crate::peer;
use crate::plan::Plan;
use crate::receiver::{Goal, Receivers, Subscriber, histogram};
use crate::rng::Rng;
use crate::route_set::{RouteSet, Views};
use crate::writers::Writers;

/// Flags of `mesh`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Peers
    #[arg(short, long, value_name = "P", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    peers: u32,

    /// VNIs
    #[arg(long, value_name = "V", default_value_t = 16,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vnis: u32,

    /// VNIs that each peer is subscribed to and announces in
    #[arg(long, value_name = "K", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vnis_per_peer: u32,

    /// Routes of each peer in one round
    #[arg(short, long, value_name = "R", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    routes: u32,

    /// Which peer takes which VNIs
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,

    /// Seconds to measure
    #[arg(short, long, value_name = "D", default_value_t = 4.0, value_parser = duration)]
    duration: f64,

    /// Seconds before that
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    warm_up: f64,
}

/// Who is where and announces what.
struct Layout {
    plan: Plan,
    /// The VNIs of each peer, by their numbers.
    vnis: Vec<Vec<u32>>,
    /// The routes of each peer.
    routes: Vec<Vec<u32>>,
}

impl Layout {
    fn new(options: &Options) -> Result<Self, String> {
        if u64::from(options.peers) * u64::from(options.routes) > 1 << 28 {
            return Err("that is too many routes of too many peers".into());
        }
        let mut rng = Rng::new(options.seed);
        let each = options.vnis_per_peer.min(options.vnis) as usize;
        // Each peer takes those that the fewest have taken, and chance decides between equals.
        let mut order: Vec<u32> = (0..options.vnis).collect();
        let mut taken = vec![0u32; order.len()];
        let mut vnis = Vec::new();
        for _ in 0..options.peers {
            rng.shuffle(&mut order);
            order.sort_by_key(|vni| taken[*vni as usize]);
            order[..each].iter().for_each(|vni| taken[*vni as usize] += 1);
            vnis.push(order[..each].to_vec());
        }
        let mut used = vec![0u32; order.len()];
        let mut next = |vni: u32| {
            let slot = used[vni as usize];
            used[vni as usize] += 1;
            slot.checked_mul(options.vnis).and_then(|first| first.checked_add(vni))
        };
        let routes = vnis.iter().map(|vnis: &Vec<u32>| {
            vnis.iter().cycle().take(options.routes as usize).map(|vni| next(*vni)).collect()
        });
        let routes = routes.collect::<Option<Vec<_>>>().ok_or("that is too many routes")?;
        let slots = used.into_iter().max().unwrap_or(0);
        let count = slots.checked_mul(options.vnis).ok_or("that is too many routes")?;
        let plan = Plan::new(count, options.vnis, 100).fits(options.peers)?;
        Ok(Self { plan, vnis, routes })
    }

    /// What each peer should hold when all have announced.
    fn views(&self) -> Vec<RouteSet> {
        let mut in_vni = vec![Vec::new(); self.plan.vnis as usize];
        for route in self.routes.iter().flatten() {
            in_vni[self.plan.vni_of(*route) as usize].push(*route);
        }
        let peers = self.vnis.iter().zip(&self.routes);
        let view = |(vnis, own): (&Vec<u32>, &Vec<u32>)| {
            let all = vnis.iter().flat_map(|vni| &in_vni[*vni as usize]).copied();
            let mut view = RouteSet::of(self.plan.routes, all);
            for route in own {
                view.remove(*route);
            }
            view
        };
        peers.map(view).collect()
    }
}

/// What there is during a run.
struct Mesh {
    receivers: Receivers,
    writers: Writers,
    /// What each peer sends in a round, first to announce and then to withdraw.
    frames: [Vec<Vec<u8>>; 2],
    views: [Views; 2],
    peers: usize,
    /// Whether there are peers that are told nothing.
    has_idle: bool,
}

/// What happened in a stretch of time.
struct Stretch {
    rounds: u64,
    elapsed: Duration,
    used: Used,
}

pub(crate) fn run(run: &mut Run<'_>, options: &Options) -> Result<(), String> {
    if run.common.target.is_none() && run.common.spawn == Spawn::Repeater {
        return Err("the repeater takes one publisher only: choose another scenario".into());
    }
    let layout = Layout::new(options)?;
    let mut mesh = Mesh::new(run, &layout)?;
    let each_round = 2 * mesh.views[0].total(mesh.peers);
    progress(&format!(
        "{} peers in {} VNIs, {each_round} updates in a round, seed {}",
        mesh.peers, options.vnis, options.seed
    ));
    let mut times = histogram();
    let warm_up = mesh.rounds(run, options.warm_up, &mut times)?;
    times.reset();
    let measured = mesh.rounds(run, options.duration, &mut times)?;
    run.stay(&mesh.receivers, || mesh.writers.tick())?;
    let outcome = run.verify(mesh.receivers, &mesh.views[1])?;

    let expected = (warm_up.rounds + measured.rounds) * each_round;
    if outcome.updates != expected && !outcome.faults.any() {
        return Err(format!("{} updates delivered, not {expected}", outcome.updates));
    }
    let delivered = (measured.rounds * each_round) as f64;
    let seconds = measured.elapsed.as_secs_f64();
    let report = &mut run.report;
    measured.used.tell(report, delivered.max(1.0), seconds);
    let sent = (measured.rounds * 2 * u64::from(options.peers) * u64::from(options.routes)) as f64;
    report.add("deliveries of one update", delivered / sent, "");
    report.add("updates per read", outcome.updates as f64 / outcome.reads.max(1) as f64, "");
    report.add("rounds", measured.rounds as f64, "");
    report.add_latency(times); // of half rounds
    Ok(())
}

impl Mesh {
    /// All peers, subscribed.
    fn new(run: &Run<'_>, layout: &Layout) -> Result<Self, String> {
        let Layout { plan, vnis, routes } = layout;
        let mut receivers = run.receivers(*plan, None)?;
        let mut writers = Writers::new(run.common.keepalive);
        let empty = Views::same(RouteSet::new(plan.routes));
        let each = vnis.first().and_then(|vnis| u32::try_from(vnis.len()).ok());
        let tables = each.and_then(|each| run.tables(each));
        receivers.set_goal(Goal { views: empty.clone(), tables }, vnis.len());
        for (number, vnis) in vnis.iter().enumerate() {
            let mut stream = run.connect(&format!("mesh-{number}"))?;
            let told = |error| format!("peer: {error}");
            peer::subscribe(&mut stream, vnis.iter().map(|vni| plan.vni(*vni))).map_err(told)?;
            if tables.is_none() {
                peer::barrier(&mut stream, run.common.patience()).map_err(told)?;
            }
            let stream = writers.add(stream)?;
            let subscriber = Subscriber { keeps_alive: false, ..Subscriber::new(stream, number) };
            receivers.add(subscriber)?;
        }
        if tables.is_some() {
            receivers.wait(run.common.patience(), || writers.tick())?;
        }
        let frames = [Action::Add, Action::Remove].map(|action| {
            routes.iter().map(|routes| plan.frames(action, routes.iter().copied())).collect()
        });
        let full = layout.views();
        let has_idle = full.iter().any(|view| view.len() == 0);
        let views = [Views::each(full), empty];
        Ok(Self { receivers, writers, frames, views, peers: vnis.len(), has_idle })
    }

    /// Announces and withdraws everything, again and again for some time.
    fn rounds(
        &mut self,
        run: &Run<'_>,
        seconds: f64,
        times: &mut Histogram<u64>,
    ) -> Result<Stretch, String> {
        let Self { receivers, writers, frames, views, .. } = self;
        let before = Used::by(run.target.pid)?;
        let began = Instant::now();
        let mut rounds = 0;
        while began.elapsed().as_secs_f64() < seconds {
            for (frames, views) in frames.iter().zip(&*views) {
                let sent = Instant::now();
                let goal = Goal { views: views.clone(), tables: None };
                if self.has_idle {
                    receivers.check_goal(goal, self.peers)?;
                } else {
                    receivers.set_goal(goal, self.peers);
                }
                for (peer, frames) in frames.iter().enumerate() {
                    writers.send(peer, frames)?;
                }
                receivers.wait(run.common.patience(), || writers.tick())?;
                times.saturating_record(ns(sent.elapsed()));
                writers.tick()?;
            }
            rounds += 1;
        }
        let elapsed = began.elapsed();
        Ok(Stretch { rounds, elapsed, used: Used::by(run.target.pid)?.since(before) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_spread_evenly_and_see_all_but_their_own() {
        let options = Options {
            peers: 10,
            vnis: 6,
            vnis_per_peer: 3,
            routes: 7,
            seed: 5,
            duration: 0.0,
            warm_up: 0.0,
        };
        let layout = Layout::new(&options).unwrap();
        let mut taken = [0; 6];
        layout.vnis.iter().flatten().for_each(|vni| taken[*vni as usize] += 1);
        assert_eq!(taken, [5; 6]);
        let mut all: Vec<_> = layout.routes.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 70, "no route is announced twice");
        for (peer, view) in layout.views().iter().enumerate() {
            let seen = (0..10).filter(|other| *other != peer).flat_map(|other| {
                let routes = layout.routes[other].iter().copied();
                routes.filter(|route| layout.vnis[peer].contains(&layout.plan.vni_of(*route)))
            });
            assert_eq!(*view, RouteSet::of(layout.plan.routes, seen));
        }
    }
}
