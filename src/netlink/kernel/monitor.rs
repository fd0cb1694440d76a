//! Changes that others make.
//!
//! [`KernelMonitor`] owns the second socket, to which the kernel sends events. It holds no event between calls. Bounds:
//! [`BUFFER`] in the kernel; if more events come, some are lost, and [`KernelEvent::Overrun`] says so. One call reads
//! [`ROUND`] datagrams. Our own changes take no room there: a hundred thousand of them would fill it while nobody
//! reads.
//!
//! The kernel does not report everything: when a device goes down or is removed, its IPv4 routes and its nexthop
//! objects vanish without an event, and only the device's own event shows it.

use std::future::poll_fn;
use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket as _, TokioSocket};

use super::message::{Messages, NetlinkMessage};
use super::socket::{DATAGRAM, connect, enlarge, is_cut, is_overrun, receive};
use super::uapi::{
    RTM_DELLINK, RTM_DELNEXTHOP, RTM_DELROUTE, RTM_NEWLINK, RTM_NEWNEXTHOP, RTM_NEWROUTE,
};
use super::{decode, filter};
use crate::netlink::model::KernelEvent;

/// The most bytes of events that may wait in the kernel, by its own account of memory.
const BUFFER: usize = 4 * 1024 * 1024;

/// The most datagrams read in one go: other tasks want to run as well.
const ROUND: usize = 256;

/// Listens to the kernel.
pub(crate) struct KernelMonitor {
    socket: TokioSocket,
    own_port: u32,
    datagram: Vec<u8>,
}

impl KernelMonitor {
    /// A socket in the network namespace of this thread, which must be inside a tokio runtime.
    /// Leaves out changes made through the socket of port id `own_port`.
    pub(crate) fn open(own_port: u32) -> io::Result<Self> {
        Self::with_buffer(own_port, BUFFER)
    }

    /// The same with room for `buffer` bytes of events.
    pub(super) fn with_buffer(own_port: u32, buffer: usize) -> io::Result<Self> {
        let mut this =
            Self { socket: TokioSocket::new(NETLINK_ROUTE)?, own_port, datagram: Vec::new() };
        let socket = this.socket.socket_mut();
        connect(socket)?;
        enlarge(socket, buffer)?;
        filter::leave_out(socket, own_port)?;
        for group in [libc::RTNLGRP_LINK, libc::RTNLGRP_IPV4_ROUTE, libc::RTNLGRP_IPV6_ROUTE] {
            socket.add_membership(group)?;
        }
        match socket.add_membership(libc::RTNLGRP_NEXTHOP) {
            // The kernel has no nexthop objects.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
            other => other?,
        }
        this.datagram.reserve_exact(DATAGRAM);
        Ok(this)
    }

    /// What happened since the last call, in order and never empty: waits until something does.
    ///
    /// May be dropped while it waits; nothing is lost.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<KernelEvent>> {
        loop {
            let mut events = Vec::new();
            self.datagram.clear();
            let mut read = poll_fn(|cx| self.socket.poll_recv(cx, &mut self.datagram)).await;
            let mut datagrams = 1;
            while self.understand(read, &mut events)? && datagrams < ROUND {
                read = receive(self.socket.socket_ref(), &mut self.datagram, 0);
                datagrams += 1;
            }
            if !events.is_empty() {
                return Ok(events);
            }
            // Datagrams without an event could keep this loop busy for long.
            tokio::task::yield_now().await;
        }
    }

    /// Adds the events of the datagram that was read, if any. `false` when there was none.
    fn understand(&self, read: io::Result<()>, events: &mut Vec<KernelEvent>) -> io::Result<bool> {
        match read {
            Ok(()) => {
                let messages = Messages(&self.datagram);
                events.extend(messages.filter_map(|message| event(message, self.own_port)));
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => return Ok(false),
                io::ErrorKind::Interrupted => {}
                _ if is_overrun(&error) || is_cut(&error) => events.push(KernelEvent::Overrun),
                _ => return Err(error),
            },
        }
        Ok(true)
    }
}

/// `None` for own changes and for messages that can't be understood.
fn event(message: NetlinkMessage<'_>, own_port: u32) -> Option<KernelEvent> {
    let payload = message.payload;
    match message.kind {
        // An own change made before the filter was set.
        _ if message.port == own_port => None,
        RTM_NEWLINK => {
            let link = decode::link(payload)?;
            let name = link.name.to_owned();
            let (index, up, abilities) = (link.index, link.up, link.abilities);
            Some(KernelEvent::DeviceSet { index, name, up, abilities })
        }
        RTM_DELLINK => {
            let link = decode::link(payload)?;
            Some(KernelEvent::DeviceDeleted { index: link.index, name: link.name.to_owned() })
        }
        RTM_NEWROUTE => {
            let route = decode::route(payload)?;
            Some(KernelEvent::RouteSet { key: route.key, protocol: route.protocol })
        }
        RTM_DELROUTE => {
            let route = decode::route(payload)?;
            Some(KernelEvent::RouteDeleted { key: route.key, protocol: route.protocol })
        }
        RTM_NEWNEXTHOP => {
            let object = decode::object(payload)?;
            Some(KernelEvent::ObjectSet { id: object.id, protocol: object.protocol })
        }
        RTM_DELNEXTHOP => Some(KernelEvent::ObjectDeleted { id: decode::object(payload)?.id }),
        _ => None,
    }
}
