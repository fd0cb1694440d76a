//! The sites, the engine between them, and what is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::client::{Client, Key};
use super::engine::{Engine, Letter};
use super::plan::Plan;
use super::site::{Process, Site};
use crate::federation::link::{Address, BusSource, LinkEvent, LinkSettings, Output, SiteStatus};
use crate::ids::{Moment, PeerId};
use crate::simulation::Rng;

/// How long routes of an absent site are kept: longer than any trouble but the site's end.
const STALE: Duration = Duration::from_secs(20);
/// Clients of a new process are back within this time.
const WARMING: Duration = Duration::from_secs(5);
const LISTENING: Duration = Duration::from_millis(300);
/// The time after the trouble in which all views become right: a process that starts at the end of the
/// trouble must warm up, and a silent one must be noticed.
const REPAIRS: Duration = Duration::from_secs(25);
/// The first number of the anchors: routes of each VNI that each site always announces, with numbers of its own.
const ANCHORS: u32 = 9000;
/// The distance from one site's first number to the next site's.
const SPACING: u32 = 600;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: Moment,
    pub(super) sites: Vec<Site>,
    pub(super) engine: Engine,
    /// When pairs of sites reach each other again.
    pub(super) heals: Vec<(Moment, (usize, usize))>,
    /// When each site learns that it has lost messages.
    pub(super) overflowed: Vec<(Moment, usize)>,
    /// Clients, by the moment of their return.
    returns: BTreeMap<(Moment, u64), (usize, usize)>,
    next_peer: u64,
    pub(super) handovers: u64,
    acts_at: Moment,
    fails_at: Moment,
    pub(super) is_trouble: bool,
    trace: u64,
}

