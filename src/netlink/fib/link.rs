//! The tunnel device, as far as it matters here.

use crate::netlink::model::{Abilities, TunnelKind};

/// The MTU below which Linux has no IPv6 on a device.
const IPV6_MTU: u32 = 1280;

/// The tunnel device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Link {
    Gone,
    Down {
        index: u32,
    },
    /// Of an unsuitable kind; one sentence says why.
    Unfit(String),
    Up {
        index: u32,
        kind: TunnelKind,
        abilities: Abilities,
    },
}

impl Link {
    /// One sentence for the log.
    pub(crate) fn describe(&self, name: &str) -> String {
        match self {
            Self::Gone => format!("there is no device {name}"),
            Self::Down { .. } => format!("the tunnel device {name} is down"),
            Self::Unfit(why) => why.clone(),
            Self::Up { .. } => match self.no_ipv6(name) {
                None => format!("the tunnel device {name} is up"),
                Some(why) => format!(
                    "the tunnel device {name} is up without IPv6: IPv4 routes are installed, IPv6 \
                     routes wait until that changes; {why}"
                ),
            },
        }
    }

    /// Why the kernel takes no IPv6 route, and the remedy; `None` when it takes them, or takes no
    /// routes at all.
    pub(crate) fn no_ipv6(&self, name: &str) -> Option<String> {
        let Self::Up { abilities: Abilities { mtu, ipv6: false }, .. } = self else { return None };
        Some(if *mtu < IPV6_MTU {
            format!(
                "the tunnel device {name} has an MTU of {mtu}, and IPv6 needs {IPV6_MTU}: `ip link \
                 set {name} mtu {IPV6_MTU}`"
            )
        } else {
            format!(
                "IPv6 is disabled on the tunnel device {name}: `sysctl \
                 net.ipv6.conf.{name}.disable_ipv6=0`"
            )
        })
    }

    /// The device's index, while the device is there.
    pub(super) fn index(&self) -> Option<u32> {
        match self {
            Self::Down { index } | Self::Up { index, .. } => Some(*index),
            Self::Gone | Self::Unfit(_) => None,
        }
    }
}
