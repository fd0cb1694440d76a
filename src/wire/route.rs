//! The parts of a route.
//!
//! A route's identity is (VNI, destination, next hop with all its fields). Host bits below the
//! prefix length are kept as sent: they are part of the identity. The constructors are the one
//! place where validity is checked, so a value of these types is always valid. Prefixes are implemented here, so that
//! no other crate can change when two destinations are equal.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

use super::WireError;
use super::bits::halves;
use super::hop_type::NextHopType;
use super::ip_version::IpVersion;

/// A virtual network identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vni(pub u32);

impl fmt::Display for Vni {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A destination: an overlay prefix. Eighteen bytes, no allocation.
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct Destination {
    version: IpVersion,
    prefix_len: u8,
    /// IPv4 prefixes occupy the first four bytes; the rest is zero.
    addr: [u8; 16],
}

impl Destination {
    /// The first and the last of all destinations in their order: by family, length, bits.
    pub(crate) const FIRST: Self = Self { version: IpVersion::V4, prefix_len: 0, addr: [0; 16] };
    pub(crate) const LAST: Self = Self { version: IpVersion::V6, prefix_len: 128, addr: [255; 16] };

    /// A destination from an address and a prefix length in bits.
    ///
    /// # Errors
    /// [`WireError::PrefixLength`] when the length exceeds 32 (IPv4) or 128 (IPv6).
    #[inline]
    pub fn new(addr: IpAddr, prefix_len: u8) -> Result<Self, WireError> {
        match addr {
            IpAddr::V4(a) => Self::from_wire(0, &a.octets(), u32::from(prefix_len)),
            IpAddr::V6(a) => Self::from_wire(1, &a.octets(), u32::from(prefix_len)),
        }
    }

    /// A destination from its wire fields.
    ///
    /// # Errors
    /// [`WireError::IpVersion`], [`WireError::Prefix`] or [`WireError::PrefixLength`] when a field is
    /// out of range or does not match the version.
    #[inline]
    pub fn from_wire(version: u32, prefix: &[u8], prefix_len: u32) -> Result<Self, WireError> {
        let (version, bytes, max) = match version {
            0 => (IpVersion::V4, 4, 32),
            1 => (IpVersion::V6, 16, 128),
            other => return Err(WireError::IpVersion(other)),
        };
        if prefix.len() != bytes {
            return Err(WireError::Prefix { bytes: prefix.len(), version });
        }
        let prefix_len = match u8::try_from(prefix_len) {
            Ok(len) if len <= max => len,
            _ => {
                return Err(WireError::PrefixLength { length: prefix_len, version });
            }
        };
        let mut addr = [0; 16];
        addr[..bytes].copy_from_slice(prefix);
        Ok(Self { version, prefix_len, addr })
    }

    /// A destination from [`Self::parts`]; all fields are valid.
    #[inline]
    pub(crate) fn from_parts(version: IpVersion, addr: [u8; 16], prefix_len: u8) -> Self {
        debug_assert!(prefix_len <= if version == IpVersion::V4 { 32 } else { 128 });
        Self { version, prefix_len, addr }
    }

    /// The address family, the address padded with zeros, and the prefix length.
    #[inline]
    pub(crate) fn parts(&self) -> (IpVersion, [u8; 16], u8) {
        (self.version, self.addr, self.prefix_len)
    }

    /// The whole destination as words: the address, and the rest.
    #[inline]
    pub(crate) fn words(&self) -> ([u64; 2], u16) {
        (
            halves(u128::from_ne_bytes(self.addr)),
            u16::from_ne_bytes([self.version as u8, self.prefix_len]),
        )
    }

    /// The address family.
    #[inline]
    #[must_use]
    pub fn version(&self) -> IpVersion {
        self.version
    }

    /// The prefix's bytes as they stand on the wire: 4 or 16 of them.
    #[inline]
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        match self.version {
            IpVersion::V4 => &self.addr[..4],
            IpVersion::V6 => &self.addr,
        }
    }

    /// The prefix length in bits.
    #[inline]
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// The same prefix with all bits below its length zero. Prefixes with the same network match the same packets.
    #[must_use]
    pub fn network(&self) -> Self {
        Self { addr: self.host_bits(|byte, host| byte & !host), ..*self }
    }

    /// The last destination, in their order, with the same [`Self::network`].
    pub(crate) fn last_of_network(&self) -> Self {
        Self { addr: self.host_bits(|byte, host| byte | host), ..*self }
    }

