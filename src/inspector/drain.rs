//! Ends sessions one after the other while the reflector drains. Runs on the control thread.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::sync::watch;

use super::Inspector;
use crate::CloseReason;
use crate::ids::{PeerId, ShardId};
use crate::shard::inspect::{Cursor, PeerInfo, SessionState};
use crate::threads::ShardThread;

/// The time between two steps of a drain.
const STEP: Duration = Duration::from_millis(10);
/// The pause before the next look when no session was left.
const IDLE: Duration = Duration::from_millis(250);
/// The most sessions listed at a time.
const LISTED: usize = 512;

/// Drains on request, until the reflector stops.
pub(crate) async fn run(inspector: Inspector) {
    let mut rate = inspector.control.drain.subscribe();
    loop {
        let per_second = *rate.borrow_and_update();
        // The other sites learn of the drain before the first session ends: else its withdrawals would arrive first.
        let is_draining = per_second.is_some();
        if inspector.control.federation(move |it| it.drain(is_draining)).await.is_err() {
            return;
        }
        let Some(per_second) = per_second else {
            if rate.changed().await.is_err() {
                return;
            }
            continue;
        };
        if drain(&inspector, &mut rate, per_second).await.is_none() {
            return;
        }
    }
}

/// Ends sessions until the rate changes. `None` when the reflector has stopped.
async fn drain(
    inspector: &Inspector,
    rate: &mut watch::Receiver<Option<NonZeroU32>>,
    per_second: NonZeroU32,
) -> Option<()> {
    let began = tokio::time::Instant::now();
    let mut ended: u64 = 0;
    let mut listed: Vec<(ShardId, PeerId)> = Vec::new();
    loop {
        if rate.has_changed().ok()? {
            return Some(());
        }
        let allowed = began.elapsed().as_millis() * u128::from(per_second.get()) / 1000 + 1;
        let mut pause = STEP;
        while u128::from(ended) < allowed {
            if listed.is_empty() {
                let page = inspector.peers(Cursor::default(), LISTED).await.ok()?;
                let is_open = |peer: &&PeerInfo| peer.state != SessionState::Closing;
                listed = page.rows.iter().filter(is_open).map(|p| (p.shard, p.id)).collect();
            }
            let Some((shard, peer)) = listed.pop() else {
                pause = IDLE;
                break;
            };
            let close = move |core: &dyn ShardThread| {
                core.shard().borrow_mut().reset(peer, CloseReason::Draining)
            };
            ended += u64::from(inspector.control.ask(shard.0, close).await.ok()?);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = rate.changed() => return changed.ok(),
        }
    }
}
