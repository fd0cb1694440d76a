//! Why a message is skipped although the session goes on.

use thiserror::Error;

use crate::wire::{Flaw, MessageType, WireError};

/// A well-framed message without effect, like a BGP UPDATE that can't be understood in RFC 7606.
/// Its content is lost, but not everything else that its sender says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub(crate) enum Skipped {
    /// Its payload can't be understood.
    #[error("{0:?}: {1}")]
    Invalid(MessageType, WireError),
    /// The other side must not send such a message.
    #[error("{0:?} is not for this side")]
    Unexpected(MessageType),
    /// No packet can be sent to the next hop, and the configuration skips such announcements.
    #[error("Update: {0}")]
    NextHop(Flaw),
}

impl Skipped {
    /// The name of [`Skipped::Unexpected`].
    pub(crate) const UNEXPECTED: &'static str = "unexpected";

    /// A short, stable name, fit for a metric's label.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invalid(_, error) => error.name(),
            Self::Unexpected(_) => Self::UNEXPECTED,
            Self::NextHop(flaw) => flaw.name(),
        }
    }

    /// Every name.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        let flaws = Flaw::ALL.into_iter().map(Flaw::name);
        WireError::SKIPS.into_iter().chain([Self::UNEXPECTED]).chain(flaws)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::IpVersion::V4;

    #[test]
    fn every_reason_to_skip_a_message_is_listed_under_its_name() {
        let errors = [
            WireError::Protobuf,
            WireError::MissingDestination,
            WireError::MissingNextHop,
            WireError::Action(2),
            WireError::IpVersion(2),
            WireError::Prefix { bytes: 5, version: V4 },
            WireError::PrefixLength { length: 33, version: V4 },
            WireError::NextHopAddress { bytes: 0 },
            WireError::NextHopType(3),
            WireError::NatPorts { from: 2, to: 1 },
        ];
        let invalid = errors.map(|error| Skipped::Invalid(MessageType::Update, error));
        let all = invalid.into_iter().chain([Skipped::Unexpected(MessageType::EndOfTable)]);
        let all = all.chain(Flaw::ALL.map(Skipped::NextHop));
        assert!(all.map(Skipped::name).eq(Skipped::names()));
    }
}
