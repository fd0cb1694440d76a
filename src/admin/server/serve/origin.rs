//! The client of a connection: its address or its process.

use std::net::SocketAddr;

/// The client of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// The client's address, over TCP.
    pub(crate) address: Option<SocketAddr>,
    /// The client's process, over a Unix socket.
    pub(crate) caller: Option<Caller>,
}

/// A process that has connected to a Unix socket, as the kernel names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// The process's user.
    pub(crate) uid: u32,
    /// The process's number; `None` if it has none in this namespace.
    pub(crate) pid: Option<i32>,
}
