//! What the kernel holds.
//!
//! A list is read into memory whole. If the kernel marks it as inconsistent, it is read again, at most [`TRIES`] times,
//! and then taken as it is, because others may never stop changing their routes. The kernel never marks lists of IPv6
//! routes, and shows routes twice or not at all while others change: so read these lists while no request is under way.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::io;

use netlink_packet_core::Emitable;

use super::decode;
use super::encode::{NexthopMessage, routes_of};
use super::message::NetlinkMessage;
use super::requests::Kernel;
use super::socket::Dump;
use super::uapi::{RTM_GETNEXTHOP, RTM_GETROUTE, RTM_NEWNEXTHOP, RTM_NEWROUTE};
use crate::netlink::model::{KernelRoute, OWN_ADDRESSES, Object, Via};
use crate::wire::{Destination, IpVersion};

/// How often to read a list that changes meanwhile.
const TRIES: usize = 5;

impl Kernel {
    /// The routes of a table, of both IP versions; of one protocol, or of all. Empty if there is
    /// no such table.
    ///
    /// Every (key, protocol) comes once: as [`Via::Foreign`], if the kernel has several such routes.
    pub(crate) fn routes(
        &mut self,
        table: u32,
        protocol: Option<u8>,
    ) -> io::Result<Vec<KernelRoute>> {
        let mut routes = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let body = routes_of(version, table, protocol.unwrap_or(0));
            let found = self.list(RTM_GETROUTE, &body, |message| {
                let route = decode::route(message.payload)?;
                let wanted = message.kind == RTM_NEWROUTE
                    && route.key.table == table
                    && protocol.is_none_or(|protocol| route.protocol == protocol);
                wanted.then_some(route)
            });
            match found {
                Ok(found) => routes.extend(found),
                // A table exists only while it has routes.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(once_each(routes))
    }

    /// The IPv6 addresses and prefixes for which this host takes packets.
    pub(crate) fn own_addresses(&mut self) -> io::Result<Vec<Destination>> {
        let body = routes_of(IpVersion::V6, OWN_ADDRESSES, 0);
        self.list(RTM_GETROUTE, &body, |message| decode::own_address(message.payload))
    }

    /// The routes of a protocol, whatever their tables.
    pub(crate) fn routes_of_all_tables(&mut self, protocol: u8) -> io::Result<Vec<KernelRoute>> {
        let mut routes = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let body = routes_of(version, 0, protocol);
            routes.extend(self.list(RTM_GETROUTE, &body, |message| {
                let route = decode::route(message.payload)?;
                (message.kind == RTM_NEWROUTE && route.protocol == protocol).then_some(route)
            })?);
        }
        Ok(once_each(routes))
    }

    /// The nexthop objects used by routes of tables other than these.
    pub(crate) fn objects_used_beside(
        &mut self,
        tables: &BTreeSet<u32>,
    ) -> io::Result<BTreeSet<u32>> {
        let mut ids = BTreeSet::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let all = routes_of(version, 0, 0);
            let found = self.list(RTM_GETROUTE, &all, |message| {
                let route = decode::route(message.payload)?;
                match route.via {
                    Via::Object(id) if !tables.contains(&route.key.table) => Some(id),
                    _ => None,
                }
            })?;
            ids.extend(found);
        }
        Ok(ids)
    }

    /// All nexthop objects, whoever made them: the kernel can't filter them by protocol.
    pub(crate) fn objects(&mut self) -> io::Result<Vec<Object>> {
        let mut objects = self.list(RTM_GETNEXTHOP, &NexthopMessage::all(), |message| {
            (message.kind == RTM_NEWNEXTHOP).then(|| decode::object(message.payload)).flatten()
        })?;
        objects.sort_unstable_by_key(|object| object.id);
        objects.dedup_by_key(|object| object.id);
        Ok(objects)
    }

    /// Those nexthop objects with these ids that exist.
    pub(crate) fn objects_by_id(&mut self, ids: &[u32]) -> io::Result<Vec<Object>> {
        let mut objects = Vec::new();
        for &id in ids {
            let found = self.socket.ask(RTM_GETNEXTHOP, &NexthopMessage::by_id(id), |message| {
                decode::object(message.payload)
            });
            match found {
                Ok(object) => objects.extend(object),
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(objects)
    }

    /// Whether the kernel has nexthop objects: Linux has them since 5.3.
    pub(crate) fn supports_objects(&mut self) -> io::Result<bool> {
        match self.socket.ask(RTM_GETNEXTHOP, &NexthopMessage::by_id(u32::MAX), |_| ()) {
            Ok(()) => Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(true),
                Some(libc::EOPNOTSUPP | libc::EINVAL) => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn list<T>(
        &mut self,
        kind: u16,
        body: &impl Emitable,
        read: impl Fn(NetlinkMessage<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut list = Vec::new();
        for _ in 0..TRIES {
            list.clear();
            match self.socket.dump(kind, body, |message| list.extend(read(message)))? {
                Dump::Consistent => break,
                Dump::Interrupted => {}
            }
        }
        Ok(list)
    }
}

fn once_each(routes: Vec<KernelRoute>) -> Vec<KernelRoute> {
    let mut once: Vec<KernelRoute> = Vec::with_capacity(routes.len());
    let mut places = HashMap::with_capacity(routes.len());
    for route in routes {
        match places.entry((route.key, route.protocol)) {
            Entry::Vacant(place) => {
                place.insert(once.len());
                once.push(route);
            }
            Entry::Occupied(place) => {
                if let Some(first) = once.get_mut(*place.get())
                    && first.via != route.via
                {
                    first.via = Via::Foreign;
                }
            }
        }
    }
    once
}
