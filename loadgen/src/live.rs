//! Looks on while a run goes: a line for who watches, and samples for the report.
//!
//! A thread of its own takes a [`Sample`] every 100 ms. It reads counters that the receivers and
//! the kernel keep anyway, so a sample costs the server nothing and loadgen some microseconds. The
//! line is shown only on a terminal; elsewhere a run says just where it is.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{DecimalBytes, HumanCount, ProgressBar, ProgressStyle};

use crate::processes::{Each, Processes};
use crate::procfs;

/// The first time between two samples.
const INTERVAL: Duration = Duration::from_millis(100);
/// The most samples kept, enough for any plot: a longer run takes them less often.
const SAMPLES_MAX: usize = 1200;
/// The number of samples over which the line shows rates.
const RATE_OVER: usize = 5;

/// The line on the terminal. A process has one run and so one line.
static LINE: OnceLock<ProgressBar> = OnceLock::new();
/// The phases of the run so far, and when each began.
static PHASES: Mutex<Vec<(Instant, String)>> = Mutex::new(Vec::new());

/// Counters at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Since the run began.
    pub(crate) at: Duration,
    /// UPDATEs that subscribers have received.
    pub(crate) delivered: u64,
    /// The servers' CPU time in ns and their resident memory in bytes; 0 when unknown.
    pub(crate) server_ns: u64,
    pub(crate) resident: u64,
    /// CPU time of loadgen in ns.
    pub(crate) own_ns: u64,
}

/// The samples and phases of a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline {
    pub(crate) samples: Vec<Sample>,
    /// The greatest resident memory of each server, in bytes.
    pub(crate) peaks: Each<u64>,
    /// The phases, each with its beginning.
    pub(crate) phases: Vec<(Duration, String)>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Watch {
    began: Instant,
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<(Vec<Sample>, Each<u64>)>,
}

impl Watch {
    /// Begins to sample deliveries, and the servers' processes if they are known.
    ///
    /// # Errors
    /// One sentence.
    pub(crate) fn start(delivered: Arc<AtomicU64>, servers: Processes) -> Result<Self, String> {
        LINE.get_or_init(|| {
            let style = ProgressStyle::with_template("{wide_msg}");
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| {
                // Only a wrong template has no style.
                ProgressStyle::default_spinner()
            }))
        });
        let (began, is_over) = (Instant::now(), Arc::new(AtomicBool::new(false)));
        let over = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().name("watch".into());
        let thread = thread.spawn(move || watch(began, &delivered, &servers, &over));
        let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { began, is_over, thread })
    }

    /// Ends the watch, with a last sample.
    pub(crate) fn finish(self) -> Timeline {
        self.is_over.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let (samples, peaks) = self.thread.join().unwrap_or_default();
        if let Some(line) = LINE.get() {
            line.finish_and_clear();
        }
        let phases = std::mem::take(&mut *PHASES.lock().unwrap_or_else(PoisonError::into_inner));
        let since = |at: Instant| at.saturating_duration_since(self.began);
        let phases = phases.into_iter().map(|(at, text)| (since(at), text)).collect();
        Timeline { samples, peaks, phases }
    }
}

/// Begins a phase of the run.
pub(crate) fn phase(text: &str) {
    let mut phases = PHASES.lock().unwrap_or_else(PoisonError::into_inner);
    phases.push((Instant::now(), text.to_owned()));
    drop(phases);
    say(&format!("loadgen: {text}"));
}

/// Prints a text on standard error, above the progress line. Ignores a closed pipe.
pub(crate) fn say(text: &str) {
    let say = || drop(writeln!(std::io::stderr(), "{text}"));
    match LINE.get() {
        Some(line) => line.suspend(say),
        None => say(),
    }
}

fn watch(
    began: Instant,
    delivered: &AtomicU64,
    servers: &Processes,
    is_over: &AtomicBool,
) -> (Vec<Sample>, Each<u64>) {
    let (mut samples, mut peaks): (Vec<Sample>, Each<u64>) = Default::default();
    let mut interval = INTERVAL;
    loop {
        let is_last = is_over.load(Ordering::Acquire);
        let before = samples.last().copied().unwrap_or_default();
        // A server that is gone leaves the counters unchanged.
        let (mut server_ns, mut resident) = (before.server_ns, before.resident);
        if let Some((cpu_ns, memory)) = servers.glance() {
            (server_ns, resident) = (cpu_ns.sum(), memory.sum());
            peaks = peaks.max(&memory);
        }
        samples.push(Sample {
            at: began.elapsed(),
            delivered: delivered.load(Ordering::Relaxed),
            server_ns: server_ns.max(before.server_ns),
            resident,
            own_ns: procfs::own_cpu_ns(),
        });
        if is_last {
            return (samples, peaks);
        }
        show(&samples, servers.are_known());
        if samples.len() >= SAMPLES_MAX {
            let mut number = 0;
            samples.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            interval *= 2;
        }
        std::thread::park_timeout(interval);
    }
}

/// Puts the line on the terminal, if there is one.
fn show(samples: &[Sample], knows_servers: bool) {
    let Some(line) = LINE.get().filter(|line| !line.is_hidden()) else { return };
    let [.., now] = samples else { return };
    let then = &samples[samples.len().saturating_sub(RATE_OVER + 1)];
    let seconds = (now.at - then.at).as_secs_f64().max(1e-3);
    let phases = PHASES.lock().unwrap_or_else(PoisonError::into_inner);
    let phase = phases.last().map_or("starting", |(_, text)| text).to_owned();
    drop(phases);
    let rate = (now.delivered - then.delivered) as f64 / seconds;
    #[allow(clippy::cast_possible_truncation)] // the rate is only shown
    let mut text = format!("{:.1} s: {} updates/s", now.at.as_secs_f64(), HumanCount(rate as u64));
    if knows_servers {
        let cores = now.server_ns.saturating_sub(then.server_ns) as f64 / seconds / 1e9;
        text += &format!(", server {cores:.2} cores, {}", DecimalBytes(now.resident));
    }
    // Text beyond the width of the terminal is cut off.
    line.set_message(format!("{text}; {phase}"));
}
