//! The client of a connection: its address or its process.

use std::net::SocketAddr;

/// The client of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Origin {
    /// Its address, over TCP.
    pub(crate) address: Option<SocketAddr>,
    /// Its process, over a Unix socket.
    pub(crate) caller: Option<Caller>,
}

/// A process that has connected to a Unix socket, as the kernel names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// Its user.
    pub(crate) uid: u32,
    /// Its number; none where it has none in this process's namespace.
    pub(crate) pid: Option<i32>,
}
