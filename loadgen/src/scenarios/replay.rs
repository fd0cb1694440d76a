//! Replay: plays a recording of the updates of a reflector's subscribers against any server.
//!
//! `metalbond ctl monitor --record` has written a table and the changes that followed. Publishers announce the table,
//! and then repeat each change when it is due, at the pace of the recording or faster. One publisher announces all
//! routes of one recorded peer. The file is read while it is played, so only its routes are in memory.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use metalbond::wire::{Action, Vni};

use crate::audience::Audience;
use crate::catalogue::{Catalogue, List};
use crate::live::phase;
use crate::peer::Publisher;
use crate::receiver::{Goal, Receivers, Timing, histogram};
use crate::recording::{Line, Recorded, Recording};
use crate::route_set::{RouteSet, Views};
use crate::run::{Run, Scenario, Used, ns};

/// The largest number of different routes.
const ROUTES_MAX: u32 = 10_000_000;
/// The size at which a publisher's due messages are sent.
const WRITE: usize = 64 * 1024;
/// The longest sleep, so that KEEPALIVEs are sent in time.
const NAP: Duration = Duration::from_millis(100);

/// `replay` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Replay {
    /// The file that metalbond ctl monitor --record has written
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// How many times faster to play than it was recorded; a large number plays as fast as the server takes it
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    speed: f64,

    /// Number of sessions that subscribe to all VNIs of the recording
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    subscribers: u32,

    /// Number of sessions that announce; the recorded peers are spread over them
    #[arg(short, long, value_name = "P", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    publishers: u32,
}

fn speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| (1e-3..=1e9).contains(speed));
    speed.ok_or_else(|| "from 0.001 to 1000000000".into())
}

impl Scenario for Replay {
    fn name(&self) -> &'static str {
        "replay"
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let survey = Survey::of(self)?;
        let subscribers = self.subscribers as usize;
        let catalogue = Catalogue::List(Arc::clone(&survey.list));
        let timing = Timing::new(catalogue.len());
        let mut receivers = run.receivers(catalogue.clone(), Some(&timing))?;
        let mut stage = Stage::new(run, self, &survey, timing)?;
        let vnis = u32::try_from(survey.vnis.len()).unwrap_or(u32::MAX);
        let audience = Audience::whole(subscribers, vnis);
        let empty = Views::same(RouteSet::new(catalogue.len()));
        let vni = |number| survey.vnis[number as usize];
        run.subscribe(&mut receivers, &vni, &audience, empty, || stage.tick())?;

        let table = Views::same(survey.table(&catalogue));
        let tables = run.tables(vnis);
        receivers.check_goal(Goal { tables, ..Goal::of(&table) }, subscribers)?;
        let loaded = stage.load(&self.file)?;
        receivers.wait(run.common.patience(), || stage.tick())?;
        receivers.clear_goal();
        phase(&format!(
            "{subscribers} subscribers have a table of {loaded} routes; {} changes follow",
            survey.changes
        ));

        let played = stage.play(run, &self.file, self.speed, &receivers)?;
        let views = Views::same(stage.held);
        receivers.check_goal(Goal { tables, ..Goal::of(&views) }, subscribers)?;
        let publishers = &mut stage.publishers;
        run.stay(&receivers, || publishers.iter_mut().try_for_each(Publisher::tick))?;
        let outcome = run.verify(receivers, &views)?;
        stage.publishers.into_iter().for_each(|publisher| run.keep(publisher.into_stream()));

