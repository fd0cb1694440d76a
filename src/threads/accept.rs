//! Accepting connections.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use crate::io;

/// Descriptors that no session takes: for those who ask what is the matter.
const KEPT: u64 = 16;

/// The next connection, or an error when the descriptors left are not for sessions.
pub(crate) async fn accept(listener: &TcpListener) -> std::io::Result<(TcpStream, SocketAddr)> {
    if io::is_short_of_files(listener, KEPT) {
        return Err(std::io::Error::other("the last descriptors are kept for operators"));
    }
    listener.accept().await
}
