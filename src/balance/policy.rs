//! How many shards should be awake. Pure: loads, the number of connections and the time go in, a number comes out.

use std::time::Duration;

/// If a shard has been above this load for this long, others wake up.
const TOO_MUCH: f64 = 0.75;
const FOR_LONG: Duration = Duration::from_millis(500);
/// The load that each awake shard should have.
const ENOUGH: f64 = 0.6;
/// If this many peers connect soon after a start, a fleet connects again, and brings a load. For fewer, shards that wake
/// each other would cost more than they save, and a load that is too much for one shard wakes others anyway.
const FLEET: u64 = 256;
/// The weight of one look in the total without short peaks: roughly the looks of the last second count.
const CALM: f64 = 0.1;
/// If the load would have fit into one shard fewer for this long, one falls asleep.
const TOO_LITTLE_FOR: Duration = Duration::from_secs(10);
/// Shards that wake each other use more CPU time than one fewer would, and only a trial shows how much. If one fewer
/// could carry the present load for [`TRIAL_AFTER`], it is tried.
const TRIAL_LOAD: f64 = 1.0;
/// The pause before a trial: doubled after each failed one, up to the longest.
const TRIAL_AFTER: Duration = Duration::from_secs(30);
const TRIAL_AFTER_MAX: Duration = Duration::from_secs(3600);
/// A trial has succeeded when no shard has had too much load for this long.
const TRIAL_FOR: Duration = Duration::from_secs(10);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct BalancePolicy {
    least: usize,
    most: usize,
    awake: usize,
    /// The time until which a fleet wakes all shards.
    all_until: Duration,
    /// The total load, without its short peaks: a thread that waits for its core for a moment is no load.
    calm_total: Option<f64>,
    /// Since when some shard has had too much load, and since when one fewer would be enough.
    too_much_since: Option<Duration>,
    too_little_since: Option<Duration>,
    /// Since when a trial would be worth it, how long that must last, and when the trial under way began.
    worth_a_trial_since: Option<Duration>,
    trial_after: Duration,
    trial: Option<Duration>,
}

impl BalancePolicy {
    /// Keeps between `least` and `most` shards awake, and `least` at first. Until `all_until`, [`FLEET`] connections
    /// wake all shards. Moments are times since any fixed one.
    pub(super) fn new(least: usize, most: usize, all_until: Duration) -> Self {
        let least = least.clamp(1, most);
        Self {
            least,
            most,
            awake: least,
            all_until,
            calm_total: None,
            too_much_since: None,
            too_little_since: None,
            worth_a_trial_since: None,
            trial_after: TRIAL_AFTER,
            trial: None,
        }
    }

    /// How many shards should be awake, given the load of each, which is the share of the time for which it ran or
    /// wanted to, and the number of connections.
    pub(super) fn awake(&mut self, now: Duration, loads: &[f64], connections: u64) -> usize {
        if self.is_fleet(now, connections) {
            (self.too_much_since, self.too_little_since) = (None, None);
            self.awake = self.most;
            return self.awake;
        }
        let total: f64 = loads.iter().sum();
        let calm = self.calm_total.unwrap_or(total);
        let calm = calm + (total - calm) * CALM;
        self.calm_total = Some(calm);
        let needed = self.needed(total);
        let has_too_much = loads.iter().any(|load| *load > TOO_MUCH);
        if lasts(&mut self.too_much_since, now, has_too_much && needed > self.awake, FOR_LONG) {
            self.awake = needed;
            self.too_much_since = None;
            if self.trial.take().is_some() {
                self.trial_after = (2 * self.trial_after).min(TRIAL_AFTER_MAX);
            }
        }
        let has_too_little = self.needed(calm) < self.awake;
        if lasts(&mut self.too_little_since, now, has_too_little, TOO_LITTLE_FOR) {
            self.awake -= 1;
            self.too_little_since = None;
        }
        self.try_fewer(now, calm);
        self.awake
    }

    /// Whether a fleet connects after the start.
    pub(super) fn is_fleet(&self, now: Duration, connections: u64) -> bool {
        now < self.all_until && connections >= FLEET
    }

    /// How many shards a total load needs.
    fn needed(&self, total: f64) -> usize {
        let needed = (1..self.most).find(|shards| total <= ENOUGH * *shards as f64);
        needed.unwrap_or(self.most).max(self.least)
    }

    /// Lets a shard fall asleep for a trial, if the load may come from the number of shards.
    fn try_fewer(&mut self, now: Duration, total: f64) {
        if self.trial.is_some_and(|began| now.saturating_sub(began) >= TRIAL_FOR) {
            (self.trial, self.trial_after) = (None, TRIAL_AFTER);
        }
        let fewer = self.awake - 1;
        let is_worth_it = self.trial.is_none()
            && self.needed(total) == self.awake
            && fewer >= self.least
            && total <= TRIAL_LOAD * fewer as f64;
        if lasts(&mut self.worth_a_trial_since, now, is_worth_it, self.trial_after) {
            self.awake = fewer;
            self.trial = Some(now);
            self.worth_a_trial_since = None;
        }
    }
}