impl World {
    pub(super) fn new(seed: u64, is_verbose: bool) -> Self {
        let mut rng = Rng::new(seed ^ 0x5173);
        let plan = Plan::draw(&mut rng, is_verbose);
        if is_verbose {
            println!("{plan:#?}");
        }
        let now = Moment(1_000_000);
        let names = (0..plan.sites).map(|site| format!("site-{site}")).collect();
        let site = |number: usize| {
            let mut clients: Vec<Client> = (0..plan.clients).map(|_| Client::new()).collect();
            for vni in 0..plan.vnis {
                let first = ANCHORS + SPACING * u32::try_from(number).unwrap_or(0);
                let anchors = (0..plan.anchors).map(|anchor| (vni, first + 3 * anchor));
                clients[0].announces.extend(anchors);
            }
            Site {
                process: None,
                clients,
                frozen_until: Moment(0),
                starts_at: Some(now),
                ends_at: None,
                connects_at: None,
                missed: 0,
            }
        };
        Self {
            sites: (0..plan.sites).map(site).collect(),
            engine: Engine::new(names),
            heals: Vec::new(),
            overflowed: Vec::new(),
            returns: BTreeMap::new(),
            next_peer: 0,
            handovers: 0,
            acts_at: now,
            fails_at: now + plan.faults_every,
            is_trouble: true,
            trace: seed,
            plan,
            rng,
            now,
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.now
    }

    pub(super) fn trace(&self) -> u64 {
        self.trace
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        self.trace = (self.trace ^ self.now.0).wrapping_mul(0x100_0000_01B3).rotate_left(23);
        if self.plan.is_verbose {
            println!("{:>10.3} {}", self.now.0 as f64 / 1e6, text());
        }
    }

    pub(super) fn run(&mut self) -> Result<(), String> {
        let end = self.now + self.plan.trouble;
        while self.now < end {
            self.step()?;
        }
        self.is_trouble = false;
        self.calm();
        let end = self.now + REPAIRS;
        let mut right = 0;
        // Views must stay right for a while: nothing that is still to come may make them wrong.
        while right < 100 {
            self.step()?;
            match self.wrong().or_else(|| self.waits()) {
                None => right += 1,
                Some(wrong) if self.now > end => return Err(wrong),
                Some(_) => right = 0,
            }
        }
        Ok(())
    }

    /// Something small happens between two steps: often in trouble, otherwise as often as a link looks at the clock.
    fn step(&mut self) -> Result<(), String> {
        let step = if self.is_trouble { self.rng.between(1, 12) } else { 25 };
        self.now = self.now + Duration::from_millis(step as u64);
        self.end_trouble();
        while let Some(entry) = self.returns.first_entry().filter(|it| it.key().0 <= self.now) {
            let (site, client) = entry.remove();
            self.client_connects(site, client);
        }
        if self.is_trouble && self.now >= self.fails_at {
            let most = 2 * self.plan.faults_every.as_millis() as usize;
            self.fails_at = self.now + Duration::from_millis(self.rng.below(most) as u64);
            self.make_trouble();
        }
        while self.is_trouble && self.now >= self.acts_at {
            let most = 2 * self.plan.churn.as_micros() as usize;
            self.acts_at = self.acts_at + Duration::from_micros(self.rng.below(most) as u64);
            self.act();
        }
        while let Some((site, letter)) = self.engine.arrived(self.now) {
            self.arrive(site, &letter);
        }
        for site in 0..self.sites.len() {
            self.turn(site)?;
        }
        Ok(())
    }

    /// A client of a site acts.
    fn act(&mut self) {
        let site = self.rng.below(self.sites.len());
        let client = self.rng.below(self.plan.clients);
        let vni = u32::try_from(self.rng.below(self.plan.vnis as usize)).unwrap_or(0);
        let route = u32::try_from(self.rng.below(self.plan.routes as usize)).unwrap_or(0);
        let (now, choice) = (self.now, self.rng.below(100));
        if self.sites[site].is_frozen(now) {
            return;
        }
        let Site { process, clients, ends_at, .. } = &mut self.sites[site];
        let entry = &mut clients[client];
        let mut none = Vec::new();
        let shards = process.as_mut().map_or(&mut none, |process| &mut process.shards);
        match choice {
            0..80 => {
                let adds = entry.toggle(now, shards, (vni, route));
                self.note(|| {
                    format!("site {site} client {client} announces {vni}/{route}: {adds}")
                });
            }
            80..97 => {
                let wants = choice < 95 || client == 0;
                entry.subscribe(now, shards, vni, wants);
                self.note(|| format!("site {site} client {client} wants {vni}: {wants}"));
            }
            // No client announces its routes while it is away, except the anchors of client 0.
            _ if client > 0 && ends_at.is_none() => self.client_leaves(site, client),
            _ => {}
        }
    }

    fn client_leaves(&mut self, site: usize, client: usize) {
        let now = self.now;
        let Site { process: Some(process), clients, .. } = &mut self.sites[site] else { return };
        if !clients[client].is_up() {
            return;
        }
        let ends = crate::session::CloseReason::PeerClosed;
        clients[client].close(&mut process.shards, ends);
        self.note(|| format!("site {site} client {client} leaves"));
        let after = Duration::from_millis(self.rng.below(2000) as u64);
        self.next_peer += 1;
        self.returns.insert((now + after, self.next_peer), (site, client));
    }

    fn client_connects(&mut self, site: usize, client: usize) {
        let (now, plan) = (self.now, &self.plan);
        let Site { process: Some(process), clients, .. } = &mut self.sites[site] else { return };
        if clients[client].is_up() {
            return;
        }
        self.next_peer += 1;
        let place = self.rng.below(plan.shards);
        clients[client].connect(now, PeerId(self.next_peer), place, &mut process.shards);
        self.note(|| format!("site {site} client {client} connects to shard {place}"));
    }

    /// A process of a site starts, and its clients come back within a while.
    pub(super) fn start(&mut self, site: usize) {
        let settings = self.settings(site);
        let process = Process::new(&self.plan, settings, &mut self.rng, self.now);
        self.sites[site].process = Some(process);
        self.note(|| format!("site {site} starts"));
        for client in 0..self.plan.clients {
            let most = WARMING.as_millis() as usize - 500;
            let after = Duration::from_millis(self.rng.below(most) as u64);
            self.next_peer += 1;
            self.returns.insert((self.now + after, self.next_peer), (site, client));
        }
        let after = Duration::from_millis(self.rng.below(300) as u64);
        self.sites[site].connects_at = Some(self.now + after);
    }

    pub(super) fn settings(&self, site: usize) -> LinkSettings {
        let mut settings = LinkSettings::new(self.engine.name(site));
        settings.stale_time = STALE;
        settings.warming = WARMING;
        settings.listening = LISTENING;
        settings.gathers_above = self.plan.gathers_above;
        // As many as a site can have: no site is ever above it.
        settings.routes_per_site = self.plan.routes_of_site();
        settings
    }

    pub(super) fn connect(&mut self, site: usize) {
        let now = self.now;
        let Some(process) = &mut self.sites[site].process else { return };
        process.is_connected = true;
        process.link.connected(now);
        // The engine's client subscribes again to all its VNIs.
        for vni in process.link.listens() {
            self.engine.listen(&mut self.rng, &self.plan, now, site, vni);
        }
        self.note(|| format!("site {site} has the engine"));
    }

    /// A message arrives at a site.
    fn arrive(&mut self, site: usize, letter: &Letter) {
        let now = self.now;
        let from = self.engine.name(letter.from).to_owned();
        let entry = &mut self.sites[site];
        if entry.is_frozen(now) {
            entry.missed += 1;
            return; // it is in a socket's buffer, which is lost with the connection
        }
        let Some(process) = entry.process.as_mut().filter(|it| it.is_connected) else { return };
        let source = match &letter.to {
            Address::Vni(vni) => BusSource::Vni(&from, *vni),
            Address::All => BusSource::All(&from),
            Address::Site(_) => BusSource::Site(&from),
        };
        process.link.received(now, source, letter.payload.clone());
    }

    fn turn(&mut self, site: usize) -> Result<(), String> {
        let now = self.now;
        if self.sites[site].is_frozen(now) {
            return Ok(());
        }
        if std::mem::take(&mut self.sites[site].missed) > 0 {
            // The site stood still, and the engine has given it up.
            let after = Duration::from_millis(self.rng.between(10, 500) as u64);
            self.disconnect(site, after);
        }
        let rounds = if self.is_trouble { self.rng.between(1, 6) } else { 50 };
        for _ in 0..rounds {
            let Some(process) = &mut self.sites[site].process else { return Ok(()) };
            let (is_busy, outputs) = process.round(&mut self.rng, now);
            for output in outputs {
                self.obey(site, output)?;
            }
            for client in 0..self.plan.clients {
                self.read(site, client)?;
            }
            if !is_busy {
                break;
            }
        }
        let Some(process) = &mut self.sites[site].process else { return Ok(()) };
        let takes = if process.is_connected { process.takes } else { 0 };
        for _ in 0..takes {
            let Some(outgoing) = process.link.next_message() else { break };
            let Self { engine, rng, plan, is_trouble, .. } = self;
            engine.send(rng, plan, now, *is_trouble, site, &outgoing);
        }
        Ok(())
    }

    pub(super) fn obey(&mut self, site: usize, output: Output) -> Result<(), String> {
        match output {
            Output::Listen(vni) => {
                if self.sites[site].process.as_ref().is_some_and(|it| it.is_connected) {
                    self.engine.listen(&mut self.rng, &self.plan, self.now, site, vni);
                }
            }
            Output::Ignore(vni) => self.engine.ignore(site, vni),
            Output::Event(event) => {
                self.note(|| format!("site {site}: {event:?}"));
                match event {
                    LinkEvent::Mismatch { .. }
                    | LinkEvent::Poisoned { .. }
                    | LinkEvent::AboveLimit { .. } => {
                        return Err(format!("site {site}: {event:?}"));
                    }
                    LinkEvent::Gone { .. } => {
                        return Err(format!(
                            "site {site}: {event:?}, and nothing was away so long"
                        ));
                    }
                    _ => {}
                }
            }
            Output::Request(_) => {}
        }
        Ok(())
    }

    fn read(&mut self, site: usize, client: usize) -> Result<(), String> {
        let now = self.now;
        let Site { process: Some(process), clients, .. } = &mut self.sites[site] else {
            return Ok(());
        };
        let told = clients[client].read(now, &mut process.shards);
        let told = told.map_err(|error| format!("site {site} client {client}: {error}"))?;
        for (key, is_there) in told {
            self.note(|| format!("site {site} client {client} is told {key:?}: {is_there}"));
            let anchor = key.1.checked_sub(ANCHORS).map(|number| (number / SPACING) as usize);
            if let Some(of) = anchor.filter(|of| *of != site && !is_there) {
                return Err(format!(
                    "site {site} client {client} is told to remove {key:?}, which site {of} has \
                     announced all along"
                ));
            }
        }
        Ok(())
    }

    /// The work that is still under way in a link.
    fn waits(&self) -> Option<String> {
        for (at, site) in self.sites.iter().enumerate() {
            let Some(process) = &site.process else { return Some(format!("site {at} is away")) };
            let status = process.link.status();
            let waits = status.snapshots_awaited + status.vnis_behind + status.answers;
            let lacks = |site: &SiteStatus| site.vnis_in_sync != status.vnis_wanted;
            if waits > 0 || !status.is_connected || status.sites.iter().any(lacks) {
                return Some(format!("site {at}: {status:?}"));
            }
        }
        None
    }

    /// The first difference between a view and the expected one.
    fn wrong(&self) -> Option<String> {
        for (at, site) in self.sites.iter().enumerate() {
            for (number, client) in site.clients.iter().enumerate() {
                if !client.is_up() {
                    return Some(format!("site {at} client {number} is away"));
                }
                for vni in &client.wants {
                    let all = self.sites.iter().enumerate().flat_map(|(other, site)| {
                        let client_at =
                            move |(place, _): &(usize, &Client)| (other, *place) != (at, number);
                        site.clients.iter().enumerate().filter(client_at)
                    });
                    let keys = all.flat_map(|(_, client)| client.announces.iter());
                    let of_vni = keys.filter(|(of, _): &&Key| of == vni);
                    let should: BTreeSet<u32> = of_vni.map(|(_, route)| *route).collect();
                    let has = client.view(*vni);
                    if has != should {
                        let lacks: Vec<_> = should.difference(&has).collect();
                        let more: Vec<_> = has.difference(&should).collect();
                        return Some(format!(
                            "site {at} client {number} lacks {lacks:?} of VNI {vni}, and has {more:?} \
                             that nobody announces"
                        ));
                    }
                }
            }
        }
        None
    }
}
