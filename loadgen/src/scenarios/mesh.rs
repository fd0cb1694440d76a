//! Mesh: every peer publishes and subscribes, in some of many VNIs.
//!
//! A closed loop ([`super::rounds`]) as in `fanout`: all peers announce their routes; each peer has to receive exactly
//! the routes of all other peers in its VNIs; then all withdraw. Peers and VNIs are on different shards, so most
//! updates go from one shard to another. The run shows the cost and the benefit of several shards.

use super::rounds::{Rounds, TableFlag, Taker};
use crate::audience::deal;
use crate::live::phase;
use crate::load::{Load, Span};
use crate::peer;
use crate::plan::Plan;
use crate::receiver::{Goal, Receivers, Subscriber, histogram};
use crate::rng::Rng;
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario};
use crate::writers::Writers;

/// `mesh` and its flags.
#[derive(Clone, Debug, clap::Args)]
#[command(
    mut_arg("vnis", |arg| arg.help("Number of VNIs").default_value("16")),
    mut_arg("vnis_per_peer", |arg| {
        arg.help("Number of VNIs in which each peer subscribes and announces").default_value("4")
    }),
    mut_arg("table", |arg| {
        let help = "First announce a standing table of this many routes of all peers together; then \
                    each round withdraws and announces --routes other routes of each peer. With 0, \
                    each round announces and withdraws the same routes";
        arg.help(help).value_name("N")
    }),
    mut_arg("seed", |arg| arg.help("Seed of the choice of VNIs for each peer"))
)]
pub(crate) struct Mesh {
    /// Number of peers
    #[arg(short, long, value_name = "P", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(2..=10_000))]
    peers: u32,

    /// Number of routes of each peer in one round
    #[arg(short, long, value_name = "R", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    routes: u32,

    #[command(flatten)]
    table_flag: TableFlag,

    #[command(flatten)]
    load: Load,
}

/// The VNIs and routes of each peer.
struct Layout {
    plan: Plan,
    /// The VNIs of each peer, by their numbers.
    vnis: Vec<Vec<u32>>,
    /// The routes of each peer.
    routes: Vec<Vec<u32>>,
}

impl Layout {
    fn new(options: &Mesh) -> Result<Self, String> {
        let Mesh { peers, table_flag: TableFlag { table }, routes: window, ref load } = *options;
        let count = load.vnis;
        let each = if table > 0 { table / peers } else { window };
        if each < window {
            return Err(format!(
                "--table {table} is {each} routes of each peer, less than --routes {window}"
            ));
        }
        if u64::from(peers) * u64::from(each) > 1 << 28 {
            return Err("too many routes in total: lower --peers, --routes or --table".into());
        }
        let vnis = deal(peers, count, load.vnis_per_peer(), &mut Rng::new(load.seed));
        let mut used = vec![0u32; count as usize];
        let mut next = |vni: u32| {
            let slot = used[vni as usize];
            used[vni as usize] += 1;
            slot.checked_mul(count).and_then(|first| first.checked_add(vni))
        };
        let routes = vnis.iter().map(|vnis: &Vec<u32>| {
            vnis.iter().cycle().take(each as usize).map(|vni| next(*vni)).collect()
        });
        let routes = routes
            .collect::<Option<Vec<_>>>()
            .ok_or("too many routes in total: lower --peers, --routes or --table")?;
        let slots = used.into_iter().max().unwrap_or(0);
        let total = slots
            .checked_mul(count)
            .ok_or("too many routes in total: lower --peers, --routes or --table")?;
        Ok(Self { plan: load.plan(total).fits(peers)?, vnis, routes })
    }
}

impl Scenario for Mesh {
    fn name(&self) -> &'static str {
        "mesh"
    }

    fn crosses_sites(&self) -> bool {
        true
    }

    fn goes_over_tls(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let Span { duration, warm_up } = self.load.span;
        let Layout { plan, vnis, routes } = Layout::new(self)?;
        let plan = run.place(plan)?;
        let mut receivers = run.receivers(plan, None)?;
        let mut writers = connect(run, &plan, &vnis, &mut receivers)?;
        let taker = |(number, vnis)| Taker { vnis, own: Some(number), sessions: 1 };
        let takers = vnis.into_iter().enumerate().map(taker).collect();
        let windows = vec![self.routes as usize; routes.len()];
        let table_flag = self.table_flag.is_asked().then_some(&windows[..]);
        let mut rounds = Rounds::new(plan, routes, table_flag, takers);
        rounds.fill(run, &receivers, &mut writers)?;
        phase(&format!(
            "{} peers in {} VNIs, windows of {} each, seed {}",
            self.peers, self.load.vnis, self.routes, self.load.seed
        ));

        let mut times = histogram();
        rounds.stretch(run, &receivers, &mut writers, warm_up, &mut times)?;
        let measured = rounds.stretch(run, &receivers, &mut writers, duration, &mut times)?;
        run.stay(&receivers, || writers.tick())?;
        let outcome = rounds.verify(run, receivers)?;
        let report = &mut run.report;
        measured.report_to(report);
        report.add("updates per read", outcome.updates as f64 / outcome.reads.max(1) as f64, "");
        report.add("rounds", measured.windows as f64 / 2.0, "");
        report.add_latency(times); // of half rounds
        Ok(())
    }
}

/// Connects all peers, subscribes them, and hands their sockets to the receivers, which read.
fn connect(
    run: &Run<'_>,
    plan: &Plan,
    vnis: &[Vec<u32>],
    receivers: &mut Receivers,
) -> Result<Writers, String> {
    let mut writers = Writers::new(run.common.keepalive, 0);
    let empty = Views::same(RouteSet::new(plan.routes));
    let each = vnis.first().and_then(|vnis| u32::try_from(vnis.len()).ok());
    let tables = each.and_then(|each| run.tables(each));
    receivers.set_goal(Goal { tables, ..Goal::of(&empty) }, vnis.len());
    for (number, vnis) in vnis.iter().enumerate() {
        let mut stream = run.connect(run.target.take_part_at(number), &format!("mesh-{number}"))?;
        let describe = |error| format!("peer: {error}");
        peer::subscribe(&mut stream, vnis.iter().map(|vni| plan.vni(*vni))).map_err(describe)?;
        if tables.is_none() {
            peer::barrier(&mut stream, run.common.patience()).map_err(describe)?;
        }
        let stream = writers.add(stream)?;
        receivers.add(Subscriber { keeps_alive: false, ..Subscriber::new(stream, number) })?;
    }
    if tables.is_some() {
        receivers.wait(run.common.patience(), || writers.tick())?;
    }
    Ok(writers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Flags {
        #[command(flatten)]
        mesh: Mesh,
    }

    #[test]
    fn peers_are_spread_evenly_and_no_route_is_announced_twice() {
        let flags =
            ["mesh", "--peers=10", "--vnis=6", "--vnis-per-peer=3", "--routes=7", "--seed=5"];
        let layout = Layout::new(&Flags::parse_from(flags).mesh).unwrap();
        let mut taken = [0; 6];
        layout.vnis.iter().flatten().for_each(|vni| taken[*vni as usize] += 1);
        assert_eq!(taken, [5; 6]);
        let mut all: Vec<_> = layout.routes.iter().flatten().copied().collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 70, "no route is announced twice");
    }
}
