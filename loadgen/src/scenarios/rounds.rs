//! The common part of `fanout` and `mesh`: rounds of updates, one after another, in a closed loop.
//!
//! *Sources* announce routes, and *takers* receive them. Without a standing table there are no routes at first, and
//! each round announces all routes and withdraws them. With a standing table all routes are announced once, and each
//! round withdraws and announces another window of them. The routes of a window are spread over the whole table, so
//! the routes of the next window are in no cache. The next updates are sent only when every taker has all earlier
//! ones, so no updates coalesce, and each taker receives every update exactly once.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metalbond::wire::Action;

use crate::peer::Publisher;
use crate::plan::Plan;
use crate::receiver::{Goal, Outcome, Receivers};
use crate::report::RunReport;
use crate::route_set::{Digest, Digests, RouteSet, Views};
use crate::run::{Run, Used, ns};
use crate::writers::Writers;

/// Routes of a standing table that are announced at once.
const PORTION: usize = 10_000;

/// The flag of a standing table.
#[derive(Clone, Copy, Debug, clap::Args)]
#[group(skip)]
pub(super) struct TableFlag {
    /// First announce a standing table of this many routes; then each round withdraws and announces another window of
    /// it. With 0, each round announces and withdraws the same window
    #[arg(long, value_name = "R", default_value_t = 0,
          value_parser = clap::value_parser!(u32).range(0..=10_000_000))]
    pub(super) table: u32,
}

impl TableFlag {
    /// Whether the flag asks for a standing table.
    pub(super) fn is_asked(self) -> bool {
        self.table > 0
    }
}

/// Sessions that announce.
pub(super) trait Sources {
    /// Sends whole messages of the session with this number.
    fn send(&mut self, number: usize, frames: &[u8]) -> Result<(), String>;
    /// Sends KEEPALIVEs that are due.
    fn tick(&mut self) -> Result<(), String>;
}

impl Sources for Vec<Publisher> {
    fn send(&mut self, number: usize, frames: &[u8]) -> Result<(), String> {
        self[number].publish(frames)
    }

    fn tick(&mut self) -> Result<(), String> {
        self.iter_mut().try_for_each(Publisher::tick)
    }
}

impl Sources for Writers {
    fn send(&mut self, number: usize, frames: &[u8]) -> Result<(), String> {
        self.send(number, frames)
    }

    fn tick(&mut self) -> Result<(), String> {
        self.tick()
    }
}

/// Sessions that should hold the same routes.
#[derive(Clone, Debug)]
pub(super) struct Taker {
    /// Their VNIs, by numbers.
    pub(super) vnis: Vec<u32>,
    /// The source that is the session itself: it does not receive the routes of this source.
    pub(super) own: Option<usize>,
    pub(super) sessions: u64,
}

/// A source and its routes.
#[derive(Debug)]
struct Source {
    routes: Vec<u32>,
    /// Routes in a window.
    window: usize,
    /// The distance from one route of a window to the next.
    stride: usize,
    cursor: usize,
}

impl Source {
    fn new(routes: Vec<u32>, window: usize) -> Self {
        let window = window.min(routes.len());
        let stride = stride(routes.len());
        Self { routes, window, stride, cursor: 0 }
    }

    /// The next window: no route comes again before all routes have had their turn.
    fn window(&mut self) -> Vec<u32> {
        let next = |_| {
            let route = self.routes[self.cursor];
            self.cursor = (self.cursor + self.stride) % self.routes.len();
            route
        };
        (0..self.window).map(next).collect()
    }
}

