//! Storm: many peers disconnect at once and reconnect at once. After how long does every peer have all routes again?
//!
//! Peers form groups, and each group has a VNI: every peer announces its routes and receives the routes of the others.
//! A peer that reconnects sends its subscription and its routes in one write after the handshake. The time of a peer
//! ends when it has all routes and keeps them.

use std::sync::mpsc;
use std::time::Instant;

use metalbond::wire::{Action, Message};

use crate::common::Common;
use crate::live::phase;
use crate::peer::Opening;
use crate::plan::Plan;
use crate::receiver::{Goal, Receivers, Subscriber, histogram};
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario, Used, ns};

/// `storm` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Storm {
    /// Number of peers
    #[arg(short, long, value_name = "N", default_value_t = 2000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    peers: u32,

    /// Number of routes of each peer
    #[arg(short, long, value_name = "R", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(0..=100_000))]
    routes: u32,

    /// Approximate number of peers in one VNI
    #[arg(long, value_name = "G", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    group: u32,

    /// Share of the peers that disconnect (0 to 1)
    #[arg(long, value_name = "PART", default_value_t = 1.0)]
    fraction: f64,

    /// Disconnect by a TCP reset instead of a FIN
    #[arg(long)]
    abort: bool,

    /// Number of threads that connect
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=64))]
    connectors: u32,
}

/// The VNI and the routes of each peer.
#[derive(Clone, Copy)]
struct Layout {
    plan: Plan,
    peers: u32,
    each: u32,
}

impl Layout {
    fn new(options: &Storm) -> Result<Self, String> {
        let Storm { peers, routes: each, group, .. } = *options;
        let vnis = peers.div_ceil(group);
        let routes = peers.div_ceil(vnis).checked_mul(each).and_then(|n| n.checked_mul(vnis));
        let routes = routes.ok_or("too many routes in total: lower --peers or --routes")?;
        Ok(Self { plan: Plan::new(routes, vnis, 100).fits(peers)?, peers, each })
    }

    /// The number of a peer in its group, from 0.
    fn place(&self, peer: u32) -> usize {
        (peer / self.plan.vnis) as usize
    }

    /// The routes of a peer.
    fn routes(&self, peer: u32) -> impl Iterator<Item = u32> + use<> {
        let vnis = self.plan.vnis;
        let first = peer / vnis * self.each;
        (first..first + self.each).map(move |slot| slot * vnis + peer % vnis)
    }

    /// What each peer should hold.
    fn views(&self) -> Views {
        let view = |peer: u32| {
            let group = (peer % self.plan.vnis..self.peers).step_by(self.plan.vnis as usize);
            let others = group.filter(|other| *other != peer);
            RouteSet::of(self.plan.routes, others.flat_map(|other| self.routes(other)))
        };
        Views::each((0..self.peers).map(view).collect())
    }

    /// The messages that a peer sends when it has connected.
    fn words(&self, peer: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        Message::Subscribe(self.plan.vni(peer % self.plan.vnis)).encode_into(&mut bytes);
        bytes.extend_from_slice(&self.plan.frames(Action::Add, self.routes(peer)));
        bytes
    }
}

