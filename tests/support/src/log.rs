//! The log of what runs in the process of a test.

use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, fmt};

/// Makes the reflectors and leaves of this process log from `info` on to the output of the test that started
/// them. A failed test shows the log, which says why each session ended.
///
/// Every test may call it: all calls but the first do nothing.
pub fn log_to_output() {
    log_to_output_and(|_| {});
}

/// The same, and hands each event to `hook`, on the thread that logs it and after it was written. A process
/// has one hook: all its tests call this with the same hook.
pub fn log_to_output_and(hook: fn(&Event<'_>)) {
    let output = fmt::layer().with_ansi(false).with_test_writer();
    let log = tracing_subscriber::registry().with(LevelFilter::INFO).with(output).with(Hook(hook));
    // An error means that a log is set already.
    drop(log.try_init());
}

/// See [`log_to_output_and`].
struct Hook(fn(&Event<'_>));

impl<S: Subscriber> Layer<S> for Hook {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        (self.0)(event);
    }
}
