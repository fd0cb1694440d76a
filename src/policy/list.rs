//! [`Policy`]: classes, and which peer is of which.

use std::sync::Arc;
use std::time::Duration;

use super::blocks::{Block, Blocks};
use super::class::{Class, Terms};
use super::error::PolicyError;
use super::form;
use super::networks::Networks;
use super::prefixes::PrefixRange;
use super::refusal::{Example, Judgement, OnRefusal, Reason, Refusal};
use super::rights::{ClassId, Rights, own_of};
use super::selection::Echo;
use super::subject::Subject;
use crate::wire::{Destination, Vni};

/// The name of the class of peers that match no other class.
pub(super) const DEFAULT: &str = "default";

/// The conditions for peers of a class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Match {
    pub(super) class: ClassId,
    pub(super) from: Vec<PrefixRange>,
    /// Names, with `*` for any text at the beginning or the end.
    pub(super) certificates: Vec<String>,
    pub(super) sites: Vec<String>,
}

/// A list of classes with their rules; see the module's documentation. The default is no policy, which refuses nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policy {
    /// In their order; the first match decides.
    pub(super) matches: Vec<Match>,
    /// By class number. A class that only an earlier policy had keeps its name, and restricts as
    /// [`DEFAULT`] does.
    pub(super) classes: Vec<Option<Class>>,
    pub(super) names: Vec<Arc<str>>,
    /// The blocks of operators.
    blocks: Blocks,
    /// Counts policies of one process.
    generation: u32,
    /// The sets of further networks of peers; one table for all policies of one process.
    networks: Shared,
}

/// Not part of a policy's value: policies compare equal whether they share it or not.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Networks>);

impl PartialEq for Shared {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Shared {}

impl Default for Policy {
    fn default() -> Self {
        let open = Class::open(DEFAULT);
        Self {
            matches: Vec::new(),
            names: vec![Arc::clone(&open.name)],
            classes: vec![Some(open)],
            blocks: Blocks::default(),
            generation: 0,
            networks: Shared::default(),
        }
    }
}

impl Policy {
    /// The policy in the table `[policy]` of a TOML text; the default if there is no such table. Ignores other tables.
    ///
    /// # Errors
    /// All errors, in the order of the text.
    pub fn read(text: &str) -> Result<Self, Vec<PolicyError>> {
        form::read(text)?.map_or_else(|| Ok(Self::default()), |form| form.compile(text))
    }

    /// Whether this policy is the default, which refuses nothing. Ignores blocks.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.matches.is_empty() && !self.classes.iter().flatten().any(Class::is_described)
    }

    /// Whether there is any rule or block for routes.
    pub(crate) fn has_rules(&self) -> bool {
        !self.is_none() || self.blocks.iter().len() > 0
    }

    /// The blocks of operators.
    pub(crate) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// The same with these blocks instead.
    pub(crate) fn blocking(&self, blocks: Blocks) -> Self {
        Self { blocks, generation: self.generation + 1, ..self.clone() }
    }

    /// The refusal of all that a peer of a class sends, and the block that causes it.
    pub(crate) fn block_of(&self, class: ClassId, peer: &Subject<'_>) -> Option<(Refusal, &Block)> {
        let block = self.blocks.of_peer(peer)?;
        Some((Refusal::blocked(class, OnRefusal::Close), block))
    }