    /// The address with each byte changed by `change`, which gets the byte and a mask of its host bits.
    fn host_bits(&self, change: impl Fn(u8, u8) -> u8) -> [u8; 16] {
        let mut addr = self.addr;
        let bytes = self.prefix().len();
        let mut length = u32::from(self.prefix_len);
        for byte in &mut addr[..bytes] {
            *byte = change(*byte, u8::MAX.checked_shr(length).unwrap_or(0));
            length = length.saturating_sub(8);
        }
        addr
    }

    /// One address as a prefix of full length.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        let mut bytes = [0; 16];
        let (version, prefix_len) = match addr {
            IpAddr::V4(a) => {
                bytes[..4].copy_from_slice(&a.octets());
                (IpVersion::V4, 32)
            }
            IpAddr::V6(a) => {
                bytes = a.octets();
                (IpVersion::V6, 128)
            }
        };
        Self { version, prefix_len, addr: bytes }
    }

    /// Whether another prefix lies within this prefix or equals it. Ignores host bits.
    #[must_use]
    pub fn contains(&self, inner: &Self) -> bool {
        let Self { version, prefix_len, .. } = *self;
        version == inner.version
            && prefix_len <= inner.prefix_len
            && Self { prefix_len, ..*inner }.network() == self.network()
    }

    /// Whether this is a default route (`/0`), which a dump sends first.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.prefix_len == 0
    }

    /// The prefix as an address, host bits included.
    #[inline]
    #[must_use]
    pub fn addr(&self) -> IpAddr {
        match self.version {
            IpVersion::V4 => {
                IpAddr::V4(Ipv4Addr::new(self.addr[0], self.addr[1], self.addr[2], self.addr[3]))
            }
            IpVersion::V6 => IpAddr::V6(Ipv6Addr::from(self.addr)),
        }
    }
}

/// Compares words, because each update's destination is compared with its route's.
impl PartialEq for Destination {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}

/// Gives the hasher two words where a derived implementation gives it four, because each update is looked up
/// by its destination.
impl Hash for Destination {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.addr));
        state.write_u16(u16::from_ne_bytes([self.version as u8, self.prefix_len]));
    }
}

/// The error of a text that is not a [`Destination`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("expected ADDRESS/LENGTH, such as 10.0.23.0/24 or 2001:db8::/64")]
#[non_exhaustive]
pub struct NotAPrefix;

/// `10.0.23.0/24`, as it is displayed. Host bits are kept.
impl FromStr for Destination {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        let (address, length) = text.split_once('/').ok_or(NotAPrefix)?;
        // Digits and nothing else: `parse` alone would take a sign.
        if !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAPrefix);
        }
        let address: IpAddr = address.parse().map_err(|_| NotAPrefix)?;
        let length: u8 = length.parse().map_err(|_| NotAPrefix)?;
        Self::new(address, length).map_err(|_| NotAPrefix)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr(), self.prefix_len)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The underlay side of a route. All five fields are part of a route's identity. Thirty-two bytes, no
/// allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NextHop {
    version: IpVersion,
    /// IPv4 addresses occupy the first four bytes; the rest is zero.
    address: [u8; 16],
    fields: HopFields,
}

/// The fields of a next hop beside its address. Nearly every next hop has [`HopFields::PLAIN`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct HopFields {
    target_vni: u32,
    kind: NextHopType,
    nat_from: u32,
    nat_to: u32,
}

impl HopFields {
    /// A plain route in the same VNI.
    pub(crate) const PLAIN: Self =
        Self { target_vni: 0, kind: NextHopType::Standard, nat_from: 0, nat_to: 0 };

    /// Whether they are [`Self::PLAIN`].
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.target_vni | self.nat_from | self.nat_to | self.kind as u32 == 0
    }

    /// The highest fields in their order.
    const LAST: Self = Self {
        target_vni: u32::MAX,
        kind: NextHopType::LoadBalancerTarget,
        nat_from: u32::MAX,
        nat_to: u32::MAX,
    };
}

impl NextHop {
    /// The first of all next hops in their order.
    pub(crate) const FIRST: Self =
        Self { version: IpVersion::V4, address: [0; 16], fields: HopFields::PLAIN };

    /// The last of all next hops in their order.
    pub(crate) const LAST: Self =
        Self { version: IpVersion::V6, address: [255; 16], fields: HopFields::LAST };

    /// A next hop from typed parts. Ports are checked only for [`NextHopType::Nat`].
    ///
    /// # Errors
    /// [`WireError::NatPorts`] when `kind` is NAT and not `from <= to <= 65535`.
    #[inline]
    pub fn new(
        address: IpAddr,
        target_vni: u32,
        kind: NextHopType,
        nat_from: u32,
        nat_to: u32,
    ) -> Result<Self, WireError> {
        if kind == NextHopType::Nat && !(nat_from <= nat_to && u16::try_from(nat_to).is_ok()) {
            return Err(WireError::NatPorts { from: nat_from, to: nat_to });
        }
        let fields = HopFields { target_vni, kind, nat_from, nat_to };
        Ok(Self { fields, ..Self::standard(address) })
    }

