//! The blocks that operators have set.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracing::info;

use super::{InspectError, Inspector};
use crate::config::ReflectorConfig;
use crate::policy::{Block, Blocked, Blocks, TooManyBlocks};

/// The longest sleep before a look at the clock, which may be set meanwhile.
const LOOK: Duration = Duration::from_secs(10);

/// Microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Puts blocks in force.
fn set(config: &mut ReflectorConfig, blocks: Blocks) {
    config.settings.policy = Arc::new(config.settings.policy.blocking(blocks));
}

impl ReflectorConfig {
    /// Takes over the blocks of another process.
    pub(crate) fn keep_blocks(&mut self, blocks: &Blocks) {
        if *blocks != Blocks::default() {
            set(self, blocks.clone());
        }
    }
}

impl Inspector {
    /// All blocks in force, in the order of their numbers.
    pub(crate) fn blocks(&self) -> Blocks {
        self.control.config.borrow().settings.policy.blocks().clone()
    }

    /// Refuses peers or routes for a time. Does not wait: shards close sessions and filter routes in portions,
    /// beginning with their next turn.
    ///
    /// # Errors
    /// [`TooManyBlocks`]; nothing changes then.
    pub(crate) fn block(
        &self,
        what: Blocked,
        time: Duration,
        uid: Option<u32>,
    ) -> Result<Block, TooManyBlocks> {
        let since = now();
        let until = since.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        let mut outcome = Err(TooManyBlocks);
        self.control.config.send_if_modified(|config| {
            let next = config.settings.policy.blocks().with(what, since, until, uid);
            outcome = next.map(|(blocks, block)| {
                set(config, blocks);
                block
            });
            outcome.is_ok()
        });
        if let Ok(block) = &outcome {
            info!(block = block.id, of = %block.what, "block begins");
            self.control.diary.note(
                "block",
                (None, ""),
                format_args!("{} (block {})", block.what, block.id),
            );
        }
        outcome
    }

    /// Ends and returns the blocks for which `is_meant` holds. Their filtered routes are announced again, in portions.
    pub(crate) fn unblock(&self, is_meant: impl Fn(&Block) -> bool) -> Vec<Block> {
        let mut ended = Vec::new();
        self.control.config.send_if_modified(|config| {
            let (blocks, gone) = config.settings.policy.blocks().without(is_meant);
            ended = gone;
            if !ended.is_empty() {
                set(config, blocks);
            }
            !ended.is_empty()
        });
        for Block { id, what, .. } in &ended {
            info!(block = id, of = %what, "block ended");
            self.control.diary.note("unblock", (None, ""), format_args!("{what} (block {id})"));
        }
        ended
    }
}

/// Ends blocks whose time is over, until the reflector stops. Runs on the control thread.
pub(crate) async fn expire(inspector: Inspector) -> Result<(), InspectError> {
    let mut config = inspector.control.config.subscribe();
    loop {
        let until =
            config.borrow_and_update().settings.policy.blocks().iter().map(|it| it.until).min();
        let Some(until) = until else {
            config.changed().await.map_err(|_| InspectError::Stopped)?;
            continue;
        };
        let now = now();
        if until <= now {
            inspector.unblock(|block| block.until <= now);
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK.min(Duration::from_micros(until - now))) => {}
            changed = config.changed() => changed.map_err(|_| InspectError::Stopped)?,
        }
    }
}
