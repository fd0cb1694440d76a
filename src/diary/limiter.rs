//! Bounds the number of log lines that peers cause.
//!
//! A peer can cause any number of events. So each source of connections may cause so many lines per second, and a
//! source that floods hides only its own lines.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::sources::Source;

/// The most lines of one source in one period.
const LINES: u32 = 20;
const PERIOD: Duration = Duration::from_secs(1);
/// The most sources counted separately in one period; all others share the lines of one source.
const SOURCES_MAX: usize = 4096;

/// Lets a limited number of lines through in each second.
#[derive(Debug)]
pub(crate) struct Limiter {
    most: u32,
    began: Cell<Instant>,
    lines: Cell<u32>,
    left_out: Cell<u64>,
}

impl Limiter {
    pub(crate) fn new() -> Self {
        Self::of(LINES)
    }

    /// A limiter that lets `most` lines through.
    pub(crate) fn of(most: u32) -> Self {
        let (lines, left_out) = (Cell::new(0), Cell::new(0));
        Self { most, began: Cell::new(Instant::now()), lines, left_out }
    }

    /// `Some` when a line may be written: with the number of lines left out before it.
    pub(crate) fn allow(&self) -> Option<u64> {
        let now = Instant::now();
        if now - self.began.get() > PERIOD {
            self.began.set(now);
            self.lines.set(0);
        }
        if self.lines.get() >= self.most {
            self.left_out.set(self.left_out.get() + 1);
            return None;
        }
        self.lines.set(self.lines.get() + 1);
        Some(self.left_out.take())
    }
}

/// Lets a limited number of lines of each source through in each second.
#[derive(Debug)]
pub(crate) struct SourceLimiter {
    began: Cell<Instant>,
    sources: RefCell<HashMap<Source, Lines>>,
    others: Cell<Lines>,
}

/// The lines of one source, or of the sources that share.
#[derive(Clone, Copy, Debug, Default)]
struct Lines {
    written: u32,
    left_out: u64,
    /// The latest address for which a line was left out.
    address: Option<IpAddr>,
}

/// Lines that were left out in a period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LeftOut {
    pub(crate) lines: u64,
    /// The number of their sources; sources beyond [`SOURCES_MAX`] count as one.
    pub(crate) sources: u64,
    /// An address of the source with most of these lines.
    pub(crate) most: IpAddr,
}

impl SourceLimiter {
    pub(crate) fn new() -> Self {
        Self {
            began: Cell::new(Instant::now()),
            sources: RefCell::default(),
            others: Cell::default(),
        }
    }

    /// Whether a line about a connection may be written.
    pub(crate) fn allows(&self, remote: SocketAddr) -> bool {
        let mut sources = self.sources.borrow_mut();
        let (source, address) = (Source::of(remote), remote.ip());
        if sources.len() >= SOURCES_MAX && !sources.contains_key(&source) {
            let mut others = self.others.get();
            let is_allowed = others.allows(address);
            self.others.set(others);
            return is_allowed;
        }
        sources.entry(source).or_default().allows(address)
    }

    /// The lines left out, if a period is over and there were any. Ask before each line and now and
    /// then, so that a source that floods and then falls silent is logged as well.
    pub(crate) fn left_out(&self) -> Option<LeftOut> {
        if self.began.get().elapsed() < PERIOD {
            return None;
        }
        self.began.set(Instant::now());
        let sources = std::mem::take(&mut *self.sources.borrow_mut());
        let lines = sources.into_values().chain([self.others.take()]);
        let left_out: Vec<_> = lines.filter(|lines| lines.left_out > 0).collect();
        let most = left_out.iter().max_by_key(|lines| lines.left_out)?.address?;
        let lines = left_out.iter().map(|lines| lines.left_out).sum();
        Some(LeftOut { lines, sources: left_out.len() as u64, most })
    }
}

impl Lines {
    fn allows(&mut self, address: IpAddr) -> bool {
        if self.written < LINES {
            self.written += 1;
            return true;
        }
        self.left_out += 1;
        self.address = Some(address);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> SocketAddr {
        (n.to_be_bytes(), 4711).into()
    }

    #[test]
    fn a_source_that_floods_hides_only_its_own_lines() {
        let limiter = SourceLimiter::new();
        let let_through = (0..1000).filter(|_| limiter.allows(address(1))).count();
        assert_eq!(let_through, LINES as usize);
        assert!(limiter.allows(address(2)));
        assert!(limiter.allows("[2001:db8::1]:4711".parse().unwrap()));
        limiter.began.set(Instant::now() - 2 * PERIOD);
        let left_out = LeftOut { lines: 980, sources: 1, most: address(1).ip() };
        assert_eq!(limiter.left_out(), Some(left_out));
        assert_eq!(limiter.left_out(), None);
        assert!(limiter.allows(address(1)));
    }

    #[test]
    fn any_number_of_sources_takes_bounded_memory_and_lines() {
        let limiter = SourceLimiter::new();
        let let_through = (0..100_000).filter(|n| limiter.allows(address(*n))).count();
        assert_eq!(let_through, SOURCES_MAX + LINES as usize);
        assert_eq!(limiter.sources.borrow().len(), SOURCES_MAX);
    }
}
