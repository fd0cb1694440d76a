//! What a peer has proven of itself, in contrast to what its HELLO claims.

use std::net::IpAddr;

/// The identity that a peer's certificate proves: its name, and the next hops that it owns.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    name: Option<Box<str>>,
    addresses: Box<[IpAddr]>,
}

impl Identity {
    /// The longest name in bytes, the same as for a HELLO's node.
    pub const NAME_MAX: usize = 255;
    /// The most addresses of one identity.
    pub const ADDRESSES_MAX: usize = 256;

    /// The identity in a verified certificate. `None` above [`Identity::NAME_MAX`] or [`Identity::ADDRESSES_MAX`],
    /// and for a name that is empty or has characters other than visible ASCII.
    #[must_use]
    pub fn new(name: Option<&str>, addresses: Vec<IpAddr>) -> Option<Self> {
        let is_name = |name: &str| {
            (1..=Self::NAME_MAX).contains(&name.len())
                && name.bytes().all(|it| it.is_ascii_graphic())
        };
        let fits = name.is_none_or(is_name) && addresses.len() <= Self::ADDRESSES_MAX;
        fits.then(|| Self { name: name.map(Into::into), addresses: addresses.into() })
    }

    /// Its SPIFFE ID or its DNS name; `None` if the certificate has neither.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The next hops that it owns, in the certificate's order.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}

/// The part of the system that encrypts and decrypts a connection over TLS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsCarrier {
    /// The kernel, on the connection's own socket.
    Kernel,
    /// A thread of this process. The connection ends with this process.
    Process,
}

impl TlsCarrier {
    /// The name for operators.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Process => "process",
        }
    }
}

/// The facts about a connection over TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsPeer {
    /// The identity that the peer's certificate proves.
    pub identity: Identity,
    /// The part of the system that has the keys.
    pub carrier: TlsCarrier,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_visible_and_short() {
        let is_taken = |name: &str| Identity::new(Some(name), Vec::new()).is_some();
        assert!(is_taken("spiffe://dc1/hv/17") && is_taken(&"n".repeat(255)));
        for wrong in ["", "two words", "line\nbreak", "n\u{e9}", &"n".repeat(256)] {
            assert!(!is_taken(wrong), "{wrong:?}");
        }
        assert!(Identity::new(None, vec![[0, 0, 0, 0].into(); 257]).is_none());
    }
}