impl Scenario for Storm {
    fn name(&self) -> &'static str {
        "storm"
    }

    fn check(&self, common: &Common) -> Result<(), String> {
        common.needs_table()?;
        if (0.0..=1.0).contains(&self.fraction) {
            Ok(())
        } else {
            Err("--fraction is from 0 to 1".into())
        }
    }

    fn crosses_sites(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let layout = Layout::new(self)?;
        let layout = Layout { plan: run.place(layout.plan)?, ..layout };
        let views = layout.views();
        let peers = layout.peers as usize;
        let goal = || Goal::of(&views);
        let mut receivers = run.receivers(layout.plan, None)?;
        let resident_before = run.resident()?;
        let began = Instant::now();
        receivers.check_goal(goal(), peers)?;
        connect(run, self, layout, layout.peers, &mut receivers)?;
        run.stay(&receivers, || Ok(()))?;
        phase(&format!("{peers} peers are up after {:.1?}", began.elapsed()));
        let resident = run.resident()?;

        // Rounded to the nearest number on purpose, and never more than all peers.
        let part = (f64::from(layout.peers) * self.fraction).round();
        let vanishing = (0..=layout.peers).find(|n| f64::from(*n) >= part).unwrap_or(layout.peers);
        receivers.check_goal(goal(), peers)?;
        let before = Used::by(&run.target.processes)?;
        let delivered_before = run.delivered();
        let start = Instant::now();
        receivers.dismiss(vanishing as usize, self.abort)?;
        let gone = start.elapsed();
        connect(run, self, layout, vanishing, &mut receivers)?;
        let connected = start.elapsed();
        run.stay(&receivers, || Ok(()))?;
        let used = Used::by(&run.target.processes)?.since(before);
        let delivered = run.delivered() - delivered_before;
        let resident_after = run.resident()?;
        let outcome = run.verify(receivers, &views)?;

        let mut times = histogram();
        for reached in &outcome.reached_at {
            times.saturating_record(ns(reached.saturating_duration_since(start)));
        }
        let report = &mut run.report;
        report.add("peers that vanished", f64::from(vanishing), "");
        report.add("time until all are gone", gone.as_secs_f64(), "s");
        report.add("time until all have connected", connected.as_secs_f64(), "s");
        report.add(
            "time until half of views are whole",
            times.value_at_quantile(0.5) as f64 / 1e9,
            "s",
        );
        report.add("time until all views are whole", times.max() as f64 / 1e9, "s");
        let each = f64::from(vanishing.max(1));
        let of_peer = used.servers.map(|used| used.cpu_ns as f64 / each / 1e3);
        report.add_each("server CPU per peer", &of_peer, "us");
        report.add("delivered updates", delivered as f64, "");
        // The CPU time of the wait that makes sure that nothing more comes is negligible.
        used.report_to(report, (delivered as f64).max(1.0), (times.max() as f64 / 1e9).max(1e-3));
        report.add_latency(times); // until a peer's view is whole
        report.add_memory("resident memory before", &resident_before);
        report.add_memory("resident memory with all peers", &resident);
        report.add_memory("resident memory after the storm", &resident_after);
        Ok(())
    }
}

/// Connects the first `count` peers, with several threads, and hands them to the receivers. Each thread opens the
/// connections of all its peers before it waits for the first answer, so no peer waits for the handshake of another.
fn connect(
    run: &Run<'_>,
    options: &Storm,
    layout: Layout,
    count: u32,
    receivers: &mut Receivers,
) -> Result<(), String> {
    let (target, keepalive) = (&run.target, run.common.keepalive);
    let (sender, established) = mpsc::channel();
    std::thread::scope(|scope| {
        for first in 0..options.connectors {
            let sender = sender.clone();
            scope.spawn(move || {
                let share = (first..count).step_by(options.connectors as usize);
                let open = |peer: u32| {
                    let node = format!("peer-{peer}");
                    let site = target.take_part_at(layout.place(peer));
                    Ok((peer, Opening::new(site, keepalive, &node, None)?))
                };
                let finish = |(peer, opening): (u32, Opening)| {
                    Ok((peer, opening.greeted(&layout.words(peer))?.into_stream()?))
                };
                let result: Result<Vec<_>, String> = share.map(open).collect();
                match result {
                    Ok(openings) => openings.into_iter().map(finish).for_each(|established| {
                        sender.send(established).ok(); // after a failure the receiver is gone
                    }),
                    Err(error) => drop(sender.send(Err(error))),
                }
            });
        }
        drop(sender);
        for established in established {
            let (peer, stream) = established?;
            receivers.add(Subscriber::new(stream, peer as usize))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_sees_the_others_of_its_group() {
        let plan = Plan::new(4 * 2 * 3, 3, 100);
        let layout = Layout { plan, peers: 10, each: 2 };
        let views = layout.views();
        for peer in 0..10 {
            let seen = (0..10).filter(|other| *other != peer && other % 3 == peer % 3);
            let view = RouteSet::of(24, seen.flat_map(|other| layout.routes(other)));
            assert_eq!(*views.of(peer as usize), view);
            assert_eq!(layout.place(peer), (0..peer).filter(|other| other % 3 == peer % 3).count());
            assert!(layout.routes(peer).all(|route| plan.vni_of(route) == peer % 3));
        }
        assert_eq!(
            (0..10).map(|peer| views.of(peer).len()).sum::<u64>(),
            2 * (4 * 3 + 3 * 2 + 3 * 2)
        );
    }
}