    /// This policy with the blocks of an earlier one. Classes of the same name keep the numbers that they have there.
    #[must_use]
    pub fn behind(self, earlier: &Self) -> Self {
        let mut names = earlier.names.clone();
        let mut classes: Vec<Option<Class>> = names.iter().map(|_| None).collect();
        let mut numbers = Vec::new();
        for class in self.classes {
            let known =
                class.as_ref().and_then(|it| names.iter().position(|name| *name == it.name));
            let number = known.unwrap_or(names.len());
            if let (None, Some(class)) = (known, &class) {
                names.push(Arc::clone(&class.name));
                classes.push(None);
            }
            if let Some(class) = class {
                classes[number] = Some(class);
            }
            numbers.push(ClassId(u16::try_from(number).unwrap_or(0)));
        }
        let renumbered = |it: Match| Match { class: numbers[usize::from(it.class.0)], ..it };
        let matches = self.matches.into_iter().map(renumbered).collect();
        let (blocks, generation) = (earlier.blocks.clone(), earlier.generation);
        let networks = earlier.networks.clone();
        let next = Self { matches, classes, names, blocks, generation, networks };
        if next == *earlier { next } else { Self { generation: generation + 1, ..next } }
    }

    /// The number of the policy within its process: another number is another policy.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// The rights of a peer, which decide what it may announce.
    pub(crate) fn rights(&self, subject: &Subject<'_>) -> Rights {
        let fits = |it: &&Match| it.fits(subject);
        let class = self.matches.iter().find(fits).map(|it| it.class).unwrap_or_default();
        // The usual next hop is in the network of the first IPv6 address.
        let first =
            subject.proven.iter().find(|it| it.is_ipv6()).or_else(|| subject.proven.first());
        let own = first.copied().or(subject.address).map_or(0, own_of);
        let more = subject.proven.iter().map(|address| own_of(*address));
        let more = self.networks.0.number(more.filter(|it| ![0, own].contains(it)).collect());
        Rights { class, generation: self.generation, own, more }
    }

    fn class(&self, id: ClassId) -> Option<&Class> {
        let class = self.classes.get(usize::from(id.0)).and_then(Option::as_ref);
        class.or_else(|| self.classes.first().and_then(Option::as_ref))
    }

