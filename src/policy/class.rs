//! [`Class`]: what peers of one kind may do.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::blocks::Blocks;
use super::prefixes::{First, PrefixSet};
use super::refusal::{Judgement, OnRefusal, Reason, Refusal};
use super::rights::ClassId;
use super::rule::Rule;
use super::selection::Echo;
use super::vnis::VniSet;
use crate::sources::network_of;
use crate::wire::{Destination, NextHop, Vni};

/// See the module's documentation. A field that is `None` restricts nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Class {
    pub(super) name: Arc<str>,
    pub(super) then: OnRefusal,
    /// Whether its peers may say that they are servers.
    pub(super) server: bool,
    pub(super) subscribe: Option<VniSet>,
    pub(super) announce: Option<VniSet>,
    pub(super) rules: Vec<Rule>,
    /// The most routes that a peer may announce, and the most VNIs in which it may take part.
    pub(super) max_routes: Option<u64>,
    pub(super) max_subscriptions: Option<u64>,
    pub(super) stale_hold: Option<Duration>,
    pub(super) echo: Option<Echo>,
    pub(super) one_next_hop: Option<bool>,
    /// The spans of VNIs with the same terms, each with its first VNI, in ascending order.
    spans: Vec<(u32, Span)>,
    /// The rules of all spans, one span after the other.
    applying: Vec<u16>,
}

/// The terms of consecutive VNIs.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Span {
    may_announce: bool,
    /// A range of [`Class::applying`].
    rules: Range<usize>,
    usual: Usual,
}

/// The check that a usual route still needs. A usual route has a plain next hop in the network of its peer, and is no
/// default route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Usual {
    /// Each rule.
    AllRules,
    /// None: it is allowed.
    Nothing,
    /// The first prefix of the only rule with prefixes. A route outside of it needs a look at each rule.
    Prefix(First),
}

/// The terms of a class in one VNI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    class: &'a Class,
    id: ClassId,
    may_announce: bool,
    rules: &'a [u16],
    usual: Usual,
    is_undecided: bool,
    /// Further networks of the peer, in ascending order.
    more: &'a [u64],
    /// The VNI and the blocks of operators, if any concerns the VNI.
    blocked: Option<(Vni, &'a Blocks)>,
}

impl Class {
    /// A class that restricts nothing.
    pub(super) fn open(name: &str) -> Self {
        Self {
            name: name.into(),
            then: OnRefusal::default(),
            server: true,
            subscribe: None,
            announce: None,
            rules: Vec::new(),
            max_routes: None,
            max_subscriptions: None,
            stale_hold: None,
            echo: None,
            one_next_hop: None,
            spans: Vec::new(),
            applying: Vec::new(),
        }
    }

    /// Whether a policy describes it; if not, it is only there for peers of no class.
    pub(super) fn is_described(&self) -> bool {
        !self.spans.is_empty()
    }

    /// Computes the spans from the rules. Cost: the number of rules times that of their VNI ranges.
    pub(super) fn finished(mut self) -> Self {
        let of_rules = self.rules.iter().filter_map(|rule| rule.vnis.as_ref());
        let sets = of_rules.chain(&self.announce);
        let mut edges: Vec<u32> = sets.flat_map(VniSet::edges).chain([0]).collect();
        edges.sort_unstable();
        edges.dedup();
        for edge in edges {
            let vni = Vni(edge);
            let begin = self.applying.len();
            for (number, rule) in (0..).zip(&self.rules) {
                if rule.vnis.as_ref().is_none_or(|vnis| vnis.contains(vni)) {
                    self.applying.push(number);
                }
            }
            let may_announce = self.announce.as_ref().is_none_or(|vnis| vnis.contains(vni));
            let usual = self.usual(may_announce, &self.applying[begin..]);
            let span = Span { may_announce, rules: begin..self.applying.len(), usual };
            let is_same = self.spans.last().is_some_and(|(_, before)| {
                before.may_announce == span.may_announce
                    && self.applying[before.rules.clone()] == self.applying[span.rules.clone()]
            });
            if is_same {
                self.applying.truncate(begin);
            } else {
                self.spans.push((edge, span));
            }
        }
        self
    }

    fn usual(&self, may_announce: bool, rules: &[u16]) -> Usual {
        let mut usual = if may_announce { Usual::Nothing } else { Usual::AllRules };
        for &number in rules {
            let rule = &self.rules[usize::from(number)];
            usual = match usual {
                _ if !rule.lets_usual_hops() => Usual::AllRules,
                usual if rule.prefixes.is_none() => usual,
                Usual::Nothing => {
                    let first = rule.prefixes.as_ref().and_then(PrefixSet::first);
                    first.map_or(Usual::AllRules, Usual::Prefix)
                }
                _ => Usual::AllRules,
            };
        }
        usual
    }

