//! Policies as the simulation knows them: a few numbers, judged in the most obvious way, and the text that says the
//! same to the reflector.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rng::Rng;
use crate::policy::{Echo, Policy, Selection};
use crate::wire::{Destination, IpVersion, NextHop, NextHopType, Vni};

/// The prefixes from which clients connect, one for each class. The last prefix is only in the default class.
const HOMES: [&str; 4] = ["fd00::/16", "2001:db8:1::/48", "192.0.2.0/24", "::1/128"];

/// The routes that clients of each home receive. The same in every policy of a run.
pub(super) type Selections = [Selection; HOMES.len()];

/// In half of the runs all clients receive the routes that protocol.md names.
pub(super) fn selections(rng: &mut Rng) -> Selections {
    let (is_plain, has_choosers) = (rng.chance(500), rng.chance(700));
    std::array::from_fn(|_| {
        let (echo, chooses) = (*rng.pick(&Echo::ALL), has_choosers && rng.chance(500));
        if is_plain { Selection::default() } else { Selection::new(echo, chooses) }
    })
}

/// A client's address, in one of the homes.
pub(super) fn address(rng: &mut Rng) -> (usize, IpAddr) {
    let home = rng.below(HOMES.len());
    let host = rng.below(4);
    let low = host as u128;
    let address = match home {
        0 => Ipv6Addr::from((0xfd00_u128 << 112) | low).into(),
        1 => Ipv6Addr::from((0x2001_0db8_0001_u128 << 80) | low).into(),
        2 => Ipv4Addr::new(192, 0, 2, u8::try_from(host).unwrap_or(0)).into(),
        _ => Ipv6Addr::LOCALHOST.into(),
    };
    (home, address)
}

/// Requirements on routes of some VNIs.
#[derive(Clone, Debug)]
struct Rule {
    vnis: Option<(u32, u32)>,
    own: bool,
    /// The range of prefix lengths, of one family.
    lengths: Option<(IpVersion, u8, u8)>,
    only: Option<NextHopType>,
    default_routes: bool,
    target: Option<u32>,
    warns: bool,
}

#[derive(Clone, Debug, Default)]
struct Class {
    selection: Selection,
    announce: Option<(u32, u32)>,
    rules: Vec<Rule>,
}

/// See the module's documentation. One class for each home; the last home's class is for all homes without one.
#[derive(Clone, Debug, Default)]
pub(super) struct Planned {
    classes: [Option<Class>; HOMES.len()],
    /// A VNI to which no client may subscribe.
    hidden: Option<Vni>,
    /// Whether it closes the sessions of clients of which it refuses something.
    pub(super) closes: bool,
}

impl Planned {
    /// A policy that refuses nothing.
    pub(super) fn open(selections: &Selections) -> Self {
        let is_needed = selections.iter().any(|it| *it != Selection::default());
        let class = |selection| is_needed.then(|| Class { selection, ..Class::default() });
        Self { classes: selections.map(class), ..Self::default() }
    }

    pub(super) fn draw(rng: &mut Rng, selections: &Selections) -> Self {
        let mut open = Self::open(selections);
        let classes = std::array::from_fn(|home| {
            let class = open.classes[home].take();
            rng.chance(500)
                .then(|| Class {
                    selection: selections[home],
                    announce: rng.chance(300).then(|| range(rng)),
                    rules: (0..rng.below(3)).map(|_| Rule::draw(rng)).collect(),
                })
                .or(class)
        });
        Self { classes, hidden: None, closes: rng.chance(200) }
    }

    /// The same policy, and no client may subscribe to this VNI.
    pub(super) fn hiding(mut self, vni: Option<Vni>) -> Self {
        self.hidden = vni;
        if let (Some(_), Some(rest)) = (vni, self.classes.last_mut()) {
            rest.get_or_insert_default();
        }
        self
    }

    /// The VNI to which no client may subscribe.
    pub(super) fn hidden(&self) -> Option<Vni> {
        self.hidden
    }

    /// Whether a client of a home may announce a route.
    pub(super) fn allows(
        &self,
        (home, address): (usize, IpAddr),
        vni: Vni,
        to: &Destination,
        hop: &NextHop,
    ) -> bool {
        let rest = self.classes.last().and_then(Option::as_ref);
        let Some(class) = self.classes[home].as_ref().or(rest) else { return true };
        let is_in = |range: (u32, u32)| (range.0..=range.1).contains(&vni.0);
        let rules = class.rules.iter().filter(|rule| rule.vnis.is_none_or(is_in));
        class.announce.is_none_or(is_in)
            && rules.filter(|rule| !rule.warns).all(|rule| rule.meets(address, to, hop))
    }