    /// A plain next hop in the same VNI.
    #[inline]
    #[must_use]
    pub fn standard(address: IpAddr) -> Self {
        let (version, address) = match address {
            IpAddr::V4(v4) => {
                let mut address = [0; 16];
                address[..4].copy_from_slice(&v4.octets());
                (IpVersion::V4, address)
            }
            IpAddr::V6(v6) => (IpVersion::V6, v6.octets()),
        };
        Self { version, address, fields: HopFields::PLAIN }
    }

    /// A next hop from its wire fields.
    ///
    /// # Errors
    /// [`WireError::NextHopAddress`], [`WireError::NextHopType`] or [`WireError::NatPorts`].
    #[inline]
    pub fn from_wire(
        address: &[u8],
        target_vni: u32,
        kind: u32,
        nat_from: u32,
        nat_to: u32,
    ) -> Result<Self, WireError> {
        let address = if let Ok(v6) = <[u8; 16]>::try_from(address) {
            IpAddr::V6(Ipv6Addr::from(v6))
        } else if let Ok(v4) = <[u8; 4]>::try_from(address) {
            IpAddr::V4(Ipv4Addr::from(v4))
        } else {
            return Err(WireError::NextHopAddress { bytes: address.len() });
        };
        let kind = match kind {
            0 => NextHopType::Standard,
            1 => NextHopType::Nat,
            2 => NextHopType::LoadBalancerTarget,
            other => return Err(WireError::NextHopType(other)),
        };
        Self::new(address, target_vni, kind, nat_from, nat_to)
    }

    /// A next hop from [`Self::parts`].
    #[inline]
    pub(crate) fn from_parts(version: IpVersion, address: [u8; 16], fields: HopFields) -> Self {
        Self { version, address, fields }
    }

    /// The family, the address padded with zeros, and all other fields.
    #[inline]
    pub(crate) fn parts(&self) -> (IpVersion, [u8; 16], HopFields) {
        (self.version, self.address, self.fields)
    }

    /// The address, if it is an IPv6 one and all other fields are plain.
    #[inline]
    pub(crate) fn plain_v6(&self) -> Option<&[u8; 16]> {
        let is_plain = self.version == IpVersion::V6 && self.fields.is_plain();
        is_plain.then_some(&self.address)
    }

    /// The underlay address.
    #[inline]
    #[must_use]
    pub fn address(&self) -> IpAddr {
        match (self.version, self.address) {
            (IpVersion::V4, [a, b, c, d, ..]) => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
            (IpVersion::V6, address) => IpAddr::V6(Ipv6Addr::from(address)),
        }
    }

    /// The VNI at the target; 0 means the route's own VNI.
    #[inline]
    #[must_use]
    pub fn target_vni(&self) -> u32 {
        self.fields.target_vni
    }

    /// The type of the next hop.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> NextHopType {
        self.fields.kind
    }

    /// The first and the last port of a NAT range. For other types: the numbers as sent, without meaning.
    #[inline]
    #[must_use]
    pub fn nat_ports(&self) -> (u32, u32) {
        (self.fields.nat_from, self.fields.nat_to)
    }
}

/// Gives the hasher few words; see [`Destination`].
impl Hash for NextHop {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.address));
        self.fields.hash(state);
        state.write_u8(self.version as u8);
    }
}

impl Hash for HopFields {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.nat_from) << 32 | u64::from(self.nat_to));
        state.write_u64(u64::from(self.target_vni) << 8 | self.kind as u64);
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)?;
        let HopFields { target_vni, kind, nat_from, nat_to } = self.fields;
        if target_vni != 0 {
            write!(f, " target vni {target_vni}")?;
        }
        match kind {
            NextHopType::Standard => Ok(()),
            NextHopType::Nat => write!(f, " nat {nat_from}-{nat_to}"),
            NextHopType::LoadBalancerTarget => f.write_str(" lb"),
        }
    }
}

/// Whether an UPDATE announces or withdraws.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Action {
    /// The route is announced.
    Add = 0,
    /// The route is withdrawn.
    Remove = 1,
}

/// The payload of an UPDATE.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Update {
    /// Announce or withdraw.
    pub action: Action,
    /// The virtual network.
    pub vni: Vni,
    /// The overlay prefix.
    pub destination: Destination,
    /// The next hop.
    pub next_hop: NextHop,
}
