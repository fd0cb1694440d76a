//! Why a peer's stream has ended.

use std::io;

use crate::io::TlsEnd;
use crate::session::CloseReason;
use crate::tls::TlsFault;

/// The reason why a stream has ended, or failed with this error. `fault` is its TLS fault, if TLS has ended it.
pub(super) fn end_of_stream(error: Option<&io::Error>, fault: Option<TlsFault>) -> CloseReason {
    if let Some(end) = error.and_then(TlsEnd::of) {
        return CloseReason::Tls(end.to_string().into());
    }
    match fault {
        None => error.map_or(CloseReason::PeerClosed, |it| CloseReason::Connection(it.kind())),
        Some(TlsFault::Connection(kind)) => CloseReason::Connection(kind),
        Some(fault) => CloseReason::Tls(fault.to_string().into()),
    }
}
