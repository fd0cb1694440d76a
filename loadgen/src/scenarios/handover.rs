//! Handovers: new processes take over from the reflector while virtual machines of a data centre start, stop and move.
//!
//! The load is that of `churn`. Meanwhile the reflector hands over to a process of the same program, again and again.
//! No session may end, and at the end every view is verified.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cloud::{self, Cloud};
use super::slow;
use crate::common::{Common, Spawn};
use crate::live::phase;
use crate::load::Span;
use crate::processes::Processes;
use crate::receiver::histogram;
use crate::report::RunReport;
use crate::run::{Run, Scenario};
use crate::target::Target;

/// Bytes that a slow reader reads per second.
const SLOW_RATE: u32 = 4000;

/// `handover` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Handover {
    #[command(flatten)]
    cloud: cloud::Options,

    /// Number of handovers, spread evenly over the measured time
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    handovers: u32,

    /// Number of further readers that read slowly
    #[arg(long, value_name = "N", default_value_t = 0)]
    slow: usize,

    /// Number of further readers that read nothing
    #[arg(long, value_name = "N", default_value_t = 0)]
    stuck: usize,

    /// Let each new process use the other I/O back end: io_uring and epoll in turn
    #[arg(long, conflicts_with_all = ["target", "to"])]
    change_io: bool,

    /// The control socket of --target
    #[arg(long, value_name = "PATH", requires = "target")]
    control: Option<PathBuf>,

    /// The program that takes over [default: the installed one]
    #[arg(long, value_name = "PATH")]
    to: Option<PathBuf>,
}

/// The results of the handovers.
#[derive(Debug, Default)]
struct Tally {
    silences: Vec<f64>,
    steps: [f64; 3],
    process: Option<u32>,
}

impl Scenario for Handover {
    fn name(&self) -> &'static str {
        "handover"
    }

    fn check(&self, common: &Common) -> Result<(), String> {
        match (common.target.first(), common.spawn) {
            (Some(_), _) if self.control.is_none() => {
                Err("--target needs --control, the control socket of that server".into())
            }
            (None, Spawn::Repeater | Spawn::Rustbond) => {
                Err("only a reflector hands over: choose another scenario".into())
            }
            (None, _) if self.change_io => choose_io(0),
            _ => Ok(()),
        }
    }

    fn server_args(&self) -> Vec<String> {
        let mut arguments = vec!["--control".into(), own_control().display().to_string()];
        if self.change_io {
            arguments.extend(["--config".into(), own_config().display().to_string()]);
        }
        arguments
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let Span { duration, warm_up } = self.cloud.load.span;
        let mut cloud = Cloud::new(run, &self.cloud)?;
        // A handover changes the process, so its CPU time and memory would mean nothing.
        run.target.processes = Processes::default();
        let control = self.control.clone().unwrap_or_else(own_control);
        let program = Target::program(run.common)?;
        let sluggards = slow::join(run, &cloud, self.slow, self.stuck, SLOW_RATE)?;
        let _file = self.change_io.then(|| Removed(own_config()));
        let hands = self.start(program, control, warm_up, duration);
        let churned = cloud.churn(run, 0, warm_up, duration);
        let (tally, handed_over) = hands.join().map_err(|_| "a thread panicked")?;
        // Also when a later handover was called off, so that the process that serves now is stopped at the end.
        if let Some(process) = tally.process {
            run.target.is_succeeded_by(process);
        }
        handed_over?;
        let stretch = churned?;
        let fate = cloud.read_out(run, sluggards)?;
        let views = cloud.views();
        let outcome = run.verify(cloud.receivers, &views)?;
        let times = outcome.latencies.into_iter().next().unwrap_or_else(histogram);
        let observed = times.len();
        let report = &mut run.report;
        tally.report_to(report);
        // If any other session is lost, the run ends at once.
        let lost = fate.slow_closed + fate.stuck_closed;
        report.add("sessions lost", lost as f64, "");
        let silence = outcome.longest_silence.as_secs_f64();
        report.add("longest silence of an observer's session", silence * 1e3, "ms");
        report.add_latency(times); // to observers
        stretch.report_to(report, observed, self.cloud.observers);
        Ok(())
    }
}

impl Handover {
    /// Divides the time into equal parts and hands over in the middle of each part, until a handover fails.
    fn start(
        &self,
        program: PathBuf,
        control: PathBuf,
        warm_up: f64,
        duration: f64,
    ) -> JoinHandle<(Tally, Result<(), String>)> {
        let (to, handovers, change_io) = (self.to.clone(), self.handovers, self.change_io);
        let begin = Instant::now() + Duration::from_secs_f64(warm_up);
        let part = duration / f64::from(handovers);
        std::thread::spawn(move || {
            let mut tally = Tally::default();
            let mut next = |number: u32| {
                let due = begin + Duration::from_secs_f64((f64::from(number) + 0.5) * part);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if change_io {
                    choose_io(number + 1)?;
                }
                let report = hand_over(&program, &control, to.as_deref())?;
                tally.add(&report["latest"]);
                phase(&format!("handover {} of {handovers}", number + 1));
                Ok(())
            };
            let handed_over = (0..handovers).try_for_each(&mut next);
            (tally, handed_over)
        })
    }
}

impl Tally {
    fn add(&mut self, latest: &Value) {
        let seconds = |name: &str| latest["steps"][name].as_f64().unwrap_or_default();
        self.silences.push(seconds("silence_seconds"));
        let names = ["prepare_seconds", "snapshot_seconds", "shards_seconds"];
        for (longest, name) in self.steps.iter_mut().zip(names) {
            *longest = longest.max(seconds(name));
        }
        self.process = latest["to"].as_u64().and_then(|process| u32::try_from(process).ok());
    }

    fn report_to(&self, report: &mut RunReport) {
        let longest = self.silences.iter().copied().fold(0.0, f64::max);
        let mean = self.silences.iter().sum::<f64>() / self.silences.len().max(1) as f64;
        report.add("handovers", self.silences.len() as f64, "");
        report.add("no session served, longest", longest * 1e3, "ms");
        report.add("no session served, mean", mean * 1e3, "ms");
        report.add("  longest to prepare", self.steps[0] * 1e3, "ms");
        report.add("  longest to read the snapshot", self.steps[1] * 1e3, "ms");
        report.add("  longest to distribute it", self.steps[2] * 1e3, "ms");
    }
}

/// The path of the control socket of a server that loadgen starts.
fn own_control() -> PathBuf {
    std::env::temp_dir().join(format!("loadgen-{}.sock", std::process::id()))
}

/// The path of the configuration of a server that loadgen starts.
fn own_config() -> PathBuf {
    std::env::temp_dir().join(format!("loadgen-{}.toml", std::process::id()))
}

/// Chooses the I/O back end of the process that serves after so many handovers.
fn choose_io(handovers: u32) -> Result<(), String> {
    let io = if handovers.is_multiple_of(2) { "uring" } else { "epoll" };
    let (file, text) = (own_config(), format!("[server]\nio = \"{io}\"\n"));
    std::fs::write(&file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

/// A file that is removed when the run ends.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn hand_over(program: &Path, control: &Path, to: Option<&Path>) -> Result<Value, String> {
    let mut command = Command::new(program);
    command.arg("ctl").arg("--socket").arg(control).args(["--json", "handover"]);
    if let Some(to) = to {
        command.arg("--to").arg(to);
    }
    let output = command.output();
    let output = output.map_err(|error| format!("cannot run {}: {error}", program.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("no handover: {}", said.trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("no report: {error}"))
}
