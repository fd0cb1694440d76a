//! [`Refusal`]: which requirement is not met, and what follows.

use std::fmt;

use super::rights::ClassId;
use crate::wire::{Destination, NextHop};

/// The action of a class if its policy refuses something: `verdict` in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum OnRefusal {
    /// Ignore it: the route is not reflected, the subscription gets no routes, the peer does not count as a server. The
    /// session goes on, because a Go client whose session is closed comes back after seconds and does the same again.
    #[default]
    Ignore,
    /// Close the session.
    Close,
    /// Allow it, count it and report it.
    Warn,
}

impl OnRefusal {
    /// The word of the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Close => "close",
            Self::Warn => "warn",
        }
    }
}

/// The requirement that is violated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Reason {
    /// The class may not say that it is a server.
    Server,
    /// The class may not subscribe to the VNI.
    Subscribe,
    /// The class may not announce in the VNI.
    Announce,
    /// The type of the next hop.
    Type,
    /// The VNI at the next hop.
    TargetVni,
    /// The address of the next hop.
    NextHop,
    /// A default route.
    DefaultRoute,
    /// The prefix or its length.
    Prefix,
    /// An operator has blocked it.
    Blocked,
}

impl Reason {
    /// A short, stable name, fit for a metric's label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Subscribe => "subscribe",
            Self::Announce => "announce",
            Self::Type => "type",
            Self::TargetVni => "target_vni",
            Self::NextHop => "next_hop",
            Self::DefaultRoute => "default_route",
            Self::Prefix => "prefix",
            Self::Blocked => "blocked",
        }
    }
}

/// A violated requirement, and its consequence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Refusal {
    pub(crate) class: ClassId,
    /// The rule of the class, counted from 1; 0 is the class itself.
    pub(crate) rule: u16,
    pub(crate) reason: Reason,
    pub(crate) then: OnRefusal,
}

impl Refusal {
    /// A refusal by an operator's block, for a peer of a class.
    pub(super) fn blocked(class: ClassId, then: OnRefusal) -> Self {
        Self { class, rule: 0, reason: Reason::Blocked, then }
    }

    /// The refusal of a route that another process refused, or that a policy still to come must judge.
    pub(crate) const UNKNOWN: Self = Self {
        class: ClassId(u16::MAX),
        rule: 0,
        reason: Reason::Announce,
        then: OnRefusal::Ignore,
    };
}

/// The judgement of a policy on a route, a subscription or a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Judgement {
    Allowed,
    /// It is allowed, but reported.
    Warned(Refusal),
    /// It is not allowed.
    Refused(Refusal),
}

impl Judgement {
    /// Whether it is allowed.
    pub(crate) fn allows(self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    pub(super) fn of(refusal: Refusal) -> Self {
        match refusal.then {
            OnRefusal::Warn => Self::Warned(refusal),
            OnRefusal::Ignore | OnRefusal::Close => Self::Refused(refusal),
        }
    }
}

/// A route that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Example {
    pub(crate) destination: Destination,
    pub(crate) next_hop: NextHop,
}

impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} via {}", self.destination, self.next_hop)
    }
}
