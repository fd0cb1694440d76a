//! Limits that a comparison must keep: `server CPU per delivered update <= 1.5 x repeater`.

use super::comparison::{Comparison, Outcome};

/// Whether a value keeps a limit.
type Holds = fn(f64, f64) -> bool;

/// The signs of comparison; longer signs first, so that they are found first.
const SIGNS: [(&str, Holds); 4] = [
    ("<=", |left, right| left <= right),
    (">=", |left, right| left >= right),
    ("<", |left, right| left < right),
    (">", |left, right| left > right),
];

/// An expected limit.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    text: String,
    figure: String,
    /// The server whose figure is compared: the first, unless the text says `of`.
    whose: usize,
    holds: Holds,
    /// The limit, or the factor of a server's figure.
    factor: f64,
    reference: Option<usize>,
}

impl Expectation {
    /// # Errors
    /// One sentence, when it can't be understood or a server is not in `servers`.
    pub(super) fn new(text: &str, servers: &[&str]) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("--expect '{text}' {why}: write 'FIGURE <= 1.5 x SERVER' or 'FIGURE <= 100'")
        };
        let (sign, holds) = (SIGNS.iter())
            .find(|(sign, _)| text.contains(&format!(" {sign} ")))
            .ok_or_else(|| wrong("has no <=, >=, < or > between spaces"))?;
        let (left, right) = text.split_once(&format!(" {sign} ")).unwrap_or((text, ""));
        let server = |name: &str| servers.iter().position(|server| *server == name.trim());
        let of = left.rsplit_once(" of ").and_then(|(figure, name)| Some((figure, server(name)?)));
        let (figure, whose) = of.unwrap_or((left, 0));
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
        let (factor, reference) = match (right.split_once(" x "), number(right)) {
            (_, Some(limit)) => (limit, None),
            (Some((factor, name)), None) => {
                let factor = number(factor).ok_or_else(|| wrong("has no factor before the x"))?;
                (factor, Some(server(name).ok_or_else(|| wrong("names no server of --against"))?))
            }
            (None, None) => {
                (1.0, Some(server(right).ok_or_else(|| wrong("names no server of --against"))?))
            }
        };
        let (text, figure) = (text.to_owned(), figure.trim().to_owned());
        Ok(Self { text, figure, whose, holds: *holds, factor, reference })
    }

    /// # Errors
    /// One sentence, when the server `index` should have the figure but does not.
    pub(super) fn check_names(&self, seen: &Comparison<'_>, index: usize) -> Result<(), String> {
        let is_needed = self.whose == index || self.reference == Some(index);
        if !is_needed || seen.median(index, &self.figure).is_some() {
            return Ok(());
        }
        let names = seen.names().join("', '");
        Err(format!("there is no figure '{}' for --expect, only '{names}'", self.figure))
    }

    pub(super) fn outcome(&self, seen: &Comparison<'_>) -> Outcome {
        // A missing figure keeps no limit.
        let median = |index| seen.median(index, &self.figure).unwrap_or(f64::NAN);
        let value = median(self.whose);
        let limit = self.factor * self.reference.map_or(1.0, median);
        Outcome { text: self.text.clone(), value, limit, holds: (self.holds)(value, limit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, usize, f64, Option<usize>), String> {
        let servers = ["reflector", "reflector --shards 1", "repeater"];
        let all = Expectation::new(text, &servers)?;
        Ok((all.figure, all.whose, all.factor, all.reference))
    }

    #[test]
    fn limits_are_numbers_or_times_a_server() {
        let all = parsed("server CPU <= 1.5 x repeater").unwrap();
        assert_eq!(all, ("server CPU".into(), 0, 1.5, Some(2)));
        let all = parsed("latency, p99 of reflector --shards 1 < reflector").unwrap();
        assert_eq!(all, ("latency, p99".into(), 1, 1.0, Some(0)));
        let all = parsed("rate of fire >= 1e6").unwrap();
        assert_eq!(all, ("rate of fire".into(), 0, 1e6, None));
        for wrong in ["a", "a <= ", "a <= b", "a <= x repeater", "a <= 2 x rep", "a <= NaN"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn signs_mean_what_they_say() {
        let holds = |text| Expectation::new(text, &[]).unwrap().holds;
        assert!(holds("a <= 1")(1.0, 1.0) && !holds("a < 1")(1.0, 1.0));
        assert!(holds("a >= 1")(1.0, 1.0) && !holds("a > 1")(1.0, 1.0));
        assert!(!holds("a <= 1")(f64::NAN, 1.0));
    }
}
