//! [`Selection`]: which routes a subscriber receives, where that differs from what protocol.md says.

use std::fmt;

use crate::wire::{Action, NextHopType};

/// Which of its own routes a peer receives back, as some versions of the reference send them. Never NAT routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum Echo {
    /// None. Only a route that another peer announces as well comes back.
    #[default]
    None,
    /// Routes of type STANDARD and LB, in the table that answers a SUBSCRIBE. Later announcements of the peer do not
    /// come back. The peer keeps such a route until its last announcer withdraws it.
    Dump,
    /// Routes of type LB, at any time.
    Lb,
    /// Routes of type STANDARD and LB, at any time.
    All,
}

impl Echo {
    /// All values.
    pub const ALL: [Self; 4] = [Self::None, Self::Dump, Self::Lb, Self::All];

    /// The word of the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Dump => "dump",
            Self::Lb => "lb",
            Self::All => "all",
        }
    }

    /// The value that a word of the configuration means.
    ///
    /// # Errors
    /// The sentence that lists the words.
    pub fn from_name(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|echo| echo.name() == name);
        found.ok_or_else(|| "expected none, dump, lb or all".to_owned())
    }

    /// Whether a change of a route that only this peer announces, of this type, is sent to the peer.
    #[inline]
    pub(crate) fn returns(self, action: Action, kind: NextHopType) -> bool {
        match self {
            Self::None => false,
            // A route that came in the dump goes when its last announcer leaves. A REMOVE of another route is ignored.
            Self::Dump => action == Action::Remove && kind != NextHopType::Nat,
            Self::Lb => kind == NextHopType::LoadBalancerTarget,
            Self::All => kind != NextHopType::Nat,
        }
    }

    /// The selection for the table that answers a SUBSCRIBE.
    pub(crate) fn in_dump(self) -> Self {
        if self == Self::Dump { Self::All } else { self }
    }

    /// The number in the portable form.
    pub(crate) fn number(self) -> u32 {
        self as u32
    }

    /// The value of an [`Echo::number`]; none for the number of a later version.
    pub(crate) fn from_number(number: u32) -> Self {
        Self::ALL.into_iter().find(|echo| echo.number() == number).unwrap_or_default()
    }
}

impl fmt::Display for Echo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// See the module's documentation. It holds for the whole session of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Selection {
    /// Not of STANDARD routes if it receives one next hop of each destination.
    pub(crate) echo: Echo,
    /// Whether it receives one STANDARD route of each destination.
    pub(crate) one_next_hop: bool,
}

impl Selection {
    pub(crate) fn new(echo: Echo, one_next_hop: bool) -> Self {
        let echo = match echo {
            Echo::All if one_next_hop => Echo::Lb,
            Echo::Dump if one_next_hop => Echo::None,
            echo => echo,
        };
        Self { echo, one_next_hop }
    }
}
