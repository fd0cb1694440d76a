//! Finds sessions by the names that operators use for them.

use std::time::Duration;

use super::ApiError;
use crate::admin::server::date;
use crate::inspector::Inspector;
use crate::shard::inspect::PeerInfo;

/// The most sessions that a sentence names.
const NAMED_MAX: usize = 8;

/// The one session with a name: a number, node, node and number (`host-1#7`), address, or address and port.
///
/// # Errors
/// [`ApiError::NotFound`] when there is none, with the end of the last session of that name and its reason;
/// [`ApiError::Asked`] when there are several.
pub(in crate::admin) async fn session(
    inspector: &Inspector,
    text: &str,
) -> Result<PeerInfo, ApiError> {
    let mut found = inspector.find_peer(text).await?;
    match (found.pop(), found.is_empty()) {
        (Some(peer), true) => Ok(peer),
        (Some(last), false) => {
            found.push(last);
            Err(ApiError::Asked(several(text, &found)))
        }
        (None, _) => Err(ApiError::NotFound(nobody(inspector, text))),
    }
}

fn several(text: &str, found: &[PeerInfo]) -> String {
    let one = |peer: &PeerInfo| match peer.remote {
        Some(remote) => format!("{} ({remote})", peer.name),
        None => peer.name.to_string(),
    };
    let mut names: Vec<_> = found.iter().take(NAMED_MAX).map(one).collect();
    if found.len() > NAMED_MAX {
        names.push(format!("{} more", found.len() - NAMED_MAX));
    }
    format!(
        "{} sessions are called {text:?}: {}; give one of these names",
        found.len(),
        names.join(", ")
    )
}

/// The sentence for a missing session: it names the end of the last session of that name.
fn nobody(inspector: &Inspector, text: &str) -> String {
    let text = text.trim();
    let last = inspector.closed_sessions(None, 1, |session| session.is_named(text)).rows;
    let Some(last) = last.first() else {
        return format!(
            "no such peer: no session is called {text:?}, and none has been lately; give its number, node or address, \
             which metalbond ctl show peers lists"
        );
    };
    let ago = Duration::from_micros(date::micros().saturating_sub(last.ended));
    format!(
        "no such peer: {text}; last seen {}, {} ago, when session {} from {} ended after {}: {}",
        date::precise(last.ended),
        date::in_words(ago),
        last.peer,
        last.remote,
        date::in_words(last.lasted),
        last.detail
    )
}
