//! Accepting connections.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use crate::io;

/// Descriptors that no session takes, so that operators can still ask questions.
const KEPT: u64 = 16;

/// The next connection, or an error if only the descriptors for operators are left.
pub(crate) async fn accept(listener: &TcpListener) -> std::io::Result<(TcpStream, SocketAddr)> {
    if io::is_short_of_files(listener, KEPT) {
        return Err(std::io::Error::other("the last descriptors are kept for operators"));
    }
    listener.accept().await
}
