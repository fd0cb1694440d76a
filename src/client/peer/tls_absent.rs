//! Replaces `tls` in a program without TLS: an error says so.

use std::future::{Ready, ready};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::client::{LeafTls, SessionError};
use crate::tls::TlsFault;

/// Never there.
#[derive(Debug)]
pub(super) enum Carrier {}

impl Carrier {
    pub(super) fn fault(&self) -> Option<TlsFault> {
        match *self {}
    }

    pub(super) fn finish(self, _: Duration) -> Ready<()> {
        match self {}
    }
}

pub(super) fn secure(
    _: TcpStream,
    _: &LeafTls,
    _: &str,
) -> Ready<Result<(TcpStream, Carrier), SessionError>> {
    ready(Err(SessionError::Tls(
        "this program was built without TLS: build it with --features tls".into(),
    )))
}