/// A step through `routes` routes that reaches every route, and soon all regions of the table: about the golden
/// section of `routes`, and coprime to it.
fn stride(routes: usize) -> usize {
    let gcd = |mut a: usize, mut b: usize| {
        while b > 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let golden = routes - routes * 382 / 1000;
    (golden..).find(|stride| gcd(*stride, routes) == 1 || routes == 0).unwrap_or(1)
}

/// Orders routes so that `run` routes of one VNI follow each other, then `run` routes of the next VNI.
fn in_runs(plan: &Plan, routes: Vec<u32>, run: usize) -> Vec<u32> {
    let mut by_vni: BTreeMap<u32, VecDeque<u32>> = BTreeMap::new();
    for route in &routes {
        by_vni.entry(plan.vni_of(*route)).or_default().push_back(*route);
    }
    let mut ordered = Vec::with_capacity(routes.len());
    while ordered.len() < routes.len() {
        for queue in by_vni.values_mut() {
            ordered.extend(queue.drain(..run.min(queue.len())));
        }
    }
    ordered
}

/// The updates of one round, and their results.
#[derive(Debug)]
struct Window {
    /// The frames of each source: those of the first half of the round, and those of the second half, which undo them.
    frames: [Vec<Vec<u8>>; 2],
    /// What every taker should hold after each half.
    goals: [Goal; 2],
    /// Whether some takers receive nothing.
    has_idle: bool,
    /// Updates of each half, and their deliveries.
    updates: u64,
    deliveries: u64,
}

/// The rounds in a stretch of time.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    /// Half rounds.
    pub(super) windows: u64,
    pub(super) updates: u64,
    pub(super) deliveries: u64,
    pub(super) elapsed: Duration,
    pub(super) used: Used,
}

