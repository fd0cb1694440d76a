//! One message of any type.
//!
//! The type comes from the frame's header, the value from its payload:
//!
//! | type | payload | decoded by |
//! |---|---|---|
//! | HELLO | `Hello` | [`Hello::decode`] |
//! | KEEPALIVE | ignored, sent empty | |
//! | SUBSCRIBE, UNSUBSCRIBE | `Subscription` | prost |
//! | UPDATE | `Update` | [`decode_update`] |
//! | END_OF_TABLE | `EndOfTable` | prost |
//! | GOODBYE | none | by hand |
//! | REPORT | `Report` | prost |

use prost::Message as _;

use super::frame;
use super::{
    Frame, Hello, MessageType, Report, Update, Vni, WireError, decode_update, encode_update, proto,
};

/// One message, decoded and valid.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// The first message of either side.
    Hello(Hello),
    /// Keeps the session alive.
    Keepalive,
    /// Asks for the routes of a VNI.
    Subscribe(Vni),
    /// Ends the subscription to a VNI.
    Unsubscribe(Vni),
    /// Announces or withdraws one route.
    Update(Update),
    /// The dump of a VNI is complete.
    EndOfTable(Vni),
    /// The sender ends the session on purpose.
    Goodbye,
    /// The routes of a VNI that a leaf has from the receiver.
    Report(Report),
}

impl Message {
    /// Decodes a frame. Linear in its length; only a HELLO allocates.
    ///
    /// # Errors
    /// Those of [`Hello::decode`] and [`decode_update`]; [`WireError::Protobuf`] for other types.
    #[inline]
    pub fn decode(frame: &Frame<'_>) -> Result<Self, WireError> {
        let payload = frame.payload;
        match frame.kind {
            MessageType::Update => decode_update(payload).map(Self::Update),
            MessageType::Hello => Hello::decode(payload).map(Self::Hello),
            MessageType::Keepalive => Ok(Self::Keepalive),
            MessageType::Goodbye => Ok(Self::Goodbye),
            MessageType::Subscribe => subscription(payload).map(Self::Subscribe),
            MessageType::Unsubscribe => subscription(payload).map(Self::Unsubscribe),
            MessageType::EndOfTable => match proto::EndOfTable::decode(payload) {
                Ok(end) => Ok(Self::EndOfTable(Vni(end.vni))),
                Err(_) => Err(WireError::Protobuf),
            },
            MessageType::Report => Report::decode(payload).map(Self::Report),
        }
    }

    /// Appends the whole frame, header included, to `out`.
    ///
    /// Appends at most [`MAX_FRAME`](super::MAX_FRAME) bytes. Allocates, except for KEEPALIVE and UPDATE.
    /// Encodes a `Hello` unchecked, even with an interval of 0, which no peer accepts.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => put(out, MessageType::Hello, &hello.to_proto()),
            Self::Keepalive => out.extend_from_slice(&frame::header(MessageType::Keepalive, 0)),
            Self::Goodbye => out.extend_from_slice(&frame::header(MessageType::Goodbye, 0)),
            Self::Subscribe(vni) => {
                put(out, MessageType::Subscribe, &proto::Subscription { vni: vni.0 });
            }
            Self::Unsubscribe(vni) => {
                put(out, MessageType::Unsubscribe, &proto::Subscription { vni: vni.0 });
            }
            Self::Update(update) => {
                encode_update(
                    out,
                    update.action,
                    update.vni,
                    &update.destination,
                    &update.next_hop,
                );
            }
            Self::EndOfTable(vni) => {
                put(out, MessageType::EndOfTable, &proto::EndOfTable { vni: vni.0 });
            }
            Self::Report(report) => put(out, MessageType::Report, &report.to_proto()),
        }
    }

    /// The type that the message's header names.
    #[must_use]
    pub fn kind(&self) -> MessageType {
        match self {
            Self::Hello(_) => MessageType::Hello,
            Self::Keepalive => MessageType::Keepalive,
            Self::Subscribe(_) => MessageType::Subscribe,
            Self::Unsubscribe(_) => MessageType::Unsubscribe,
            Self::Update(_) => MessageType::Update,
            Self::EndOfTable(_) => MessageType::EndOfTable,
            Self::Goodbye => MessageType::Goodbye,
            Self::Report(_) => MessageType::Report,
        }
    }
}

/// The VNI in the payload of a SUBSCRIBE or UNSUBSCRIBE.
fn subscription(payload: &[u8]) -> Result<Vni, WireError> {
    match proto::Subscription::decode(payload) {
        Ok(subscription) => Ok(Vni(subscription.vni)),
        Err(_) => Err(WireError::Protobuf),
    }
}

/// Appends the frame of a message that prost encodes.
fn put(out: &mut Vec<u8>, kind: MessageType, message: &impl prost::Message) {
    let payload = message.encode_to_vec();
    out.extend_from_slice(&frame::header(kind, payload.len()));
    out.extend_from_slice(&payload);
}