        let expected = (loaded + played.updates) * subscribers as u64;
        if outcome.updates > expected && !outcome.faults.any() {
            return Err(format!("{} updates delivered, not {expected}", outcome.updates));
        }
        let times = outcome.latencies.into_iter().next().unwrap_or_else(histogram);
        let delivered = times.len() as f64;
        let seconds = played.measured.as_secs_f64().max(1e-6);
        let report = &mut run.report;
        report.add_latency(times);
        let behind = |quantile| played.behind.value_at_quantile(quantile) as f64 / 1e3;
        report.add("publishers behind schedule, p50", behind(0.5), "us");
        report.add("publishers behind schedule, max", behind(1.0), "us");
        played.used.report_to(report, delivered.max(1.0), seconds);
        report.add("recorded time", played.recorded.as_secs_f64(), "s");
        report.add("replayed in", seconds, "s");
        report.add("routes of the table", loaded as f64, "");
        report.add("updates sent", played.updates as f64, "");
        report.add("updates per second", played.updates as f64 / seconds, "/s");
        report.add("changes of the recording that changed nothing", played.idle as f64, "");
        report.add("changes that the recording lacks", survey.missed as f64, "");
        report.add("coalesced pairs", expected.saturating_sub(outcome.updates) as f64 / 2.0, "");
        Ok(())
    }
}

/// The contents of a recording, found by a first pass through the file.
struct Survey {
    list: Arc<List>,
    vnis: Vec<Vni>,
    /// The numbers of the table's routes.
    held: Vec<u32>,
    changes: u64,
    missed: u64,
}

impl Survey {
    fn of(replay: &Replay) -> Result<Self, String> {
        let mut recording = Recording::open(&replay.file)?;
        let mut list = List::default();
        let mut vnis = std::collections::BTreeSet::new();
        let (mut held, mut changes, mut missed, mut is_complete) = (Vec::new(), 0, 0, false);
        while let Some(line) = recording.next()? {
            let recorded = match &line {
                Line::Held(recorded) => recorded,
                Line::Added(recorded) | Line::Withdrawn(recorded) => {
                    changes += 1;
                    recorded
                }
                Line::Missed(count) => {
                    missed += count;
                    continue;
                }
                Line::Complete => {
                    is_complete = true;
                    continue;
                }
                Line::Other => continue,
            };
            vnis.insert(recorded.route.vni);
            let number = list.add(&recorded.route);
            if matches!(line, Line::Held(_)) {
                held.push(number);
            }
            let bits = u64::from(list.len()) * (u64::from(replay.subscribers) + 2);
            if list.len() > ROUTES_MAX || bits > 1 << 36 {
                return Err(format!(
                    "the recording has more routes than fit into memory for {} subscribers",
                    replay.subscribers
                ));
            }
        }
        for (is_so, what) in [
            (recording.is_cut, "the last line of the recording is cut short and is left out"),
            (!is_complete, "the recording has only a part of the table"),
        ] {
            if is_so {
                phase(what);
            }
        }
        if vnis.is_empty() {
            return Err(format!("{} has no routes", replay.file.display()));
        }
        let vnis = vnis.into_iter().collect();
        Ok(Self { list: Arc::new(list), vnis, held, changes, missed })
    }

    fn table(&self, catalogue: &Catalogue) -> RouteSet {
        RouteSet::of(catalogue.len(), self.held.iter().copied())
    }
}

/// The publishers, and the routes that they announce.
struct Stage {
    list: Arc<List>,
    timing: Arc<Timing>,
    publishers: Vec<Publisher>,
    /// The messages that are due and not yet sent, by publisher.
    due: Vec<Vec<u8>>,
    held: RouteSet,
    /// The place of the publisher that announced each route last.
    owners: Vec<u16>,
}

/// The changes that were played.
struct Played {
    updates: u64,
    /// Changes that changed nothing.
    idle: u64,
    /// The delay of the publisher at each change.
    behind: Histogram<u64>,
    used: Used,
    /// The time from the first change to the last, as recorded and as played.
    recorded: Duration,
    measured: Duration,
}

impl Stage {
    fn new(
        run: &Run<'_>,
        replay: &Replay,
        survey: &Survey,
        timing: Arc<Timing>,
    ) -> Result<Self, String> {
        let publishers = (0..replay.publishers).map(|_| run.publisher());
        let publishers = publishers.collect::<Result<Vec<_>, _>>()?;
        let list = Arc::clone(&survey.list);
        let (due, owners) = (vec![Vec::new(); publishers.len()], vec![0; list.len() as usize]);
        let held = RouteSet::new(list.len());
        Ok(Self { list, timing, publishers, due, held, owners })
    }