    /// The policy in the reflector's form.
    pub(super) fn policy(&self) -> Policy {
        let text = self.to_string();
        Policy::read(&text).unwrap_or_else(|wrong| panic!("{text}: {wrong:?}"))
    }
}

/// The text of a configuration file.
impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[policy]")?;
        if self.closes {
            writeln!(f, "verdict = \"close\"")?;
        }
        for (home, class) in self.classes.iter().enumerate() {
            let Some(Class { selection, announce, rules }) = class else { continue };
            writeln!(f, "[[policy.class]]")?;
            if home == HOMES.len() - 1 {
                writeln!(f, "name = \"default\"")?;
            } else {
                writeln!(f, "name = \"home{home}\"\nfrom = \"{}\"", HOMES[home])?;
            }
            let Selection { echo, one_next_hop } = selection;
            writeln!(f, "echo = \"{echo}\"\none-next-hop = {one_next_hop}")?;
            if let Some(Vni(hidden)) = self.hidden {
                let (below, above) = (hidden - 1, hidden + 1);
                writeln!(f, "subscribe = [\"0-{below}\", \"{above}-1000\"]")?;
            }
            if let Some((first, last)) = announce {
                writeln!(f, "announce = \"{first}-{last}\"")?;
            }
            rules.iter().try_for_each(|rule| rule.fmt(f))?;
        }
        Ok(())
    }
}

impl Rule {
    fn draw(rng: &mut Rng) -> Self {
        let lengths = |rng: &mut Rng| match rng.below(2) {
            0 => (IpVersion::V4, 8, 31),
            _ => (IpVersion::V6, 48, 64),
        };
        Self {
            vnis: rng.chance(500).then(|| range(rng)),
            own: rng.chance(300),
            lengths: rng.chance(300).then(|| lengths(rng)),
            only: rng.chance(200).then(|| *rng.pick(&NextHopType::ALL)),
            default_routes: !rng.chance(200),
            target: rng.chance(200).then(|| *rng.pick(&[7, 8])),
            warns: rng.chance(150),
        }
    }

    fn meets(&self, address: IpAddr, to: &Destination, hop: &NextHop) -> bool {
        let Self { own, lengths, only, default_routes, target, .. } = self;
        let is_default = to.prefix_len() == 0;
        let is_long = |(version, least, most): (IpVersion, u8, u8)| {
            version == to.version() && (least..=most).contains(&to.prefix_len())
        };
        (!own || is_own(address, hop.address()))
            && (is_default || lengths.is_none_or(is_long))
            && only.is_none_or(|kind| hop.kind() == kind)
            && (*default_routes || !is_default)
            && target.is_none_or(|vni| hop.target_vni() == 0 || hop.target_vni() == vni)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vnis, own, lengths, only, default_routes, target, warns } = self;
        writeln!(f, "[[policy.class.rule]]")?;
        if let Some((first, last)) = vnis {
            writeln!(f, "vnis = [\"{first}-{last}\"]")?;
        }
        if *own {
            writeln!(f, "next-hops = \"own/64\"")?;
        }
        if let Some((version, least, most)) = lengths {
            let all = if *version == IpVersion::V4 { "0.0.0.0/0" } else { "::/0" };
            writeln!(f, "prefixes = [\"{all} ge {least} le {most}\"]")?;
        }
        if let Some(kind) = only {
            writeln!(f, "types = [\"{}\"]", kind.name())?;
        }
        writeln!(f, "default-routes = {default_routes}")?;
        if let Some(target) = target {
            writeln!(f, "target-vnis = {target}")?;
        }
        if *warns {
            writeln!(f, "verdict = \"warn\"")?;
        }
        Ok(())
    }
}

/// Whether an address is in the network of another.
fn is_own(own: IpAddr, address: IpAddr) -> bool {
    match (own, address) {
        (IpAddr::V4(own), IpAddr::V4(address)) => own == address,
        (IpAddr::V6(own), IpAddr::V6(address)) => {
            !own.is_loopback() && own.octets()[..8] == address.octets()[..8]
        }
        _ => false,
    }
}

fn range(rng: &mut Rng) -> (u32, u32) {
    let [one, other] = [rng.between(1, 300), rng.between(1, 300)];
    let number = |it: usize| u32::try_from(it).unwrap_or(1);
    (number(one.min(other)), number(one.max(other)))
}
