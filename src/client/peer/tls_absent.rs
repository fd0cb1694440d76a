//! What there is of TLS in a program without it: an error that says so.

use tokio::net::TcpStream;

use crate::client::{LeafTls, SessionError};
use crate::tls::TlsFault;

/// Never there.
#[derive(Debug)]
pub(super) enum Ending {}

impl Ending {
    pub(super) fn fault(&self) -> Option<TlsFault> {
        match *self {}
    }
}

#[expect(clippy::unused_async, reason = "the twin of a function that waits")]
pub(super) async fn secure(
    _: TcpStream,
    _: &LeafTls,
    _: &str,
) -> Result<(TcpStream, Ending), SessionError> {
    Err(SessionError::Tls(
        "this program was built without TLS: build it with --features tls".into(),
    ))
}