    /// Announces the table; returns the number of routes.
    fn load(&mut self, file: &std::path::Path) -> Result<u64, String> {
        let mut recording = Recording::open(file)?;
        while let Some(line) = recording.next()? {
            match line {
                Line::Held(recorded) => drop(self.change(Action::Add, &recorded, None)?),
                Line::Complete => break,
                _ => {}
            }
        }
        self.send()?;
        Ok(self.held.len())
    }

    /// Repeats each change when it is due, until the end of the file.
    fn play(
        &mut self,
        run: &Run<'_>,
        file: &std::path::Path,
        speed: f64,
        receivers: &Receivers,
    ) -> Result<Played, String> {
        // By default a timer may be 50 us late; if the kernel refuses this setting, it stays so.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).ok();
        let mut recording = Recording::open(file)?;
        let before = Used::by(&run.target.processes)?;
        let (mut updates, mut idle, mut behind) = (0, 0, histogram());
        let start = Instant::now();
        self.timing.measure(0, start);
        let (mut first, mut last) = (None, 0);
        while let Some(line) = recording.next()? {
            let (action, recorded) = match line {
                Line::Added(recorded) => (Action::Add, recorded),
                Line::Withdrawn(recorded) => (Action::Remove, recorded),
                _ => continue,
            };
            // Times can go back: the clock may have been set back, and shards report one after the other.
            last = last.max(recorded.at);
            let since = Duration::from_micros(last - *first.get_or_insert(last));
            let due = start + since.div_f64(speed);
            if due > Instant::now() {
                self.send()?;
                receivers.check()?;
                self.wait(due)?;
            }
            behind.saturating_record(ns(due.elapsed()));
            let changed = self.change(action, &recorded, Some(due))?;
            *(if changed { &mut updates } else { &mut idle }) += 1;
        }
        self.send()?;
        let measured = start.elapsed();
        let used = Used::by(&run.target.processes)?.since(before);
        let recorded = Duration::from_micros(first.map_or(0, |first| last - first));
        Ok(Played { updates, idle, behind, used, recorded, measured })
    }

    /// Queues a change at its publisher; false if the change changes nothing.
    fn change(
        &mut self,
        action: Action,
        recorded: &Recorded,
        due: Option<Instant>,
    ) -> Result<bool, String> {
        let number = self.list.number(&recorded.route);
        let number = number.ok_or("the recording has grown while it is played")?;
        let is_news = match action {
            Action::Add => self.held.insert(number),
            Action::Remove => self.held.remove(number),
        };
        if !is_news {
            return Ok(false);
        }
        let owner = &mut self.owners[number as usize];
        if action == Action::Add {
            *owner = publisher_of(recorded, self.publishers.len());
        }
        let owner = usize::from(*owner);
        if let Some(due) = due {
            self.timing.note(action, number, due);
        }
        recorded.route.frame(&mut self.due[owner], action);
        if self.due[owner].len() >= WRITE {
            self.send()?;
            self.tick()?;
        }
        Ok(true)
    }

    /// Sends whatever is due.
    fn send(&mut self) -> Result<(), String> {
        for (publisher, frames) in self.publishers.iter_mut().zip(&mut self.due) {
            if !frames.is_empty() {
                publisher.publish(frames)?;
                frames.clear();
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), String> {
        self.publishers.iter_mut().try_for_each(Publisher::tick)
    }

    fn wait(&mut self, due: Instant) -> Result<(), String> {
        loop {
            self.tick()?;
            match due.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return Ok(()),
                rest => std::thread::sleep(rest.min(NAP)),
            }
        }
    }
}

/// The publisher of the peer that announced a route. If several peers announce it, the destination decides.
fn publisher_of(recorded: &Recorded, publishers: usize) -> u16 {
    let mut hasher = DefaultHasher::new();
    match &recorded.announcer {
        Some(name) => name.hash(&mut hasher),
        None => recorded.route.destination.to_string().hash(&mut hasher),
    }
    u16::try_from(hasher.finish() % publishers.max(1) as u64).unwrap_or(0)
}
