//! The kernel as far as it is documented: routes, nexthop objects and one device, slow and simple.

use std::collections::{BTreeMap, BTreeSet};

use super::world::key;
use crate::netlink::model::{
    Abilities, Device, Hop, KernelError, KernelEvent, KernelRoute, Object, ObjectBody, Request,
    RouteKey, TunnelKind, Via,
};
use crate::wire::{Destination, IpVersion};

/// See the module's documentation.
#[derive(Clone, Default, Debug)]
pub(super) struct Model {
    /// The tunnel device's index, while there is one, and whether it is up.
    pub(super) device: Option<(u32, bool)>,
    /// Routes of all protocols: one per key, as no program appends routes.
    pub(super) routes: BTreeMap<RouteKey, (u8, Via)>,
    pub(super) objects: BTreeMap<u32, Object>,
    /// Requests to be refused, counted down: (skip so many, then refuse so many).
    pub(super) refuse: (usize, usize),
    /// Whether the device is one that carries no VNI.
    pub(super) ip6tnl: bool,
    /// The addresses and prefixes for which the host takes packets.
    pub(super) own: Vec<Destination>,
    /// Whether the device has no IPv6.
    pub(super) no_ipv6: bool,
    /// The difference between its MTU and 1400.
    pub(super) more_mtu: u32,
    /// The events for a monitor.
    pub(super) events: Vec<KernelEvent>,
    /// Requests so far.
    pub(super) log: Vec<Request>,
}

fn refused(errno: i32, text: &str) -> Result<(), KernelError> {
    Err(KernelError { errno, text: text.to_owned() })
}

impl Model {
    pub(super) fn device(&self) -> Option<Device> {
        self.device.map(|(index, up)| Device {
            index,
            name: "tun".to_owned(),
            up,
            abilities: self.abilities(),
            remark: None,
            kind: Ok(if self.ip6tnl { TunnelKind::Ip6Tnl } else { TunnelKind::VxlanGpe }),
        })
    }

    fn abilities(&self) -> Abilities {
        Abilities { mtu: 1400 + self.more_mtu, ipv6: !self.no_ipv6 }
    }

    /// Whether the device can serve an IP version.
    fn carries(&self, version: IpVersion) -> Result<(), KernelError> {
        match version {
            IpVersion::V6 if self.no_ipv6 => refused(13, "IPv6 is disabled on nexthop device"),
            _ => Ok(()),
        }
    }

    /// Whether an object serves IPv4 routes only.
    fn is_ipv4_only(&self, id: u32) -> bool {
        match self.objects.get(&id).map(|object| &object.body) {
            Some(ObjectBody::Hop(_, version)) => *version == IpVersion::V4,
            Some(ObjectBody::Group(members)) => {
                members.iter().any(|member| self.is_ipv4_only(*member))
            }
            _ => false,
        }
    }

    /// The device gets or loses IPv6: routes and objects stay.
    pub(super) fn set_ipv6(&mut self, has_it: bool) {
        self.no_ipv6 = !has_it;
        let key = key(255, "ff00::/8");
        let event = if has_it {
            KernelEvent::RouteSet { key, protocol: 2 }
        } else {
            KernelEvent::RouteDeleted { key, protocol: 2 }
        };
        self.events.push(event);
    }

    /// The device's MTU changes.
    pub(super) fn set_mtu(&mut self, more: u32) {
        self.more_mtu = more;
        if let Some((index, up)) = self.device {
            self.set_device(index, up);
        }
    }

    pub(super) fn dump(&self, table: u32) -> Vec<KernelRoute> {
        let here = self.routes.iter().filter(|(key, _)| key.table == table);
        here.map(|(&key, (protocol, via))| KernelRoute {
            key,
            protocol: *protocol,
            via: via.clone(),
        })
        .collect()
    }

    pub(super) fn dump_objects(&self) -> Vec<Object> {
        self.objects.values().cloned().collect()
    }

    /// The objects that routes use.
    pub(super) fn used(&self) -> BTreeSet<u32> {
        let by_routes = self.routes.values().filter_map(|(_, via)| match via {
            Via::Object(id) => Some(*id),
            _ => None,
        });
        by_routes.collect()
    }

    /// The hops that a route leads to, sorted.
    pub(super) fn resolve(&self, via: &Via) -> Vec<Hop> {
        let mut hops = match via {
            Via::Hops(hops) => hops.to_vec(),
            Via::Foreign => Vec::new(),
            Via::Object(id) => match self.objects.get(id).map(|object| &object.body) {
                Some(ObjectBody::Hop(hop, _)) => vec![*hop],
                Some(ObjectBody::Group(members)) => {
                    members.iter().flat_map(|member| self.resolve(&Via::Object(*member))).collect()
                }
                _ => Vec::new(),
            },
        };
        hops.sort_unstable();
        hops
    }

    /// Carries out one request of the program under test.
    pub(super) fn request(&mut self, request: &Request) -> Result<(), KernelError> {
        self.log.push(request.clone());
        match &mut self.refuse {
            (0, 0) => {}
            (0, refusals) => {
                *refusals -= 1;
                return refused(12, "Cannot allocate memory");
            }
            (skip, _) => *skip -= 1,
        }
        match request {
            Request::SetRoute { key, protocol, via, replace } => {
                self.set(*key, *protocol, via, *replace)
            }
            Request::DeleteRoute { key, protocol, .. } => match self.routes.get(key) {
                Some((other, _)) if other == protocol => {
                    self.routes.remove(key);
                    Ok(())
                }
                _ => refused(3, "No such process"),
            },
            Request::AddObject(object) => self.add(object),
            Request::DeleteObject { id } => {
                assert!(
                    !self.routes.values().any(|(_, via)| *via == Via::Object(*id)),
                    "deletes object {id} while a route uses it"
                );
                let has = |object: &Object| match &object.body {
                    ObjectBody::Group(members) => members.contains(id),
                    _ => false,
                };
                assert!(!self.objects.values().any(has), "deletes a member of a group: {id}");
                if self.objects.contains_key(id) {
                    self.lose_object(*id);
                    Ok(())
                } else {
                    refused(2, "No such file or directory")
                }
            }
        }
    }

