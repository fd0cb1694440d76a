//! HELLO, the first message of either side.
//!
//! ```text
//!   1 keepaliveInterval   2 isServer                   every peer
//!   16 capabilities   17 agent   18 node   19 servingSeconds   extensions
//! ```
//!
//! Deployed peers know fields 1 and 2 and skip the others. A side that sends any of the others
//! understands them; there is no other negotiation. Used once per session, so not tuned for speed.

use std::fmt;

use prost::Message as _;

use super::{WireError, proto};

/// A HELLO: the first message of a peer, about itself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Hello {
    /// The keepalive interval that it asks for, in seconds, at least 1; both sides use the lower of the two.
    pub keepalive_interval: u32,
    /// Whether it is a server: servers do not get routes that only servers announce.
    pub is_server: bool,
    /// Its extensions; `None` for a peer that knows none.
    pub extensions: Option<Extensions>,
}

impl Hello {
    /// Decodes the payload of a HELLO; allocates for the strings of the extensions.
    ///
    /// # Errors
    /// [`WireError::Protobuf`] or [`WireError::KeepaliveInterval`].
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        let hello = proto::Hello::decode(payload).map_err(|_| WireError::Protobuf)?;
        if hello.keepalive_interval == 0 {
            return Err(WireError::KeepaliveInterval);
        }
        let extensions = Extensions::new(Capabilities(hello.capabilities), hello.agent, hello.node)
            .serving(hello.serving_seconds);
        Ok(Self {
            keepalive_interval: hello.keepalive_interval,
            is_server: hello.is_server,
            extensions: (extensions != Extensions::default()).then_some(extensions),
        })
    }

    /// The message to encode, with its strings made safe, whoever filled them in.
    pub(super) fn to_proto(&self) -> proto::Hello {
        let Extensions { capabilities, agent, node, serving_seconds } =
            self.extensions.clone().unwrap_or_default();
        proto::Hello {
            keepalive_interval: self.keepalive_interval,
            is_server: self.is_server,
            capabilities: capabilities.0,
            agent: name(agent),
            node: name(node),
            serving_seconds,
        }
    }
}

/// The fields of a HELLO that only this implementation knows. Empty extensions are the same as none: on the wire both
/// look alike.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Extensions {
    /// The messages and behaviour that the peer understands.
    pub capabilities: Capabilities,
    /// Its software and version, for example `metalbond/0.2.0`.
    pub agent: String,
    /// A stable name of its host, for people and for recognising it after a restart.
    pub node: String,
    /// Of a reflector: for how many full seconds it has had at least one session, without interruption. After enough
    /// seconds every announcer has connected, so its tables are complete. 0 if unknown, and in a leaf's HELLO.
    pub serving_seconds: u32,
}

impl Extensions {
    /// The longest `agent` and `node`, in bytes.
    pub const MAX_STRING: usize = 255;

    /// Extensions with `agent` and `node` that are safe to show anywhere: characters that act on a terminal or hide
    /// text (Unicode's categories Cc and Cf, and its line and paragraph separators) are replaced by U+FFFD, and texts
    /// are cut, between two characters, to [`Self::MAX_STRING`] bytes.
    #[must_use]
    pub fn new(
        capabilities: Capabilities,
        agent: impl Into<String>,
        node: impl Into<String>,
    ) -> Self {
        let (agent, node) = (name(agent.into()), name(node.into()));
        Self { capabilities, agent, node, serving_seconds: 0 }
    }

    /// The same extensions with this value of [`Self::serving_seconds`].
    #[must_use]
    pub fn serving(self, serving_seconds: u32) -> Self {
        Self { serving_seconds, ..self }
    }
}

/// The text as [`Extensions::new`] stores it.
fn name(mut text: String) -> String {
    if text.contains(acts) {
        text = text.replace(acts, "\u{fffd}");
    }
    let mut end = Extensions::MAX_STRING.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Whether a character acts on the place where it is shown, instead of being seen: controls (Cc), format
/// characters (Cf, as of Unicode 16), and separators of lines and paragraphs (Zl, Zp).
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// A set of capabilities of a peer. Unknown bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// The peer reads TCP as a byte stream: it needs no pacing, and any amount of data may be unread.
    pub const STREAM: Self = Self(1 << 0);
    /// The peer understands END_OF_TABLE.
    pub const END_OF_TABLE: Self = Self(1 << 1);
    /// The peer understands GOODBYE.
    pub const GOODBYE: Self = Self(1 << 2);
    /// The peer understands REPORT.
    pub const REPORT: Self = Self(1 << 3);
    /// The capabilities of this implementation.
    pub const OURS: Self =
        Self::STREAM.union(Self::END_OF_TABLE).union(Self::GOODBYE).union(Self::REPORT);

    /// Whether all of `other` is in `self`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The union of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capabilities({:#b})", self.0)
    }
}
