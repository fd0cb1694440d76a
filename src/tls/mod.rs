//! TLS with certificates of both sides: files, handshakes, what a certificate proves, and carrying bytes.
//!
//! ```text
//!   files --> config --> handshake over a socket --> Connection --> Pump: socket <-- TLS --> socket pair
//!                                                --> identity
//! ```
//!
//! Nothing here knows the protocol that is carried, or who listens: `reflector::tls` and `client::peer` do. A
//! [`Pump`] moves bytes between a TLS connection and one end of a socket pair, so that whoever has the other end
//! works as over TCP; it holds no more than TLS records that are being sent, and stops reading either side
//! while the other takes nothing.
//!
//! Without the feature `tls` there are only [`FileError`] and the names of what can go wrong.
//!
//! Imports: io, session.

mod fault;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(feature = "tls")]
mod identity;
#[cfg(feature = "tls")]
mod pump;
#[cfg(feature = "tls")]
mod spiffe;

pub use fault::{FileError, TlsFault};
#[cfg(feature = "tls")]
pub(crate) use files::{Paths, Stamp, client, server};
#[cfg(feature = "tls")]
pub(crate) use handshake::shake_hands;
#[cfg(feature = "tls")]
pub(crate) use identity::identity;
#[cfg(feature = "tls")]
pub(crate) use pump::{Ending, Link, Pump, pair};
#[cfg(feature = "tls")]
pub(crate) use spiffe::dummy as spiffe;