    /// The terms in a VNI. Cost: a binary search among the ranges of VNIs of its rules.
    #[inline]
    pub(super) fn terms(&self, id: ClassId, vni: Vni) -> Terms<'_> {
        let behind = self.spans.partition_point(|(first, _)| *first <= vni.0);
        match self.spans.get(behind.wrapping_sub(1)) {
            None => Terms {
                class: self,
                id,
                may_announce: true,
                rules: &[],
                usual: Usual::AllRules,
                is_undecided: false,
                more: &[],
                blocked: None,
            },
            Some((_, Span { may_announce, rules, usual })) => {
                let rules = self.applying.get(rules.clone()).unwrap_or_default();
                Terms {
                    class: self,
                    id,
                    may_announce: *may_announce,
                    rules,
                    usual: *usual,
                    is_undecided: false,
                    more: &[],
                    blocked: None,
                }
            }
        }
    }

    /// Whether its peers may subscribe to a VNI.
    pub(super) fn subscribes(&self, id: ClassId, vni: Vni) -> Judgement {
        match &self.subscribe {
            Some(vnis) if !vnis.contains(vni) => self.refuses(id, Reason::Subscribe),
            _ => Judgement::Allowed,
        }
    }

    /// Whether its peers may say that they are servers.
    pub(super) fn serves(&self, id: ClassId) -> Judgement {
        if self.server { Judgement::Allowed } else { self.refuses(id, Reason::Server) }
    }

    fn refuses(&self, class: ClassId, reason: Reason) -> Judgement {
        Judgement::of(Refusal { class, rule: 0, reason, then: self.then })
    }

    /// The requirement that a refused route violates, in words.
    pub(super) fn requirement(&self, refusal: &Refusal, owned: &[u64]) -> Option<String> {
        let rule = self.rules.get(usize::from(refusal.rule).checked_sub(1)?)?;
        match refusal.reason {
            Reason::NextHop => rule.hops.as_ref().map(|hops| hops.shown(owned)),
            Reason::Prefix => rule.prefixes.as_ref().map(ToString::to_string),
            _ => None,
        }
    }
}

impl<'a> Terms<'a> {
    /// The same for a peer with these further networks.
    #[inline]
    pub(super) fn owning(self, more: &'a [u64]) -> Self {
        Self { more, ..self }
    }

    /// The same with the blocks of operators.
    pub(super) fn blocked(self, vni: Vni, blocks: &'a Blocks) -> Self {
        Self { blocked: Some((vni, blocks)), usual: Usual::AllRules, ..self }
    }

    /// The same for a peer that a newer policy is to judge: new routes are refused silently until that policy
    /// has arrived.
    pub(crate) fn undecided(self) -> Self {
        Self { is_undecided: true, usual: Usual::AllRules, ..self }
    }

    /// Whether there are no requirements.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.may_announce && self.rules.is_empty() && !self.is_undecided && self.blocked.is_none()
    }

    /// Whether a route is usual and allowed. If not, it may still be allowed: [`Terms::judge`] decides.
    #[inline]
    pub(crate) fn allow_usual(&self, own: u64, to: &Destination, hop: &NextHop) -> bool {
        let is_within = match &self.usual {
            Usual::AllRules => false,
            Usual::Nothing => true,
            Usual::Prefix(first) => first.matches(to),
        };
        is_within
            && !to.is_default()
            && own != 0
            && hop.plain_v6().is_some_and(|address| network_of(address) == own)
    }

    /// Judges a route of a peer that owns `own`. The first rule that refuses it decides; it is a warning
    /// only if no rule refuses.
    pub(crate) fn judge(&self, own: u64, to: &Destination, hop: &NextHop) -> Judgement {
        if self.is_undecided {
            return Judgement::Refused(Refusal::UNKNOWN);
        }
        if let Some((vni, blocks)) = self.blocked
            && blocks.of_route(vni, to).is_some()
        {
            return Judgement::Refused(Refusal::blocked(self.id, OnRefusal::Ignore));
        }
        let mut judgement = Judgement::Allowed;
        if !self.may_announce {
            judgement = self.class.refuses(self.id, Reason::Announce);
            if !judgement.allows() {
                return judgement;
            }
        }
        for &number in self.rules {
            let Some(rule) = self.class.rules.get(usize::from(number)) else { continue };
            let Some(reason) = rule.check(own, self.more, to, hop) else { continue };
            let refusal = Refusal { class: self.id, rule: number + 1, reason, then: rule.then };
            match Judgement::of(refusal) {
                refused @ Judgement::Refused(_) => return refused,
                warned if judgement == Judgement::Allowed => judgement = warned,
                _ => {}
            }
        }
        judgement
    }
}
