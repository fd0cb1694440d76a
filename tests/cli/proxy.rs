//! `metalbond proxy` as a process, between a deployed agent and reflectors that are killed.

use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

use support::client::{Client, Route, routes};
use support::go_client::GoClient;

use crate::process::{BINARY, Process, fails};

/// The leaf elsewhere says nothing while the agent is looked at.
const KEEPALIVE: [&str; 2] = ["--keepalive", "60"];

/// A reflector that can be killed and comes back at its place.
struct Upstream {
    process: Process,
    port: u16,
    /// A leaf elsewhere.
    session: Option<Client>,
}

impl Upstream {
    fn start() -> Self {
        let process = Process::start(&KEEPALIVE);
        let port = process.port();
        Self { process, port, session: None }
    }

    fn address(&self) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port).into()
    }

    /// The leaf elsewhere connects, announces these, and waits for those.
    fn publish(&mut self, theirs: &[Route], ours: &[Route]) {
        let mut session = Client::establish(self.address());
        session.announce_all(theirs);
        session.subscribe(1);
        session.expect_view(ours);
        self.session = Some(session);
    }

    fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.wait();
        self.session = None;
    }

    fn come_back(&mut self) {
        let mut command = Command::new(BINARY);
        command.args(["server", "--shards", "2", "--listen", &format!("[::]:{}", self.port)]);
        command.args(KEEPALIVE);
        self.process = Process::spawn(command);
        self.process.port();
    }
}

fn proxy(upstreams: &[Upstream], arguments: &[&str]) -> Process {
    let mut command = Command::new(BINARY);
    command.args(["proxy", "--listen", "[::1]:0"]).args(arguments);
    for upstream in upstreams {
        command.args(["--server", &upstream.address().to_string()]);
    }
    Process::spawn(command)
}

/// Where agents connect.
fn listens(proxy: &Process) -> SocketAddr {
    let port = proxy.logged("reflector started listen=[::1]:", ' ').parse().unwrap();
    (Ipv6Addr::LOCALHOST, port).into()
}

/// CPU time and memory of a process so far, in seconds and bytes.
fn used(process: &Process) -> (f64, u64) {
    let of =
        |file| std::fs::read_to_string(format!("/proc/{}/{file}", process.child.id())).unwrap();
    let stat = of("stat");
    let mut fields = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11);
    let mut ticks = || fields.next().unwrap().parse::<f64>().unwrap();
    let status = of("status");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    ((ticks() + ticks()) / 100.0, kib * 1024)
}

/// Reflectors are killed in turn, one every `pause`, while each VNI has so many routes.
fn reflectors_are_killed(vnis: u32, of_each: u32, pause: Duration, time: Duration) {
    let mut upstreams = [Upstream::start(), Upstream::start()];
    let all: Vec<_> = (1..=vnis).flat_map(|vni| routes(vni, 0..of_each, 1)).collect();
    let ours = routes(1, 1_000_000..1_000_100, 2);
    let proxy = proxy(&upstreams, &[]);
    let mut agent = GoClient::establish(listens(&proxy), 1);
    (2..=vnis).for_each(|vni| agent.subscribe(vni));
    agent.announce_all(&ours);
    let began = Instant::now();
    for upstream in &mut upstreams {
        upstream.publish(&all, &ours);
    }
    agent.expect_view(&all);
    let (cpu, memory) = used(&proxy);
    println!("all there after {:?}: {cpu} s of CPU, {memory} bytes", began.elapsed());
    let (mut kills, mut removes, mut peak) = (0, 0, memory);
    let began = Instant::now();
    while began.elapsed() < time {
        let which = kills % 2;
        let other = 1 - which;
        upstreams[which].kill();
        kills += 1;
        // What changes meanwhile, only the other one says.
        let changed = &all[kills * 7 % all.len()..][..1];
        upstreams[other].session.as_mut().unwrap().withdraw_all(changed);
        let fewer: Vec<_> = all.iter().copied().filter(|route| *route != changed[0]).collect();
        agent.expect_view(&fewer);
        removes += 1;
        upstreams[other].session.as_mut().unwrap().announce_all(changed);
        agent.expect_view(&all);
        while began.elapsed() < pause * u32::try_from(kills).unwrap() - pause / 2 {
            agent.until_answered();
        }
        upstreams[which].come_back();
        upstreams[which].publish(&all, &ours);
        while began.elapsed() < pause * u32::try_from(kills).unwrap() {
            agent.until_answered();
            peak = peak.max(used(&proxy).1);
        }
        assert_eq!((agent.view.len(), agent.removes), (all.len(), removes));
    }
    agent.expect_view(&all);
    let (after, memory) = used(&proxy);
    println!(
        "{kills} kills in {:?}: {:.2} s of CPU, {memory} bytes, {peak} at most; longest read {}",
        began.elapsed(),
        after - cpu,
        agent.longest_read
    );
}

