//! What is counted of TLS: handshakes by their result, and files.

use std::collections::BTreeMap;

use crate::metrics::{Row, Rows, Value};
use crate::relaxed::Relaxed;
use crate::tls::TlsFault;

/// Counters of TLS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlsCounts {
    /// Handshakes by their result: `ok`, or the name of a [`TlsFault`](crate::TlsFault).
    pub handshakes: BTreeMap<&'static str, u64>,
    /// The number of times that changed files were not usable.
    pub reload_failures: u64,
    /// The end of the validity of the reflector's certificate, in seconds since 1970; 0 without TLS.
    pub certificate_until: u64,
}

const OK: &str = "ok";
/// The prefix of the names under which counts are passed to another process.
const SAVED: &str = "tls_handshake/";
const SAVED_FAILURES: &str = "tls_reload_failures";

const HANDSHAKES: Row = Row::json("tls_handshakes")
    .counter("metalbond_tls_handshakes_total", "TLS handshakes by their result.")
    .by(&["result"])
    .zeros(|| [&[OK][..], &TlsFault::NAMES].concat());
const FAILURES: Row = Row::json("tls_reload_failures").counter(
    "metalbond_tls_reload_failures_total",
    "Times that changed TLS files could not be used; the reflector kept using the previous files.",
);
const UNTIL: Row = Row::json("tls_certificate_until_seconds").gauge(
    "metalbond_tls_certificate_until_seconds",
    "When the reflector's certificate expires, in seconds since 1970; 0 without TLS.",
);

impl TlsCounts {
    /// The counts as metrics.
    pub(crate) fn rows(&self) -> Rows {
        vec![
            (HANDSHAKES, Value::ByName(self.handshakes.clone())),
            (FAILURES, Value::Number(self.reload_failures)),
            (UNTIL, Value::Number(self.certificate_until)),
        ]
    }
}

/// The shared counts: written by the thread of handshakes, read by any thread.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    ok: Relaxed,
    failed: [Relaxed; TlsFault::NAMES.len()],
    reload_failures: Relaxed,
    certificate_until: Relaxed,
}

#[cfg(any(test, feature = "tls"))]
impl Counters {
    pub(crate) fn count<T>(&self, result: &Result<T, TlsFault>) {
        let counter = match result {
            Ok(_) => &self.ok,
            Err(fault) => &self.failed[fault.place()],
        };
        counter.add(1);
    }

    pub(crate) fn reload_failed(&self) {
        self.reload_failures.add(1);
    }

    pub(crate) fn set_certificate(&self, until: std::time::Duration) {
        self.certificate_until.set(until.as_secs());
    }
}

impl Counters {
    fn all(&self) -> impl Iterator<Item = (&'static str, &Relaxed)> {
        [(OK, &self.ok)].into_iter().chain(TlsFault::NAMES.into_iter().zip(&self.failed))
    }

    pub(crate) fn read(&self) -> TlsCounts {
        let counts = self.all().map(|(name, count)| (name, count.get()));
        TlsCounts {
            handshakes: counts.filter(|(_, count)| *count > 0).collect(),
            reload_failures: self.reload_failures.get(),
            certificate_until: self.certificate_until.get(),
        }
    }

    /// The counts for another process.
    pub(crate) fn saved(&self) -> impl Iterator<Item = (String, u64)> {
        let TlsCounts { handshakes, reload_failures, .. } = self.read();
        let handshakes =
            handshakes.into_iter().map(|(name, count)| (format!("{SAVED}{name}"), count));
        handshakes.chain([(SAVED_FAILURES.to_owned(), reload_failures)])
    }

    /// Adds the counts of an earlier process.
    pub(crate) fn go_on_from(&self, saved: &BTreeMap<String, u64>) {
        let of = |name: &str| saved.get(name).copied().unwrap_or_default();
        for (name, counter) in self.all() {
            counter.add(of(&format!("{SAVED}{name}")));
        }
        self.reload_failures.add(of(SAVED_FAILURES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_on_in_another_process() {
        let counters = Counters::default();
        counters.count(&Ok(()));
        counters.count::<()>(&Err(TlsFault::Revoked));
        counters.reload_failed();
        let next = Counters::default();
        next.go_on_from(&counters.saved().collect());
        assert_eq!(next.read(), counters.read());
        assert_eq!(next.read().handshakes, BTreeMap::from([("ok", 1), ("revoked", 1)]));
    }
}
