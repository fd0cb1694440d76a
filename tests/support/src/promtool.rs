//! Prometheus' own checker, for the tests of more than one program.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Checks metrics with Prometheus' own checker, if it is installed; it must find no fault. Without it the rest of the
/// test goes on.
pub fn has_no_complaints(metrics: &str) {
    if let Some(missing) = crate::missing(&["promtool"]) {
        crate::skip!(missing);
    }
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.is_empty(), "{printed}");
}