#[test]
fn an_agent_notices_nothing_of_reflectors_that_are_killed() {
    reflectors_are_killed(50, 100, Duration::from_millis(500), Duration::from_secs(3));
}

/// For ten minutes, or as many seconds as `SOAK_SECONDS` says. Of a release build it says what a proxy uses:
/// `cargo test --release --test cli -- --ignored --exact proxy::soak --nocapture`.
#[test]
#[ignore = "takes ten minutes"]
fn soak() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(600, |seconds| seconds.parse().unwrap());
    reflectors_are_killed(50, 2000, Duration::from_secs(10), Duration::from_secs(seconds));
}

#[test]
fn it_says_what_is_wrong_before_it_starts() {
    assert!(fails(&["proxy"]).contains("--server"));
    let itself = fails(&["proxy", "--server", "[::1]:4711"]);
    assert!(itself.contains("is where the proxy listens itself (--listen)"), "{itself}");
    let taken = Process::start(&[]);
    let address = format!("[::1]:{}", taken.port());
    let in_use = fails(&["proxy", "--server", "rr1", "--listen", &address]);
    assert!(in_use.contains(&format!("cannot listen on {address} (--listen)")), "{in_use}");
}

#[test]
fn it_tells_of_itself_and_ends_when_it_is_told() {
    let upstreams = [Upstream::start()];
    let folder = crate::ctl::Folder::new();
    let socket = folder.path("proxy.sock");
    let mut proxy = proxy(&upstreams, &["--http", "[::1]:0", "--control", &socket]);
    let agent = Client::connect(listens(&proxy)).shake_hands(support::client::hello_of("metalnet"));
    let http: SocketAddr = proxy.logged("answering HTTP http=", ' ').parse().unwrap();
    let peers = support::http::get_json(http, "/api/v1/peers");
    assert_eq!(peers["rows"][0]["node"], "metalnet", "{peers}");
    let show = Command::new(BINARY).args(["ctl", "--socket", &socket, "show", "peers"]).output();
    let shown = String::from_utf8(show.unwrap().stdout).unwrap();
    assert!(shown.contains("metalnet"), "{shown}");
    proxy.signal("TERM");
    assert_eq!(proxy.wait(), Some(0), "{}", proxy.log());
    drop(agent);
}

/// metalnet ends when it is started before there is a session to take its routes from.
#[cfg(target_os = "linux")]
#[test]
fn it_is_ready_when_it_has_a_session_with_a_reflector() {
    let mut manager = crate::notify::Manager::new();
    let upstream = Upstream::start();
    let server = upstream.address().to_string();
    let arguments = ["proxy", "--listen", "[::1]:0", "--http", "[::1]:0", "--server", "[::1]:1"];
    let proxy = manager.start(None, &[&arguments[..], &["--server", &server]].concat());
    manager.hear("READY=1");
    let http: SocketAddr = proxy.logged("answering HTTP http=", ' ').parse().unwrap();
    let servers = support::http::get_json(http, "/upstream/api/v1/servers");
    let is_up = |row: &serde_json::Value| row["state"] == "established";
    assert!(servers["rows"].as_array().unwrap().iter().any(is_up), "{servers}");
    manager.hear("STATUS=0 agents, 1 of 2 servers connected");
    proxy.signal("HUP");
    manager.hear("READY=1");
}
