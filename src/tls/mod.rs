//! TLS with certificates of both sides: files, handshakes, the identity that a certificate proves, and carrying bytes.
//!
//! ```text
//!   files --> config --> handshake over a socket --> Connection --> keys to the kernel: socket
//!                                                               --> Pump: socket <-- TLS --> socket pair
//!                                                --> identity
//! ```
//!
//! The code here does not know the protocol that is carried, or which part listens: `terminator` and `client::peer`
//! use it. A [`Pump`] moves bytes between a TLS connection and one end of a socket pair, so the code that has the other
//! end works as over TCP. A pump holds no more than the TLS records that are being sent, and stops reading one side
//! while the other side takes nothing.
//!
//! Without the feature `tls` this folder has only [`FileError`] and the names of faults.
//!
//! Imports: io, session.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "server")]
mod carrier;
mod fault;
#[cfg(feature = "tls")]
mod files;
#[cfg(feature = "tls")]
mod handshake;
#[cfg(feature = "tls")]
mod identity;
#[cfg(all(feature = "tls", feature = "server"))]
mod kernel;
#[cfg(feature = "tls")]
mod pump;
#[cfg(feature = "tls")]
mod spiffe;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::Ending;
#[cfg(feature = "server")]
pub(crate) use carrier::choose;
#[cfg(feature = "server")]
pub use carrier::{CarrierError, TlsCarrierChoice};
pub use fault::{FileError, TlsFault};
#[cfg(feature = "tls")]
pub(crate) use files::{Paths, Stamp, client, server};
#[cfg(feature = "tls")]
pub(crate) use handshake::shake_hands;
#[cfg(feature = "tls")]
pub(crate) use identity::identity;
#[cfg(all(feature = "tls", feature = "server"))]
pub(crate) use kernel::give_keys;
#[cfg(feature = "tls")]
pub(crate) use pump::{Ending, Link, Pump, pair};
#[cfg(feature = "tls")]
pub(crate) use spiffe::dummy as spiffe;