/// Whether `is_so` has been true for long enough.
fn lasts(since: &mut Option<Duration>, now: Duration, is_so: bool, long: Duration) -> bool {
    if !is_so {
        *since = None;
        return false;
    }
    now.saturating_sub(*since.get_or_insert(now)) >= long
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS_30: Duration = Duration::from_secs(30);

    /// How many are awake after so many seconds of the same load of a fleet, looked at ten times a second.
    fn after(policy: &mut BalancePolicy, now: &mut u64, seconds: u64, loads: &[f64]) -> usize {
        let mut awake = 0;
        for _ in 0..seconds * 10 {
            *now += 100;
            awake = policy.awake(Duration::from_millis(*now), loads, FLEET);
        }
        awake
    }

    #[test]
    fn few_connections_wake_one_shard_unless_they_bring_a_load() {
        let mut policy = BalancePolicy::new(1, 4, SECONDS_30);
        for tenths in 0..20 {
            let now = Duration::from_millis(100 * tenths);
            assert_eq!(policy.awake(now, &[0.7], FLEET - 1), 1);
        }
        let awake: Vec<_> = (20..30)
            .map(|tenths| policy.awake(Duration::from_millis(100 * tenths), &[1.0], FLEET - 1))
            .collect();
        assert_eq!(awake, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn a_fleet_wakes_all_at_first_and_one_is_awake_when_there_is_nothing_to_do() {
        let (mut policy, mut now) = (BalancePolicy::new(1, 4, SECONDS_30), 0);
        assert_eq!(after(&mut policy, &mut now, 29, &[0.0; 4]), 4);
        assert_eq!(after(&mut policy, &mut now, 12, &[0.0; 4]), 3);
        assert_eq!(after(&mut policy, &mut now, 60, &[0.0; 4]), 1);
    }

    #[test]
    fn a_burst_wakes_what_it_needs_at_once_and_a_short_one_nothing() {
        let (mut policy, mut now) = (BalancePolicy::new(1, 16, SECONDS_30), 0);
        assert_eq!(after(&mut policy, &mut now, 300, &[0.01; 16]), 1);
        for _ in 0..4 {
            now += 100;
            assert_eq!(policy.awake(Duration::from_millis(now), &[0.9], 1), 1);
        }
        now += 100;
        assert_eq!(policy.awake(Duration::from_millis(now), &[0.1], 1), 1);
        assert_eq!(after(&mut policy, &mut now, 1, &[0.95]), 2);
        assert_eq!(after(&mut policy, &mut now, 1, &[1.0, 0.9]), 4);
        assert_eq!(after(&mut policy, &mut now, 1, &[0.85, 0.85, 0.85, 0.85]), 6);
    }

    #[test]
    fn a_load_between_both_marks_changes_nothing() {
        let (mut policy, mut now) = (BalancePolicy::new(1, 4, SECONDS_30), 0);
        after(&mut policy, &mut now, 100, &[0.0; 4]);
        assert_eq!(after(&mut policy, &mut now, 2, &[0.9]), 2);
        assert_eq!(after(&mut policy, &mut now, 60, &[0.55, 0.5]), 2);
        assert_eq!(after(&mut policy, &mut now, 13, &[0.2, 0.2]), 1);
    }

    #[test]
    fn short_peaks_keep_no_shard_awake() {
        let (mut policy, mut now) = (BalancePolicy::new(1, 2, Duration::ZERO), 0);
        for _ in 0..20 {
            after(&mut policy, &mut now, 1, &[0.05, 0.05]);
            now += 100;
            policy.awake(Duration::from_millis(now), &[0.9, 0.9], 1);
        }
        assert_eq!(policy.awake, 1);
    }

    /// Two shards that wake each other have a load of 0.4 each; one shard alone has 0.5, so it stays alone.
    #[test]
    fn one_fewer_is_tried_and_kept_when_it_is_enough() {
        let (mut policy, mut now) = (BalancePolicy::new(1, 2, SECONDS_30), 0);
        assert_eq!(after(&mut policy, &mut now, 59, &[0.4, 0.4]), 2);
        assert_eq!(after(&mut policy, &mut now, 2, &[0.4, 0.4]), 1);
        assert_eq!(after(&mut policy, &mut now, 300, &[0.5, 0.0]), 1);
        assert_eq!(after(&mut policy, &mut now, 300, &[0.58, 0.0]), 1, "no more than it can do");
    }

    #[test]
    fn a_trial_that_fails_ends_soon_and_comes_less_often_each_time() {
        let (mut policy, mut now) = (BalancePolicy::new(1, 2, Duration::ZERO), 0);
        let mut trials = Vec::new();
        let mut awake = 1;
        for _ in 0..4 * 3600 * 10 {
            now += 100;
            let loads = if awake == 2 { [0.44, 0.44] } else { [0.88, 0.0] };
            let next = policy.awake(Duration::from_millis(now), &loads, 1);
            if next < awake {
                trials.push(now);
            }
            awake = next;
        }
        let pauses: Vec<_> = trials.windows(2).map(|pair| (pair[1] - pair[0]) / 1000).collect();
        let expected = [60, 120, 240, 480, 960, 1920, 3600];
        assert!(
            pauses.iter().zip(expected).all(|(is, should)| is.abs_diff(should) <= 2),
            "{pauses:?}"
        );
        assert_eq!(pauses.len(), 8, "{pauses:?}");
    }

    #[test]
    fn a_load_that_one_fewer_could_not_carry_is_not_tried() {
        let (mut policy, mut now) = (BalancePolicy::new(1, 2, Duration::ZERO), 0);
        assert_eq!(after(&mut policy, &mut now, 1, &[0.95]), 2);
        assert_eq!(after(&mut policy, &mut now, 300, &[0.55, 0.5]), 2);
        let (mut policy, mut now) = (BalancePolicy::new(2, 2, Duration::ZERO), 0);
        assert_eq!(after(&mut policy, &mut now, 300, &[0.3, 0.3]), 2, "the least number");
    }

    #[test]
    fn the_least_number_is_kept_awake() {
        let (mut policy, mut now) = (BalancePolicy::new(2, 4, SECONDS_30), 0);
        assert_eq!(after(&mut policy, &mut now, 100, &[0.0; 4]), 2);
    }
}
