//! A socket that asks the kernel and reads the answers.
//!
//! Owned by [`super::Kernel`]. The socket blocks only in name: the kernel carries out a request of rtnetlink while it
//! is sent, and continues a dump while it is read, so the data to be read is there. If it is not, reading ends after
//! [`PATIENCE`].

use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use netlink_packet_core::{
    Emitable, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN,
};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::net::sockopt::{
    Timeout, set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_timeout,
};

use super::encode::put;
use super::message::{Messages, NetlinkMessage, take};

/// The largest datagram; the kernel's own bound for a dump is 32 KiB.
pub(super) const DATAGRAM: usize = 64 * 1024;

/// Room for answers: 256 refusals with the kernel's words are below 512 KiB of its memory.
const ANSWERS: usize = 1024 * 1024;

/// How long to wait for an answer that should have been there already.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct RequestSocket {
    pub(super) socket: Socket,
    port: u32,
    next_number: u32,
    /// Whether answers to an abandoned request may still come.
    stale: bool,
    datagram: Vec<u8>,
}

/// The result of a dump.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dump {
    Consistent,
    /// Routes or objects changed meanwhile, and the kernel says that the dump may be wrong.
    Interrupted,
}

impl RequestSocket {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let port = connect(&mut socket)?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        // Kernels before 4.20 don't filter dumps; the readers of a dump filter it again.
        drop(socket.set_netlink_get_strict_chk(true));
        enlarge(&socket, ANSWERS)?;
        set_socket_timeout(socket.as_fd(), Timeout::Recv, Some(PATIENCE))?;
        let datagram = Vec::with_capacity(DATAGRAM);
        Ok(Self { socket, port, next_number: 1, stale: false, datagram })
    }

    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// The first of `count` sequence numbers in a row, which wrap around.
    pub(super) fn numbers(&mut self, count: u32) -> u32 {
        let first = self.next_number;
        self.next_number = first.wrapping_add(count);
        first
    }

    /// Sends messages in one datagram.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.stale {
            self.discard()?;
        }
        loop {
            match self.socket.send(bytes, 0) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The messages of one datagram.
    ///
    /// After an error the answers are in doubt; late ones are discarded later.
    pub(super) fn receive(&mut self) -> io::Result<Messages<'_>> {
        if let Err(error) = receive(&self.socket, &mut self.datagram, 0) {
            self.stale = true;
            return Err(match error.kind() {
                io::ErrorKind::WouldBlock => {
                    io::Error::new(io::ErrorKind::TimedOut, "the kernel did not answer")
                }
                _ => error,
            });
        }
        Ok(Messages(&self.datagram))
    }

    /// Asks a question whose answer is one message, and reads the answer.
    pub(super) fn ask<T>(
        &mut self,
        kind: u16,
        body: &impl Emitable,
        mut read: impl FnMut(NetlinkMessage<'_>) -> T,
    ) -> io::Result<T> {
        let number = self.numbers(1);
        self.send(&one(kind, 0, number, body))?;
        loop {
            let mut messages = self.receive()?;
            if let Some(message) = messages.find(|message| message.sequence == number) {
                return match message.answer() {
                    Some((errno, _)) => Err(io::Error::from_raw_os_error(errno)),
                    None => Ok(read(message)),
                };
            }
        }
    }

    /// Asks for a list, and hands over each of its messages.
    pub(super) fn dump(
        &mut self,
        kind: u16,
        body: &impl Emitable,
        mut each: impl FnMut(NetlinkMessage<'_>),
    ) -> io::Result<Dump> {
        let number = self.numbers(1);
        self.send(&one(kind, NLM_F_DUMP, number, body))?;
        let mut dump = Dump::Consistent;
        loop {
            for message in self.receive()?.filter(|message| message.sequence == number) {
                if message.flags & NLM_F_DUMP_INTR != 0 {
                    dump = Dump::Interrupted;
                }
                match message.kind {
                    // An error at the start or on the way comes at the end.
                    NLMSG_DONE | NLMSG_ERROR => {
                        return match take(message.payload, 0).map_or(0, i32::from_ne_bytes) {
                            0 => Ok(dump),
                            code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
                        };
                    }
                    NLMSG_OVERRUN => dump = Dump::Interrupted,
                    _ => each(message),
                }
            }
        }
    }

    /// Reads abandoned answers to the end: the kernel refuses a dump while another is
    /// under way.
    fn discard(&mut self) -> io::Result<()> {
        loop {
            match receive(&self.socket, &mut self.datagram, libc::MSG_DONTWAIT) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stale = false;
                    return Ok(());
                }
                Err(error) if is_overrun(&error) || is_cut(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
impl RequestSocket {
    /// Leaves a dump of all routes unread, as after an error.
    pub(super) fn give_up_a_dump(&mut self) {
        let body = super::encode::routes_of(crate::wire::IpVersion::V4, 0, 0);
        self.send(&one(super::uapi::RTM_GETROUTE, NLM_F_DUMP, 0, &body)).unwrap();
        self.stale = true;
    }
}

fn one(kind: u16, flags: u16, number: u32, body: &impl Emitable) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, kind, flags, number, body);
    bytes
}

/// Connects a socket to the kernel: then it takes nothing from other processes. Returns its port id.
pub(super) fn connect(socket: &mut Socket) -> io::Result<u32> {
    let port = socket.bind_auto()?.port_number();
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(port)
}

/// Gives a socket a larger receive buffer: beyond the system's limit if this process may.
pub(super) fn enlarge(socket: &Socket, bytes: usize) -> io::Result<()> {
    if set_socket_recv_buffer_size_force(socket.as_fd(), bytes).is_err() {
        set_socket_recv_buffer_size(socket.as_fd(), bytes)?;
    }
    Ok(())
}

/// Reads one datagram.
pub(super) fn receive(socket: &Socket, datagram: &mut Vec<u8>, flags: i32) -> io::Result<()> {
    loop {
        datagram.clear();
        match socket.recv(datagram, flags | libc::MSG_TRUNC) {
            Ok(length) if length > datagram.len() => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut"));
            }
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether the kernel dropped messages for which the socket had no room.
pub(super) fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// Whether a datagram was larger than expected; the next may be fine.
pub(super) fn is_cut(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}
