//! The two versions of IP.

/// The address family of a destination.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum IpVersion {
    /// IPv4: 4-byte prefixes, lengths 0 to 32.
    V4 = 0,
    /// IPv6: 16-byte prefixes, lengths 0 to 128.
    V6 = 1,
}
