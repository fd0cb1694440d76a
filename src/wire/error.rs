//! Why bytes are not a MetalBond message.

use thiserror::Error;

use super::ip_version::IpVersion;

/// Why bytes are not a MetalBond message.
///
/// If the frame of an UPDATE, REPORT or END_OF_TABLE is intact, the receiver skips the message and the session goes on.
/// Any other error ends the session that sent it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum WireError {
    /// Byte 0 is not 1.
    #[error("protocol version {0} is not 1")]
    Version(u8),
    /// The header announces a payload of more than 1188 bytes.
    #[error("payload of {0} bytes exceeds 1188")]
    TooLong(u16),
    /// Byte 3 is no known message type.
    #[error("unknown message type {0}")]
    MessageType(u8),
    /// The payload is not the protobuf message that its type promises.
    #[error("undecodable protobuf")]
    Protobuf,
    /// HELLO with a keepalive interval of 0.
    #[error("keepalive interval 0")]
    KeepaliveInterval,
    /// UPDATE without a destination.
    #[error("update without a destination")]
    MissingDestination,
    /// UPDATE without a next hop.
    #[error("update without a next hop")]
    MissingNextHop,
    /// An action that is neither ADD nor REMOVE.
    #[error("unknown action {0}")]
    Action(u32),
    /// An IP version that is neither 4 nor 6.
    #[error("unknown IP version {0}")]
    IpVersion(u32),
    /// A prefix whose length in bytes does not match its IP version.
    #[error("prefix of {bytes} bytes for {version:?}")]
    Prefix {
        /// Bytes received.
        bytes: usize,
        /// Version claimed.
        version: IpVersion,
    },
    /// A prefix length above 32 (IPv4) or 128 (IPv6).
    #[error("prefix length {length} for {version:?}")]
    PrefixLength {
        /// Bits claimed.
        length: u32,
        /// Version claimed.
        version: IpVersion,
    },
    /// A next hop address of neither 4 nor 16 bytes.
    #[error("next hop address of {bytes} bytes")]
    NextHopAddress {
        /// Bytes received.
        bytes: usize,
    },
    /// An unknown next hop type.
    #[error("unknown next hop type {0}")]
    NextHopType(u32),
    /// A NAT next hop without `from <= to <= 65535`.
    #[error("NAT port range {from} to {to}")]
    NatPorts {
        /// First port.
        from: u32,
        /// Last port.
        to: u32,
    },
}

impl WireError {
    /// The values of [`WireError::name`] for errors that end a session.
    pub(crate) const ENDS: [&str; 5] =
        ["version", "length", "message_type", "protobuf", "keepalive_interval"];

    /// The values of [`WireError::name`] for an UPDATE, which is skipped.
    pub(crate) const SKIPS: [&str; 10] = [
        "protobuf",
        "missing_destination",
        "missing_next_hop",
        "action",
        "ip_version",
        "prefix",
        "prefix_length",
        "next_hop_address",
        "next_hop_type",
        "nat_ports",
    ];

    /// A short, stable name, for labels of metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Version(_) => "version",
            Self::TooLong(_) => "length",
            Self::MessageType(_) => "message_type",
            Self::Protobuf => "protobuf",
            Self::KeepaliveInterval => "keepalive_interval",
            Self::MissingDestination => "missing_destination",
            Self::MissingNextHop => "missing_next_hop",
            Self::Action(_) => "action",
            Self::IpVersion(_) => "ip_version",
            Self::Prefix { .. } => "prefix",
            Self::PrefixLength { .. } => "prefix_length",
            Self::NextHopAddress { .. } => "next_hop_address",
            Self::NextHopType(_) => "next_hop_type",
            Self::NatPorts { .. } => "nat_ports",
        }
    }
}
