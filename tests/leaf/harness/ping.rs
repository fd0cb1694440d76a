//! Packets that go on while things break.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rustix::process::Signal;

use super::{Guest, Process, wait_until};

/// Fifty echo requests a second until it is ended.
pub(crate) struct Flood(Process);

impl Flood {
    /// Begins, and waits until the first answers have come.
    pub(crate) fn start(from: &Guest, to: IpAddr) -> Self {
        let flood = Self(Process::start(from.namespace(), "ping", &format!("-n -i 0.02 {to}")));
        flood.wait_for(5);
        flood
    }

    /// Waits for so many answers more.
    pub(crate) fn wait_for(&self, answers: usize) {
        let enough = self.answered().len() + answers;
        wait_until("pings are answered", || self.0.log(), || self.answered().len() >= enough);
    }

    /// Ends it. Every request must have been answered but for the last ones, whose answers may have
    /// been on their way.
    pub(crate) fn expect_no_loss(self) {
        // Had the last ones been lost, there would be no more answers.
        self.wait_for(5);
        self.0.signal(Signal::INT);
        let answered = self.answered();
        let last = *answered.last().unwrap();
        let lost: Vec<u32> = (1..=last).filter(|number| !answered.contains(number)).collect();
        assert!(lost.is_empty(), "of {last} pings these were lost: {lost:?}");
    }

    /// The numbers of the answered requests.
    fn answered(&self) -> BTreeSet<u32> {
        let log = self.0.log();
        let answers = log.lines().filter(|line| line.contains(" bytes from "));
        let number = |line: &str| {
            let (_, rest) = line.split_once("icmp_seq=")?;
            rest.split(' ').next()?.parse().ok()
        };
        answers.filter_map(number).collect()
    }
}