    /// The terms of a peer in a VNI; `None` if nothing is required there.
    #[inline]
    pub(crate) fn terms(&self, rights: Rights, vni: Vni) -> Option<Terms<'_>> {
        let terms = self.class(rights.class)?.terms(rights.class, vni);
        let terms = terms.owning(self.networks.0.get(rights.more));
        let is_known = rights.generation == self.generation;
        let terms = if is_known { terms } else { terms.undecided() };
        let is_blocked = self.blocks.concern(vni);
        let terms = if is_blocked { terms.blocked(vni, &self.blocks) } else { terms };
        Some(terms).filter(|terms| !terms.is_open())
    }

    /// Whether a class may subscribe to a VNI.
    pub(crate) fn subscribes(&self, id: ClassId, vni: Vni) -> Judgement {
        self.class(id).map_or(Judgement::Allowed, |class| class.subscribes(id, vni))
    }

    /// Whether a class may say that it is a server.
    pub(crate) fn serves(&self, id: ClassId) -> Judgement {
        self.class(id).map_or(Judgement::Allowed, |class| class.serves(id))
    }

    /// The most routes that a peer of a class may announce, if the class sets a limit.
    pub(crate) fn max_routes(&self, id: ClassId) -> Option<u64> {
        self.class(id)?.max_routes
    }

    /// How long the routes of a peer of a class stay after it is gone without a goodbye, if the class sets that.
    pub(crate) fn stale_hold(&self, id: ClassId) -> Option<Duration> {
        self.class(id)?.stale_hold
    }

    /// Whether any class sets that.
    pub(crate) fn has_stale_hold(&self) -> bool {
        let holds = |class: &Class| class.stale_hold.is_some_and(|hold| !hold.is_zero());
        self.classes.iter().flatten().any(holds)
    }

    /// Whether a peer of a class receives only one next hop of each destination, if the class sets that.
    pub(crate) fn one_next_hop(&self, id: ClassId) -> Option<bool> {
        self.class(id)?.one_next_hop
    }

    /// Which of its own routes a peer of a class receives back, if the class sets that.
    pub(crate) fn echo(&self, id: ClassId) -> Option<Echo> {
        self.class(id)?.echo
    }

    /// The most VNIs in which a peer of a class may take part, if the class sets a limit.
    pub(crate) fn max_subscriptions(&self, id: ClassId) -> Option<u64> {
        self.class(id)?.max_subscriptions
    }

    /// A class's name.
    pub(crate) fn name(&self, id: ClassId) -> &str {
        self.names.get(usize::from(id.0)).map_or(DEFAULT, |name| name)
    }

    /// The names of all classes of this policy, including `default`. Classes that only earlier policies had are not
    /// among them.
    pub fn class_names(&self) -> impl Iterator<Item = &str> {
        self.classes.iter().flatten().map(|class| &*class.name)
    }

    /// Why a route or subscription of a peer with these rights is refused, as a sentence's end: `next hop … is not
    /// in …; class leaf, rule 2`.
    pub(crate) fn explain(
        &self,
        refusal: &Refusal,
        rights: Rights,
        vni: Vni,
        example: Option<&Example>,
    ) -> String {
        let further = self.networks.0.get(rights.more);
        let owned: Vec<_> =
            [rights.own].iter().chain(further).copied().filter(|it| *it != 0).collect();
        let needed = self.class(refusal.class).and_then(|it| it.requirement(refusal, &owned));
        let needed = needed.unwrap_or_default();
        let hop = example.map(|example| example.next_hop);
        let why = match (refusal.reason, hop) {
            (Reason::Server, _) => "it may not be a server".to_owned(),
            (Reason::Subscribe, _) => format!("it may not subscribe to VNI {vni}"),
            (Reason::Announce, _) => format!("it may not announce in VNI {vni}"),
            (Reason::DefaultRoute, _) => "it may not announce a default route".to_owned(),
            (Reason::Prefix, _) => match example {
                Some(Example { destination, .. }) => format!("{destination} is not in {needed}"),
                None => format!("the prefix is not in {needed}"),
            },
            (Reason::NextHop, Some(hop)) => {
                format!("next hop {} is not in {needed}", hop.address())
            }
            (Reason::NextHop, None) => format!("the next hop is not in {needed}"),
            (Reason::Type, Some(hop)) => format!("it may not announce type {}", hop.kind().name()),
            (Reason::Type, None) => "it may not announce this type".to_owned(),
            (Reason::TargetVni, Some(hop)) => {
                format!("it may not announce target VNI {}", hop.target_vni())
            }
            (Reason::TargetVni, None) => "it may not announce this target VNI".to_owned(),
            (Reason::Blocked, _) => return self.explain_block(vni, example),
        };
        let class = self.name(refusal.class);
        match refusal.rule {
            0 => format!("{why}; class {class}"),
            rule => format!("{why}; class {class}, rule {rule}"),
        }
    }
}

impl Policy {
    fn explain_block(&self, vni: Vni, example: Option<&Example>) -> String {
        let block = example.and_then(|example| self.blocks.of_route(vni, &example.destination));
        match block {
            Some(Block { id, what, .. }) => format!("an operator has blocked {what} (block {id})"),
            None => "an operator has blocked it".to_owned(),
        }
    }
}

impl Match {
    fn fits(&self, subject: &Subject<'_>) -> bool {
        let from = subject.address.map(|address| Destination::host(address.to_canonical()));
        let is_from = from.is_some_and(|from| self.from.iter().any(|range| range.holds(&from)));
        let is_named = |names: &[String], name: Option<&str>| {
            name.is_some_and(|name| names.iter().any(|pattern| fits(pattern, name)))
        };
        is_from || is_named(&self.certificates, subject.name) || is_named(&self.sites, subject.site)
    }
}

/// Whether a name matches a pattern: `*` at its beginning or its end stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(""), _) => true,
        (Some(end), Some(_)) => name.contains(end.strip_suffix('*').unwrap_or(end)),
        (Some(end), None) => name.ends_with(end),
        (None, Some(begin)) => name.starts_with(begin),
        (None, None) => name == pattern,
    }
}
