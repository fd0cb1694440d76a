//! A reflector in a process of its own, whose memory nobody else's is mixed with.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv6Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use super::ReflectorConfig;

/// See the module's documentation. It ends with the test.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// The binary of this build, with the I/O of a configuration and one shard.
    pub(crate) fn start(config: &ReflectorConfig) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_metalbond"))
            .args(["server", "--listen", "[::]:0", "--shards", "1", "--keepalive", "60"])
            .args(["--io", &config.io.to_string()])
            .env_remove("RUST_LOG")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("listen=[::]:")?;
            rest.split(' ').next()?.parse().ok()
        });
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, address: (Ipv6Addr::LOCALHOST, port.expect("a port")).into() }
    }

    /// Bytes of memory that it holds, counted page by page.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/smaps_rollup", self.child.id());
        let rollup = std::fs::read_to_string(path).unwrap();
        let kib = rollup.lines().find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"));
        kib.unwrap().trim().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
