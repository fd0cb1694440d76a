//! Returns unused memory to the kernel, also while the process is idle.

use std::time::Duration;

/// How often it is looked for.
const EVERY: Duration = Duration::from_secs(2);
/// A block that has pages of its own.
const BLOCK: usize = 1 << 20;

/// Goes on for ever. The allocator gives back what has been free for a tenth of a second, but looks for that
/// only when pages come or go: a server whose peers have left would hold what they took. A large block
/// that comes and goes makes it look, and costs a few microseconds: nobody touches the block.
pub(super) async fn give_back() {
    loop {
        tokio::time::sleep(EVERY).await;
        drop(std::hint::black_box(Vec::<u8>::with_capacity(BLOCK)));
    }
}
