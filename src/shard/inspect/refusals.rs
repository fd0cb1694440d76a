//! [`Refusals`]: how often a policy refused what, by names that outlive the policy.

use std::collections::BTreeMap;

use crate::metrics::{Measure, Row, Saved, Value};
use crate::policy::{Policy, Refusal};

/// Class, rule (0 is the class itself), reason and verdict.
type RefusalKey = [String; 4];

/// The numbers of refusals of the policy, by class, rule, reason and verdict. There are at most as many entries as
/// policies have rules, times the reasons.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Refusals(BTreeMap<RefusalKey, u64>);

impl Refusals {
    /// Each count, with the class, the rule (0 is the class itself), the reason and the verdict.
    pub fn iter(&self) -> impl Iterator<Item = (&[String; 4], u64)> {
        self.0.iter().map(|(key, count)| (key, *count))
    }
}

impl Measure for Refusals {
    fn value(&self) -> Value {
        Value::Labelled(self.0.iter().map(|(key, count)| (key.to_vec(), *count)).collect())
    }

    fn merge(&mut self, other: &Self) {
        for (key, count) in &other.0 {
            *self.0.entry(key.clone()).or_default() += count;
        }
    }

    fn save(&self, name: &str, into: &mut Saved) {
        into.extend(
            self.0.iter().map(|(key, count)| (format!("{name}/{}", key.join("/")), vec![*count])),
        );
    }

    fn load(&mut self, name: &str, _: &Row, from: &Saved) {
        let start = format!("{name}/");
        for (key, counts) in from.range(start.clone()..) {
            let Some(key) = key.strip_prefix(&start) else { break };
            let words: Vec<String> = key.split('/').map(str::to_owned).collect();
            if let (Ok(key), Some(count)) = (RefusalKey::try_from(words), counts.first()) {
                self.0.insert(key, *count);
            }
        }
    }
}

impl Refusals {
    /// Adds refusals, under the names that the policy has for them.
    pub(in crate::shard) fn add(&mut self, policy: &Policy, counts: &BTreeMap<Refusal, u64>) {
        for (refusal, count) in counts {
            let Refusal { class, rule, reason, then } = refusal;
            let class = policy.name(*class).to_owned();
            let key = [class, rule.to_string(), reason.name().into(), then.name().into()];
            *self.0.entry(key).or_default() += count;
        }
    }
}