impl Stretch {
    /// Adds the figures of the stretch.
    pub(super) fn report_to(&self, report: &mut RunReport) {
        let deliveries = (self.deliveries as f64).max(1.0);
        self.used.report_to(report, deliveries, self.elapsed.as_secs_f64());
        report.add("deliveries of one update", self.deliveries as f64 / self.updates as f64, "");
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Rounds {
    plan: Plan,
    sources: Vec<Source>,
    takers: Vec<Taker>,
    is_standing: bool,
    /// Updates of one VNI that follow each other in a window.
    run: usize,
    /// The routes that are announced between rounds, in each VNI and by each source.
    home: Whole,
    /// Without a standing table: the window, which is the same each time.
    fixed: Option<Window>,
    /// Deliveries so far.
    deliveries: u64,
}

/// The digests of some routes.
#[derive(Clone, Debug)]
struct Whole {
    in_vni: Vec<Digest>,
    of_source: Vec<Digest>,
}

impl Whole {
    fn of(plan: &Plan, routes: &[Vec<u32>]) -> Self {
        let mut in_vni = vec![Digest::default(); plan.vnis as usize];
        let of_source = routes.iter().map(|routes| {
            let mut sum = Digest::default();
            for route in routes {
                sum.insert(*route);
                in_vni[plan.vni_of(*route) as usize].insert(*route);
            }
            sum
        });
        let of_source = of_source.collect();
        Self { in_vni, of_source }
    }

    /// The digest of these routes that a taker receives.
    fn seen(&self, taker: &Taker) -> Digest {
        let all: Digest = taker.vnis.iter().map(|vni| self.in_vni[*vni as usize]).sum();
        all - taker.own.map_or_else(Digest::default, |own| self.of_source[own])
    }

    fn add(&mut self, other: &Self) {
        let add = |(sum, other): (&mut Digest, &Digest)| *sum = *sum + *other;
        self.in_vni.iter_mut().zip(&other.in_vni).for_each(add);
        self.of_source.iter_mut().zip(&other.of_source).for_each(add);
    }
}

impl Rounds {
    /// Rounds over the routes of some sources. With `windows`, the routes are a standing table, and each source has a
    /// window of its own size.
    pub(super) fn new(
        plan: Plan,
        routes: Vec<Vec<u32>>,
        windows: Option<&[usize]>,
        takers: Vec<Taker>,
    ) -> Self {
        let home = Whole::of(&plan, &vec![Vec::new(); routes.len()]);
        let source = |(number, routes): (usize, Vec<u32>)| {
            let window = windows.map_or(routes.len(), |windows| windows[number]);
            Source::new(routes, window)
        };
        let sources = routes.into_iter().enumerate().map(source).collect();
        let is_standing = windows.is_some();
        let (fixed, run) = (None, 1);
        Self { plan, sources, takers, is_standing, run, home, fixed, deliveries: 0 }
    }

    /// The same, with `run` updates of one VNI behind each other where a source has that many in the VNI.
    pub(super) fn in_runs(self, run: u32) -> Self {
        Self { run: run as usize, ..self }
    }

    /// The exact routes that every taker holds between rounds.
    fn views(&self) -> Views {
        let mut in_vni = vec![Vec::new(); self.plan.vnis as usize];
        for route in self.sources.iter().flat_map(|source| &source.routes) {
            in_vni[self.plan.vni_of(*route) as usize].push(*route);
        }
        let view = |taker: &Taker| {
            let all = taker.vnis.iter().flat_map(|vni| &in_vni[*vni as usize]).copied();
            let mut view = RouteSet::of(self.plan.routes, all.filter(|_| self.is_standing));
            for route in taker.own.iter().flat_map(|own| &self.sources[*own].routes) {
                view.remove(*route);
            }
            view
        };
        Views::each(self.takers.iter().map(view).collect())
    }

    /// Ends a run: verifies the routes of every taker, and that each taker received every update once.
    pub(super) fn verify(
        &self,
        run: &mut Run<'_>,
        receivers: Receivers,
    ) -> Result<Outcome, String> {
        let outcome = run.verify(receivers, &self.views())?;
        if outcome.updates != self.deliveries && !outcome.faults.any() {
            return Err(format!("{} updates delivered, not {}", outcome.updates, self.deliveries));
        }
        Ok(outcome)
    }

    fn goal(views: impl Iterator<Item = Digest>) -> Goal {
        Goal { views: Digests::Each(views.collect()), tables: None }
    }

    fn frames(&self, action: Action, routes: &[Vec<u32>]) -> Vec<Vec<u8>> {
        let frames = |routes: &Vec<u32>| self.plan.frames(action, routes.iter().copied());
        routes.iter().map(frames).collect()
    }

    /// Announces a standing table, in portions, to subscribers that have subscribed.
    pub(super) fn fill(
        &mut self,
        run: &Run<'_>,
        receivers: &Receivers,
        sources: &mut impl Sources,
    ) -> Result<(), String> {
        if !self.is_standing {
            return Ok(());
        }
        let size = (PORTION / self.sources.len()).max(1);
        let longest = self.sources.iter().map(|source| source.routes.len()).max().unwrap_or(0);
        for first in (0..longest).step_by(size) {
            let part = |source: &Source| {
                source.routes.iter().skip(first).take(size).copied().collect::<Vec<_>>()
            };
            let routes: Vec<_> = self.sources.iter().map(part).collect();
            let added = Whole::of(&self.plan, &routes);
            self.home.add(&added);
            self.deliveries += self.deliveries_of(&added);
            let views = self.takers.iter().map(|taker| self.home.seen(taker));
            // Some takers receive nothing of some portions.
            receivers.check_goal(Self::goal(views), self.sessions())?;
            for (number, frames) in self.frames(Action::Add, &routes).iter().enumerate() {
                sources.send(number, frames)?;
            }
            receivers.wait(run.common.patience(), || sources.tick())?;
            sources.tick()?;
        }
        Ok(())
    }

    fn sessions(&self) -> usize {
        let sessions = self.takers.iter().map(|taker| taker.sessions).sum::<u64>();
        usize::try_from(sessions).unwrap_or(usize::MAX)
    }

    fn deliveries_of(&self, routes: &Whole) -> u64 {
        self.takers.iter().map(|taker| routes.seen(taker).len() * taker.sessions).sum()
    }

    fn window(&mut self) -> Window {
        let Self { sources, plan, run, .. } = self;
        let routes = sources.iter_mut().map(|source| in_runs(plan, source.window(), *run));
        let routes: Vec<_> = routes.collect();
        let window = Whole::of(&self.plan, &routes);
        let [there, back] = if self.is_standing {
            [Action::Remove, Action::Add]
        } else {
            [Action::Add, Action::Remove]
        };
        let home = || self.takers.iter().map(|taker| self.home.seen(taker));
        let changed = || self.takers.iter().map(|taker| window.seen(taker));
        let away = home().zip(changed()).map(|(home, changed)| match there {
            Action::Add => home + changed,
            Action::Remove => home - changed,
        });
        Window {
            goals: [Self::goal(away), Self::goal(home())],
            has_idle: changed().any(|changed| changed.len() == 0),
            updates: window.of_source.iter().copied().sum::<Digest>().len(),
            deliveries: self.deliveries_of(&window),
            frames: [self.frames(there, &routes), self.frames(back, &routes)],
        }
    }

    /// Runs rounds for some time; `times` gets the time of each half.
    pub(super) fn stretch(
        &mut self,
        run: &Run<'_>,
        receivers: &Receivers,
        sources: &mut impl Sources,
        seconds: f64,
        times: &mut Histogram<u64>,
    ) -> Result<Stretch, String> {
        let sessions = self.sessions();
        let (mut windows, mut updates, mut deliveries) = (0, 0, 0);
        times.reset();
        let before = Used::by(&run.target.processes)?;
        let began = Instant::now();
        while began.elapsed().as_secs_f64() < seconds {
            let window = self.fixed.take().unwrap_or_else(|| self.window());
            for (frames, goal) in window.frames.iter().zip(&window.goals) {
                let sent = Instant::now();
                if window.has_idle {
                    receivers.check_goal(goal.clone(), sessions)?;
                } else {
                    receivers.set_goal(goal.clone(), sessions);
                }
                for (number, frames) in frames.iter().enumerate() {
                    sources.send(number, frames)?;
                }
                receivers.wait(run.common.patience(), || sources.tick())?;
                times.saturating_record(ns(sent.elapsed()));
                windows += 1;
                updates += window.updates;
                deliveries += window.deliveries;
            }
            sources.tick()?;
            self.fixed = Some(window).filter(|_| !self.is_standing);
        }
        let elapsed = began.elapsed();
        let used = Used::by(&run.target.processes)?.since(before);
        self.deliveries += deliveries;
        Ok(Stretch { windows, updates, deliveries, elapsed, used })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_come_to_every_route_before_one_comes_again() {
        for routes in [1u32, 2, 10, 997, 30_000] {
            let mut source = Source::new((0..routes).collect(), 10);
            let mut seen = RouteSet::new(routes);
            for _ in 0..routes as usize / source.window {
                assert!(source.window().into_iter().all(|route| seen.insert(route)));
            }
        }
        assert!(Source::new(Vec::new(), 10).window().is_empty());
    }

    #[test]
    fn a_window_is_spread_over_the_whole_table() {
        let mut source = Source::new((0..500_000).collect(), 1000);
        for _ in 0..50 {
            let mut window = source.window();
            window.sort_unstable();
            let widest = window.windows(2).map(|pair| pair[1] - pair[0]).max();
            assert!(widest < Some(2000), "{widest:?}");
        }
    }

    #[test]
    fn runs_are_of_one_vni() {
        let plan = Plan::own_hops(14, 2);
        let ordered = |run| in_runs(&plan, (0..14).collect(), run);
        assert_eq!(ordered(1), (0..14).collect::<Vec<_>>());
        assert_eq!(ordered(3), [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11, 12, 13]);
        assert_eq!(ordered(100), [0, 2, 4, 6, 8, 10, 12, 1, 3, 5, 7, 9, 11, 13]);
    }

    fn rounds(is_standing: bool) -> Rounds {
        // Two sources of routes in four VNIs; one of the sources takes part itself.
        let in_two = (40..80).filter(|route| route % 2 == 0).collect();
        let routes = vec![(0..40).collect(), in_two];
        let takers = vec![
            Taker { vnis: vec![1], own: None, sessions: 3 },
            Taker { vnis: vec![0, 2], own: Some(1), sessions: 1 },
        ];
        let windows = is_standing.then_some(&[4, 8][..]);
        Rounds::new(Plan::own_hops(80, 4), routes, windows, takers)
    }

    #[test]
    fn goals_follow_from_what_is_sent() {
        for is_standing in [false, true] {
            let mut rounds = rounds(is_standing);
            let all: Vec<_> = rounds.sources.iter().map(|source| source.routes.clone()).collect();
            if is_standing {
                rounds.home = Whole::of(&rounds.plan, &all);
            }
            let home = rounds.views();
            for _ in 0..20 {
                let window = rounds.window();
                let mut deliveries = 0;
                for (taker, number) in rounds.takers.iter().zip(0..) {
                    let mut view = home.of(number).clone();
                    assert_eq!(window.goals[1].views.of(number), view.digest());
                    for (source, frames) in window.frames[0].iter().enumerate() {
                        for frame in metalbond::wire::whole_frames(frames) {
                            let (action, route) = rounds.plan.recognise(frame.payload).unwrap();
                            let route = route.unwrap();
                            let is_seen = taker.vnis.contains(&rounds.plan.vni_of(route));
                            if !is_seen || taker.own == Some(source) {
                                continue;
                            }
                            deliveries += taker.sessions;
                            assert!(match action {
                                Action::Add => view.insert(route),
                                Action::Remove => view.remove(route),
                            });
                        }
                    }
                    assert_eq!(window.goals[0].views.of(number), view.digest());
                }
                assert_eq!(window.deliveries, deliveries);
                assert_eq!(window.updates, if is_standing { 12 } else { 60 });
            }
        }
    }
}