    fn usable(&self, hop: &Hop) -> Result<(), KernelError> {
        match self.device {
            Some((index, true)) if index == hop.device => Ok(()),
            Some((index, false)) if index == hop.device => refused(100, "Network is down"),
            _ => refused(19, "No such device"),
        }
    }

    fn set(
        &mut self,
        key: RouteKey,
        protocol: u8,
        via: &Via,
        replace: bool,
    ) -> Result<(), KernelError> {
        match via {
            Via::Object(id) if !self.objects.contains_key(id) => {
                return refused(22, "Nexthop id does not exist");
            }
            Via::Object(id)
                if key.destination.version() == IpVersion::V6 && self.is_ipv4_only(*id) =>
            {
                return refused(22, "IPv6 routes can not use an IPv4 nexthop");
            }
            Via::Hops(hops) => {
                self.carries(key.destination.version())?;
                hops.iter().try_for_each(|hop| self.usable(hop))?;
            }
            _ => {}
        }
        if let Some((other, _)) = self.routes.get(&key) {
            if !replace {
                return refused(17, "File exists");
            }
            assert_eq!(*other, protocol, "takes over a foreign route at {key:?}");
        }
        self.routes.insert(key, (protocol, via.clone()));
        Ok(())
    }

    fn add(&mut self, object: &Object) -> Result<(), KernelError> {
        if self.objects.contains_key(&object.id) {
            return refused(17, "File exists");
        }
        match &object.body {
            ObjectBody::Hop(hop, version) => {
                self.carries(*version)?;
                self.usable(hop)?;
            }
            ObjectBody::Group(members) => {
                assert!(members.len() > 1 && members.is_sorted());
                if !members.iter().all(|member| self.objects.contains_key(member)) {
                    return refused(22, "Invalid nexthop id");
                }
            }
            ObjectBody::Foreign => panic!("never asked for"),
        }
        self.objects.insert(object.id, object.clone());
        Ok(())
    }

    /// An object goes, and with it its users. IPv4 routes go without an event.
    fn lose_object(&mut self, id: u32) {
        self.objects.remove(&id);
        let using = |via: &Via| *via == Via::Object(id);
        let lost: Vec<_> =
            self.routes.iter().filter(|(_, (_, via))| using(via)).map(|(key, _)| *key).collect();
        for key in lost {
            self.lose_route(key, key.destination.version() == IpVersion::V6);
        }
        let mut emptied = Vec::new();
        for object in self.objects.values_mut() {
            if let ObjectBody::Group(members) = &mut object.body {
                let before = members.len();
                members.retain(|member| *member != id);
                if members.len() < before {
                    let event = KernelEvent::ObjectSet { id: object.id, protocol: object.protocol };
                    self.events.push(event);
                }
                if members.is_empty() {
                    emptied.push(object.id);
                }
            }
        }
        for group in emptied {
            self.lose_object(group);
        }
    }

    fn lose_route(&mut self, key: RouteKey, reported: bool) {
        if let Some((protocol, _)) = self.routes.remove(&key)
            && reported
        {
            self.events.push(KernelEvent::RouteDeleted { key, protocol });
        }
    }

    /// A user deletes an object by hand.
    pub(super) fn delete_object(&mut self, id: u32) {
        if self.objects.contains_key(&id) {
            self.lose_object(id);
            self.events.push(KernelEvent::ObjectDeleted { id });
        }
    }

    /// A user deletes a route by hand.
    pub(super) fn delete_route(&mut self, key: RouteKey) {
        self.lose_route(key, true);
    }

    /// A user installs or replaces a route by hand.
    pub(super) fn set_by_hand(&mut self, key: RouteKey, protocol: u8, via: Via) {
        self.routes.insert(key, (protocol, via));
        self.events.push(KernelEvent::RouteSet { key, protocol });
    }

    /// The device goes down or comes up; `index` 0: it goes away.
    pub(super) fn set_device(&mut self, index: u32, up: bool) {
        let old = self.device;
        if let Some((old, true)) = old
            && (old != index || !up)
        {
            self.objects.retain(|_, object| match &object.body {
                ObjectBody::Hop(hop, _) => hop.device != old,
                _ => false,
            });
            let over = self.routes.iter().filter(|(_, (_, via))| *via != Via::Foreign);
            let lost: Vec<_> = over.map(|(key, _)| *key).collect();
            for key in lost {
                self.lose_route(key, key.destination.version() == IpVersion::V6);
            }
        }
        let name = || "tun".to_owned();
        if let Some((old, _)) = old
            && old != index
        {
            self.events.push(KernelEvent::DeviceDeleted { index: old, name: name() });
        }
        self.device = (index != 0).then_some((index, up));
        if index != 0 {
            let (name, abilities) = (name(), self.abilities());
            self.events.push(KernelEvent::DeviceSet { index, name, up, abilities });
        }
    }
}
