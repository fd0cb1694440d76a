//! Commands that end by themselves.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Words of a command line without quotes.
pub(crate) fn shell_words(line: &str) -> impl Iterator<Item = &str> {
    line.split_ascii_whitespace()
}

/// Runs `ip` with these words; its output, or what it complains of.
pub(crate) fn try_ip(line: &str) -> Result<String, String> {
    let output = Command::new("ip").args(shell_words(line)).output();
    let Output { status, stdout, stderr } = output.map_err(|error| error.to_string())?;
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(format!("ip {line}: {}", String::from_utf8_lossy(&stderr).trim()))
    }
}

/// The same where it must succeed.
pub(crate) fn ip(line: &str) -> String {
    try_ip(line).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs lines of `ip` in a namespace: those without a family first, then those with `-4`, then those
/// with `-6`. Three processes at most, for the virtual machine's sake, where each one is slow.
pub(crate) fn batch(namespace: &str, lines: &str) {
    let of = |option: &str| {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        let has_family = |line: &&str| line.starts_with("-4 ") || line.starts_with("-6 ");
        let lines: Vec<&str> = match option {
            "" => lines.filter(|line| !has_family(line)).collect(),
            _ => lines.filter_map(|line| line.strip_prefix(option)).collect(),
        };
        lines.join("\n")
    };
    for option in ["", "-4 ", "-6 "] {
        let lines = of(option);
        if lines.is_empty() {
            continue;
        }
        let mut command = Command::new("ip");
        command.args(shell_words(&format!("-n {namespace} {option} -batch -")));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("ip");
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {option}: {complaint}\n{lines}");
    }
}
