//! Lines on their way to standard error, by a thread of their own.
//!
//! A pipe whose reader has stopped, or a disk that hangs, holds up the thread that writes to it. A shard with all its
//! peers must not be held up. So a thread that logs only hands the line over and goes on. When [`ROOM`] lines wait, the
//! writer drops further ones; when standard error takes lines again, it logs how many it has dropped. The crate
//! tracing-appender does not serve here: it counts the lines that it drops but does not log the number.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::warn;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait; some hundred bytes each.
const ROOM: usize = 4096;
/// For what waits to be written, at the end of the process.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two lines about lines left out.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// The queue of this process.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// What the thread is handed.
enum Item {
    Line(Vec<u8>),
    /// To be answered when all lines before it are written.
    Flush(SyncSender<()>),
}

/// Where lines are handed over. Never waits.
#[derive(Clone)]
pub(super) struct Queue {
    sender: SyncSender<Item>,
    left_out: Arc<AtomicU64>,
}

impl Queue {
    /// Begins writing to `out`.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub(super) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, items) = sync_channel(ROOM);
        let left_out = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&left_out);
        let thread = std::thread::Builder::new().name("log".into());
        thread.spawn(move || write(out, &items, &counted))?;
        Ok(Self { sender, left_out })
    }

    /// Begins writing to standard error; [`flush`] waits for it.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub(super) fn to_stderr() -> io::Result<Self> {
        let queue = Self::start(io::stderr())?;
        Ok(QUEUE.get_or_init(|| queue).clone())
    }

    /// Waits until what was handed over so far is written.
    fn wait(&self, patience: Duration) {
        let (done, is_done) = sync_channel(1);
        // With no room left nobody reads, and waiting would change nothing.
        if self.sender.try_send(Item::Flush(done)).is_ok() {
            is_done.recv_timeout(patience).ok();
        }
    }
}

/// Waits until what was logged so far is written, if somebody takes it: a second at most.
pub(in crate::cli) fn flush() {
    if let Some(queue) = QUEUE.get() {
        queue.wait(PATIENCE);
    }
}

impl Write for Queue {
    /// Takes one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.sender.try_send(Item::Line(line.to_vec())).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The thread. What cannot be written is lost: its reader may have gone, or its disk be full, while
/// sessions go on.
fn write(mut out: impl Write, items: &Receiver<Item>, left_out: &AtomicU64) {
    let mut reported: Option<Instant> = None;
    for item in items {
        match item {
            Item::Line(line) => out.write_all(&line).unwrap_or_default(),
            Item::Flush(done) => drop(done.try_send(())),
        }
        let may_report = reported.is_none_or(|reported| reported.elapsed() >= REPORT_EVERY);
        if may_report && left_out.load(Ordering::Relaxed) > 0 {
            reported = Some(Instant::now());
            let count = left_out.swap(0, Ordering::Relaxed);
            warn!(left_out = count, "lines left out of the log, because its reader was too slow");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Says what it is given, and then waits for leave.
    struct Slow {
        seen: Sender<Vec<u8>>,
        leave: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.seen.send(line.to_vec()).ok();
            self.leave.recv().ok();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_logs_does_not_wait_for_who_reads() {
        let ((seen, lines), (give_leave, leave)) = (channel(), channel());
        let mut queue = Queue::start(Slow { seen, leave }).unwrap();
        queue.write_all(b"first").unwrap();
        assert_eq!(lines.recv().unwrap(), b"first");
        for _ in 0..ROOM + 7 {
            queue.write_all(b"more").unwrap();
        }
        assert_eq!(queue.left_out.load(Ordering::Relaxed), 7);
        // There is no room for it: it returns.
        queue.wait(Duration::MAX);
        drop(give_leave);
        for _ in 0..ROOM {
            assert_eq!(lines.recv().unwrap(), b"more");
        }
        queue.write_all(b"last").unwrap();
        queue.wait(Duration::MAX);
        assert_eq!(lines.try_recv().unwrap(), b"last");
        assert_eq!(queue.left_out.load(Ordering::Relaxed), 0);
    }
}
