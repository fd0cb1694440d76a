//! Prometheus' text form, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::Histogram;

/// The content type of this form in HTTP.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Names and values of a sample's labels. Labels with an empty value are left out, which means the
/// same.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A text being written. Samples follow the heading of their family.
#[derive(Debug, Default)]
pub(crate) struct Text {
    out: String,
    family: &'static str,
}

impl Text {
    /// A further part of a text: samples of a family whose heading is in an earlier one.
    pub(crate) fn within(family: &'static str) -> Self {
        Self { out: String::new(), family }
    }

    /// Begins a family of counters. Their names end in `_total`.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, help, "counter")
    }

    /// Begins a family of gauges.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, help, "gauge")
    }

    /// Families of gauges of one sample each: names, helps and values.
    pub(crate) fn gauges<V: Display>(
        &mut self,
        all: impl IntoIterator<Item = (&'static str, &'static str, V)>,
    ) {
        for (name, help, value) in all {
            self.gauge(name, help).sample(&[], value);
        }
    }

    /// Begins a family of histograms of durations. Their names end in `_seconds`.
    pub(crate) fn histogram(&mut self, name: &'static str, help: &str) -> &mut Self {
        self.family(name, help, "histogram")
    }

    /// Adds a sample.
    pub(crate) fn sample(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        self.line("", labels, value);
        self
    }

    /// Adds the samples of one histogram.
    pub(crate) fn buckets(&mut self, labels: Labels<'_>, histogram: &Histogram) -> &mut Self {
        for (bound, count) in histogram.cumulative() {
            let bound =
                bound.map_or_else(|| "+Inf".to_owned(), |bound| bound.as_secs_f64().to_string());
            let labels: Vec<_> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.line("_bucket", &labels, count);
        }
        self.line("_sum", labels, histogram.sum().as_secs_f64());
        self.line("_count", labels, histogram.count());
        self
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &str) -> &mut Self {
        self.family = name;
        self.put(format_args!("# HELP {name} {}\n", escaped(help, false)));
        self.put(format_args!("# TYPE {name} {kind}\n"));
        self
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, value: impl Display) {
        self.out.push_str(self.family);
        self.out.push_str(suffix);
        let mut open = '{';
        for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
            self.put(format_args!("{open}{name}=\"{}\"", escaped(value, true)));
            open = ',';
        }
        self.out.push_str(if open == ',' { "}" } else { "" });
        self.put(format_args!(" {value}\n"));
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.out.write_fmt(text).unwrap_or_default();
    }
}

/// A text with the characters escaped that would end it: backslashes, line breaks and, in a label's value, quotes.
fn escaped(text: &str, is_label: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if is_label { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn samples_have_the_labels_that_say_something() {
        let mut text = Text::default();
        text.counter("a_total", "What a is.")
            .sample(&[], 1)
            .sample(&[("x", ""), ("y", "z")], 2)
            .sample(&[("x", "1"), ("y", "2")], 0.5);
        let expected = "# HELP a_total What a is.\n# TYPE a_total counter\na_total 1\n\
                        a_total{y=\"z\"} 2\na_total{x=\"1\",y=\"2\"} 0.5\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn what_peers_say_cannot_break_a_line() {
        let mut text = Text::default();
        text.gauge("g", "one\\\ntwo").sample(&[("node", "a\"b\\c\nd")], 1);
        let expected = "# HELP g one\\\\\\ntwo\n# TYPE g gauge\ng{node=\"a\\\"b\\\\c\\nd\"} 1\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn buckets_are_cumulative_and_in_seconds() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_micros(10));
        histogram.record(Duration::from_secs(100));
        let mut text = Text::default();
        text.histogram("h_seconds", "h").buckets(&[("shard", "0")], &histogram);
        let text = text.finish();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[2], "h_seconds_bucket{shard=\"0\",le=\"0.000016\"} 1");
        let end = [
            "h_seconds_bucket{shard=\"0\",le=\"+Inf\"} 2",
            "h_seconds_sum{shard=\"0\"} 100.00001",
            "h_seconds_count{shard=\"0\"} 2",
        ];
        assert_eq!(lines[lines.len() - 3..], end);
    }
}
