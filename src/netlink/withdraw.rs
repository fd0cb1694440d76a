//! Takes a device's routes out of the kernel before the device goes.
//!
//! The kernel would do so by itself, but for each nexthop object that IPv4 routes use it looks through
//! all IPv4 routes and holds the lock of all networking meanwhile: with as many objects as routes
//! that takes time by the square of their number. `ip route flush` is no help: it hands back the hops
//! along with the object's id, which the kernel refuses.

use std::collections::BTreeSet;

use super::config::{EPERM, StartError};
use super::kernel::Kernel;
use super::model::{Object, ObjectBody, Request, Via};

/// How often to look for routes that are left. Other programs may install routes meanwhile, and a dump of IPv6 routes
/// may miss some while routes change.
const ROUNDS: usize = 3;

/// The numbers of routes and objects that [`withdraw`] has removed or could not remove.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Withdrawn {
    /// The number of removed routes.
    pub routes: usize,
    /// The number of removed nexthop objects.
    pub objects: usize,
    /// The number of routes that came back or that the kernel did not remove: a process still installs them.
    pub left: usize,
}

/// Removes the routes of a protocol that lead to a device by `encap ip6`, in all tables, and
/// then the nexthop objects of that protocol on the device that no other route uses.
///
/// Call it before you remove the device or its network namespace. Stop the leaf first, or it installs the routes again.
/// Blocks for about half a second for each 100,000 routes. Works in the network namespace of the
/// calling thread.
///
/// # Errors
/// [`StartError`]: there is no such device, the process may not change routes, or the kernel does not answer. Some
/// routes may have been removed then.
pub fn withdraw(device: &str, protocol: u8) -> Result<Withdrawn, StartError> {
    let mut kernel = Kernel::open().map_err(StartError::Kernel)?;
    let found = kernel.device(device).map_err(StartError::Kernel)?;
    let index = found.ok_or_else(|| StartError::NoDevice(device.to_owned()))?.index;
    let has_objects = kernel.supports_objects().map_err(StartError::Kernel)?;
    let mut done = Withdrawn::default();
    let mut objects = Vec::new();
    for _ in 0..ROUNDS {
        if has_objects {
            objects = objects_on(&mut kernel, index)?;
        }
        let ids: BTreeSet<_> = objects.iter().map(|object| object.id).collect();
        let routes = kernel.routes_of_all_tables(protocol).map_err(StartError::Kernel)?;
        let leads_there = |via: &Via| match via {
            Via::Object(id) => ids.contains(id),
            Via::Hops(hops) => hops.iter().any(|hop| hop.device == index),
            Via::Foreign => false,
        };
        let routes = routes.into_iter().filter(|route| leads_there(&route.via));
        let deletions: Vec<_> = routes
            .map(|route| Request::DeleteRoute { key: route.key, protocol, via: None })
            .collect();
        if deletions.is_empty() {
            done.left = 0;
            break;
        }
        let removed = apply(&mut kernel, &deletions)?;
        done.routes += removed;
        done.left = deletions.len();
    }
    if done.left == 0 && has_objects {
        done.objects = remove_objects(&mut kernel, &objects, protocol)?;
    }
    Ok(done)
}

/// All nexthop objects that lead to a device, of whatever protocol: hops on it, and groups of such hops.
fn objects_on(kernel: &mut Kernel, device: u32) -> Result<Vec<Object>, StartError> {
    let all = kernel.objects().map_err(StartError::Kernel)?;
    let is_hop =
        |object: &&Object| matches!(&object.body, ObjectBody::Hop(hop, _) if hop.device == device);
    let hops: BTreeSet<_> = all.iter().filter(is_hop).map(|object| object.id).collect();
    let leads_there = |object: &Object| match &object.body {
        ObjectBody::Group(members) => members.iter().any(|member| hops.contains(member)),
        _ => hops.contains(&object.id),
    };
    Ok(all.into_iter().filter(leads_there).collect())
}

/// Removes the objects of a protocol that no route uses, groups first.
fn remove_objects(
    kernel: &mut Kernel,
    objects: &[Object],
    protocol: u8,
) -> Result<usize, StartError> {
    let mut used = kernel.objects_used_beside(&BTreeSet::new()).map_err(StartError::Kernel)?;
    let group = |object: &&Object| matches!(object.body, ObjectBody::Group(_));
    let (groups, hops): (Vec<_>, Vec<_>) = objects.iter().partition(group);
    let mut removed = 0;
    let mut requests = Vec::new();
    for object in groups {
        if object.protocol == protocol && !used.contains(&object.id) {
            requests.push(Request::DeleteObject { id: object.id });
        } else if let ObjectBody::Group(members) = &object.body {
            used.extend(members);
        }
    }
    let hops = hops.iter().filter(|it| it.protocol == protocol && !used.contains(&it.id));
    requests.extend(hops.map(|object| Request::DeleteObject { id: object.id }));
    removed += apply(kernel, &requests)?;
    Ok(removed)
}

/// Makes changes; returns how many were made. A missing route or object is no error.
fn apply(kernel: &mut Kernel, requests: &[Request]) -> Result<usize, StartError> {
    let results = kernel.apply(requests).map_err(StartError::Kernel)?;
    let forbidden = |result: &Result<_, super::model::KernelError>| {
        result.as_ref().is_err_and(|error| error.errno == EPERM)
    };
    if results.iter().any(forbidden) {
        return Err(StartError::Permission);
    }
    Ok(results.iter().filter(|result| result.is_ok()).count())
}
