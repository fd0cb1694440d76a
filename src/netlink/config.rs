//! The configuration of a [`super::NetlinkClient`], and the errors of its start.

use std::collections::BTreeMap;
use std::io;

use ahash::RandomState;
use hashbrown::HashMap;
use thiserror::Error;

use super::fib::{FibConfig, VNI_MAX};
use crate::wire::{NextHopType, Vni};

/// The number of ids from [`NetlinkConfig::nexthop_base`] on that are reserved.
pub const NEXTHOP_IDS: u32 = 1 << 24;

/// Protocols up to this number belong to the kernel itself and to `ip route`.
const PROTOCOL_RESERVED: u8 = 4;

/// The kernel's error for a process without CAP_NET_ADMIN.
pub(super) const EPERM: i32 = 1;

/// How routes refer to their next hops.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// By nexthop objects that routes share (`ip nexthop`). Fast for any number of underlay
    /// addresses. Needs Linux 5.3 or later; an older kernel gets [`Mode::Inline`].
    Objects,
    /// By next hops inside each route. For IPv4 the time grows with the square of the number of underlay
    /// addresses.
    Inline,
}

/// The configuration of a [`super::NetlinkClient`].
#[derive(Clone, Debug)]
pub struct NetlinkConfig {
    /// The tunnel device through which packets leave: preferably an `ip6tnl external` or a `vxlan external gpe`. For
    /// other tunnels the log says where packets will be lost.
    pub device: String,
    /// The routing table of each VNI. Routes of a VNI without a table are not installed. The client owns all routes of
    /// [`NetlinkConfig::protocol`] in these tables; in the tables 253 to 255, where the host has its own routes, only
    /// those that lead into the device as this client writes them. If several VNIs of one table have the same
    /// destination, the route of the lowest VNI is installed.
    pub tables: BTreeMap<Vni, u32>,
    /// Whether to leave out IPv6 destinations.
    pub ipv4_only: bool,
    /// The types of next hops to leave out: NAT and load balancer targets by default.
    pub excluded: Vec<NextHopType>,
    /// The protocol number of the routes (`ip route ... proto`): 254 by default. 0 to 4 are refused.
    pub protocol: u8,
    /// The metric of the routes. 0, the default, lets the kernel choose: 0 for IPv4 and 1024 for IPv6.
    pub metric: u32,
    /// How routes refer to their next hops.
    pub mode: Mode,
    /// The first id for nexthop objects; the [`NEXTHOP_IDS`] ids from it on are reserved. The client owns the objects
    /// of [`NetlinkConfig::protocol`] with these ids. It does not touch other objects, nor those of a run with another
    /// base.
    pub nexthop_base: u32,
    /// Whether a stop deletes all own routes and objects. Otherwise they stay, packets continue to flow, and
    /// the next start takes them over.
    pub cleanup: bool,
}

impl Default for NetlinkConfig {
    fn default() -> Self {
        Self {
            device: String::new(),
            tables: BTreeMap::new(),
            ipv4_only: false,
            excluded: vec![NextHopType::Nat, NextHopType::LoadBalancerTarget],
            protocol: 254,
            metric: 0,
            mode: Mode::Objects,
            nexthop_base: 0x4D00_0000,
            cleanup: false,
        }
    }
}

/// Why a [`super::NetlinkClient`] did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// A table number that is not allowed.
    #[error(
        "table {table} cannot hold the routes of VNI {vni}, because the kernel has no table of \
         this number; the number of the table main is 254"
    )]
    Table {
        /// The VNI.
        vni: Vni,
        /// Its table.
        table: u32,
    },
    /// A VNI above 16777215, for which packets have no room.
    #[error(
        "VNI {0} cannot be installed, because a packet has 24 bits for the VNI; choose a VNI \
         up to {VNI_MAX}"
    )]
    Vni(Vni),
    /// A protocol number that the kernel or `ip route` uses.
    #[error(
        "the kernel itself or `ip route` uses protocol {0}, and the leaf would take over their \
         routes; choose a protocol from 5 to 255"
    )]
    Protocol(u8),
    /// The first id for nexthop objects is 0, or the ids exceed 32 bits.
    #[error("nexthop ids from {0} on don't fit; choose a base from 1 to {max}", max = u32::MAX - NEXTHOP_IDS)]
    NexthopBase(u32),
    /// There is no such device.
    #[error(
        "there is no device {0}; make one, for example with `ip link add {0} type ip6tnl mode any external`"
    )]
    NoDevice(String),
    /// The device is not usable; one sentence says why, and which device would be.
    #[error("{0}")]
    Device(String),
    /// The process may not change routes.
    #[error("changing routes needs CAP_NET_ADMIN: grant it or run as root")]
    Permission,
    /// The kernel could not be asked.
    #[error("cannot talk to the kernel by netlink: {0}")]
    Kernel(#[source] io::Error),
    /// The writer's thread could not be set up.
    #[error(
        "cannot set up the netlink writer: {0}; the limits on threads or descriptors may be too low"
    )]
    Thread(#[source] io::Error),
}

impl NetlinkConfig {
    /// Checks what can be checked without the kernel.
    ///
    /// # Errors
    /// The first fault found.
    pub fn check(&self) -> Result<(), StartError> {
        check_tables(&self.tables)?;
        if self.protocol <= PROTOCOL_RESERVED {
            return Err(StartError::Protocol(self.protocol));
        }
        if self.nexthop_base == 0 || self.nexthop_base.checked_add(NEXTHOP_IDS).is_none() {
            return Err(StartError::NexthopBase(self.nexthop_base));
        }
        Ok(())
    }

    /// The configuration of the state machine, once checked. `objects`: whether the kernel has nexthop objects.
    pub(super) fn fib_config(&self, objects: bool, hasher: &RandomState) -> FibConfig {
        let mut tables = HashMap::with_hasher(hasher.clone());
        tables.extend(self.tables.iter().map(|(&vni, &table)| (vni, table)));
        FibConfig {
            tables,
            device: self.device.clone(),
            protocol: self.protocol,
            metric: self.metric,
            ipv4_only: self.ipv4_only,
            excluded: self.excluded.clone(),
            objects: objects && self.mode == Mode::Objects,
            ids: self.nexthop_base..self.nexthop_base.saturating_add(NEXTHOP_IDS),
        }
    }
}

/// Checks the tables of VNIs.
pub(super) fn check_tables(tables: &BTreeMap<Vni, u32>) -> Result<(), StartError> {
    for (&vni, &table) in tables {
        if vni.0 > VNI_MAX {
            return Err(StartError::Vni(vni));
        }
        if table == 0 {
            return Err(StartError::Table { vni, table });
        }
    }
    Ok(())
}
