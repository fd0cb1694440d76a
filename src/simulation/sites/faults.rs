//! What goes wrong, and when it ends.

use std::time::Duration;

use super::plan::Fault;
use super::world::World;
use crate::ids::Moment;

fn millis(count: usize) -> Duration {
    Duration::from_millis(count as u64)
}

impl World {
    /// Causes a fault.
    pub(super) fn make_trouble(&mut self) {
        if self.plan.faults.is_empty() {
            return;
        }
        let fault = *self.rng.pick(&self.plan.faults);
        let site = self.rng.below(self.sites.len());
        match fault {
            Fault::Partition => self.partition(site),
            Fault::Restart => self.stop(site),
            Fault::Drain => self.drain(site),
            Fault::Handover => self.hand_over(site),
            Fault::Freeze => self.freeze(site),
            Fault::Engine => {
                let all = self.rng.chance(300);
                let duration = millis(self.rng.between(50, 6000));
                for other in (0..self.sites.len()).filter(|other| all || *other == site) {
                    self.disconnect(other, duration);
                }
            }
            Fault::Overflow => {
                let until = self.now + millis(self.rng.between(20, 1500));
                self.note(|| format!("site {site} loses messages until {}", until.0));
                self.engine.overflows[site] = until;
                self.overflowed.push((until, site));
            }
            Fault::Slow => {
                if let Some(process) = &mut self.sites[site].process {
                    let takes = if process.takes > 1 { 1 } else { 1000 };
                    process.takes = takes;
                    self.note(|| format!("site {site} sends {takes} messages at a time"));
                }
            }
        }
    }

    fn partition(&mut self, site: usize) {
        let other = self.rng.below(self.sites.len());
        if other == site {
            return;
        }
        let until = self.now + millis(self.rng.between(50, 7000));
        let both = self.rng.chance(600);
        self.note(|| format!("site {site} does not reach {other}, both {both}, until {}", until.0));
        self.engine.cut.insert((site, other));
        self.heals.push((until, (site, other)));
        if both {
            self.engine.cut.insert((other, site));
            self.heals.push((until, (other, site)));
        }
    }

    fn freeze(&mut self, site: usize) {
        let until = self.now + millis(self.rng.between(100, 6000));
        if self.sites[site].process.is_some() && !self.sites[site].is_frozen(self.now) {
            self.note(|| format!("site {site} stands still until {}", until.0));
            self.sites[site].frozen_until = until;
        }
    }

    /// The process ends now, and another one starts after a while.
    pub(super) fn stop(&mut self, site: usize) {
        if self.sites[site].process.take().is_none() {
            return;
        }
        let starts_at = self.now + millis(self.rng.between(200, 4000));
        self.note(|| format!("site {site} ends, and starts again at {}", starts_at.0));
        let entry = &mut self.sites[site];
        entry.starts_at = Some(starts_at);
        (entry.ends_at, entry.connects_at, entry.frozen_until) = (None, None, Moment(0));
        entry.clients.iter_mut().for_each(super::client::Client::hang_up);
        self.engine.forget(site);
    }

    fn drain(&mut self, site: usize) {
        let ends_at = self.now + millis(self.rng.between(200, 3000));
        let (now, entry) = (self.now, &mut self.sites[site]);
        let is_frozen = entry.is_frozen(now);
        let Some(process) =
            entry.process.as_mut().filter(|_| entry.ends_at.is_none() && !is_frozen)
        else {
            return;
        };
        process.link.drain(now);
        if self.rng.chance(200) {
            // The operator has changed their mind.
            process.link.undrain(now);
            return self.note(|| format!("site {site} drains for a moment"));
        }
        entry.ends_at = Some(ends_at);
        self.note(|| format!("site {site} drains, and ends at {}", ends_at.0));
    }

    pub(super) fn disconnect(&mut self, site: usize, duration: Duration) {
        let until = self.now + duration;
        let now = self.now;
        let Some(process) = self.sites[site].process.as_mut().filter(|it| it.is_connected) else {
            return;
        };
        process.is_connected = false;
        process.link.disconnected(now);
        // Some of the waiting messages had gone into the connection.
        for _ in 0..self.rng.below(5) {
            process.link.next_message();
        }
        self.sites[site].connects_at = Some(until);
        self.engine.forget(site);
        self.note(|| format!("site {site} loses the engine until {}", until.0));
    }

    /// Ends the faults whose time is over.
    pub(super) fn end_trouble(&mut self) {
        let now = self.now;
        let is_over = |(until, _): &mut (Moment, (usize, usize))| *until <= now;
        for (_, pair) in self.heals.extract_if(.., is_over) {
            self.engine.cut.remove(&pair);
        }
        let over: Vec<_> = self.overflowed.extract_if(.., |(until, _)| *until <= now).collect();
        for (_, site) in over {
            if let Some(process) =
                self.sites[site].process.as_mut().filter(|_| self.rng.chance(700))
            {
                process.link.overflowed(now);
            }
        }
        for site in 0..self.sites.len() {
            if self.sites[site].ends_at.is_some_and(|then| then <= now) {
                self.stop(site);
            }
            if self.sites[site].starts_at.is_some_and(|then| then <= now) {
                self.sites[site].starts_at = None;
                self.start(site);
            }
            if self.sites[site].connects_at.is_some_and(|then| then <= now) {
                self.sites[site].connects_at = None;
                self.connect(site);
            }
        }
    }

    /// Ends all faults.
    pub(super) fn calm(&mut self) {
        self.note(|| "nothing goes wrong any more".into());
        self.engine.cut.clear();
        self.heals.clear();
        let now = self.now;
        for site in &mut self.sites {
            if let Some(process) = &mut site.process {
                process.takes = 1000;
            }
            site.frozen_until = site.frozen_until.min(now);
        }
    }
}
