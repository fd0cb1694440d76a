//! Where a measurement was made: without that its figures say nothing.

use std::fs;

use serde_json::{Value, json};

/// Describes the machine and the program.
pub(crate) fn describe() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    json!({
        "cpu": cpu().unwrap_or_else(|| "unknown".into()),
        "cores": cores,
        "kernel": kernel(),
        "memory_bytes": memory().unwrap_or(0),
        "architecture": std::env::consts::ARCH,
        "rustc": env!("LOADGEN_RUSTC"),
        "loadgen": env!("CARGO_PKG_VERSION"),
    })
}

/// The processor's name, if the kernel has one.
fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let named = ["model name", "Model", "cpu model", "Hardware"];
    let line = named.iter().find_map(|name| text.lines().find(|line| line.starts_with(name)))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kernel() -> String {
    let uname = rustix::system::uname();
    format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy())
}

fn memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn everything_is_known_on_linux() {
        let machine = super::describe();
        assert!(machine["cores"].as_u64() > Some(0), "{machine}");
        assert!(machine["memory_bytes"].as_u64() > Some(1 << 20), "{machine}");
        assert!(machine["kernel"].as_str().is_some_and(|text| text.starts_with("Linux ")));
        assert!(machine["rustc"].as_str().is_some_and(|text| text.starts_with("rustc ")));
    }
}
