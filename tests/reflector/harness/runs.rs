//! What was measured in some runs, on a reflector that is attacked and beside it on one that is not.

use std::time::Duration;

use super::{ReflectorConfig, ShardConfig};

/// Runs of each measurement. Their median is judged, so that a run in which the machine stood still does not
/// decide.
pub(crate) const RUNS: usize = 3;

/// A build without optimisation takes several times as long for each update. With so much less to do in a turn
/// its turns are as long as those of a build that is used.
const SLOWER: usize = if cfg!(debug_assertions) { 16 } else { 1 };

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Runs {
    what: &'static str,
    attacked: Duration,
    control: Duration,
}

impl Runs {
    /// Of each run first what it took on the reflector that is attacked, then on the control.
    pub(crate) fn new(what: &'static str, runs: [(Duration, Duration); RUNS]) -> Self {
        println!("{what}, attacked and not: {runs:?}");
        let (attacked, control) = (runs.map(|run| run.0), runs.map(|run| run.1));
        Self { what, attacked: median(attacked), control: median(control) }
    }

    /// Fails if it took longer than some time and than three times what it took on the control.
    ///
    /// Up to `short` it may be more than three times what it took there: a control with nothing to do answers in
    /// next to no time, and an attack adds some turns of a busy shard however idle the machine is. Where the
    /// control alone takes a third of `within` the machine is too busy to hold anybody to that, and only the
    /// control tells what is too long.
    pub(crate) fn expect(&self, within: Duration, short: Duration) {
        let Self { what, attacked, control } = self;
        let most = within.min(short).max(3 * *control);
        assert!(*attacked <= most, "{what}: {attacked:?}; {control:?} where nobody attacks");
    }
}

/// Settings with which turns are as long in any build.
pub(crate) fn with_usual_turns(mut config: ReflectorConfig) -> ReflectorConfig {
    let ShardConfig { bounds, .. } = &mut config.settings;
    bounds.read_per_turn /= SLOWER;
    bounds.work_per_turn /= SLOWER;
    config
}

fn median(mut times: [Duration; RUNS]) -> Duration {
    times.sort_unstable();
    times[RUNS / 2]
}
