//! The command, as an operator and an init system meet it.
#![cfg(unix)]

#[allow(dead_code, reason = "shared with the reflector's tests, which use all of it")]
#[path = "reflector/harness/client.rs"]
mod client;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use client::{Client, PATIENCE, modern_hello, route, routes};

const BINARY: &str = env!("CARGO_BIN_EXE_metalbond");

/// A `metalbond server` that ends with the test.
struct Server {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.arg("server").args(["--listen", "[::]:0", "--shards", "2"]).args(arguments);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child =
            command.env_remove("RUST_LOG").stderr(Stdio::piped()).spawn().expect("the binary");
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let mut sink = sink.lock().unwrap();
                sink.push_str(&line);
                sink.push('\n');
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a line of the log and returns what follows `mark` in it, up to `end`.
    fn logged(&self, mark: &str, end: char) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let log = self.log();
            if let Some(at) = log.find(mark)
                && let Some((found, _)) = log[at + mark.len()..].split_once([end, '\n'])
            {
                return found.to_owned();
            }
            assert!(Instant::now() < deadline, "no {mark} in the log:\n{log}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn port(&self) -> u16 {
        self.logged("listen=[::]:", ' ').parse().unwrap()
    }

    fn address(&self) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, self.port()).into()
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Waits for the end; the exit status, if it exited.
    fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                drop(self.reader.take().unwrap().join());
                return status.code();
            }
            assert!(Instant::now() < deadline, "still runs:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs it to its end, which must come by itself.
fn fails(arguments: &[&str]) -> String {
    let Output { status, stderr, .. } = Command::new(BINARY).args(arguments).output().unwrap();
    let text = String::from_utf8(stderr).unwrap();
    assert!(!status.success(), "{text}");
    assert!(!text.contains("panicked") && !text.contains("backtrace"), "{text}");
    text
}

/// The last line, which must be the one that says what is wrong.
fn sentence(text: &str) -> &str {
    let line = text.lines().last().unwrap();
    assert!(line.starts_with("metalbond: "), "{text}");
    line
}

#[test]
fn a_bad_flag_or_value_is_named() {
    assert!(fails(&["server", "--nonsense"]).contains("--nonsense"));
    assert!(fails(&["nonsense"]).contains("nonsense"));
    for [flag, value] in [
        ["--listen", "nonsense"],
        ["--listen", "[::1]"],
        ["--listen", "127.0.0.1:65536"],
        ["--keepalive", "0"],
        ["--shards", "0"],
        ["--shards", "1025"],
        ["--io", "kqueue"],
        ["--batch-delay", "5"],
        ["--send-hold", "soon"],
        ["--max-peers", "many"],
        ["--log-format", "xml"],
        ["--http", "80"],
    ] {
        let text = fails(&["server", flag, value]);
        assert!(text.contains(flag), "{text}");
    }
}

#[test]
fn a_bad_flag_or_value_of_the_client_is_named() {
    assert!(fails(&["client"]).contains("--server"));
    for [flag, value] in [
        ["--server", "rr1:x"],
        ["--subscribe", "x"],
        ["--announce", "23#10.0.0.0/33#::1"],
        ["--announce", "23#10.0.0.0/8#::1,23#10.0.0.0/8"],
        ["--install-routes", "23#254"],
        ["--keepalive", "0"],
        ["--http", "80"],
        ["--stale-time", "120"],
        ["--exclude-route-type", "XYZ"],
        ["--rt-proto", "4"],
        ["--rt-proto", "256"],
        ["--route-metric", "4294967296"],
        ["--nexthops", "many"],
        ["--log-format", "xml"],
    ] {
        let text = fails(&["client", "--server", "rr1", flag, value]);
        let named = value.split(',').next_back().unwrap();
        assert!(text.contains(flag) && text.contains(named), "{text}");
    }
}

#[test]
fn flags_of_the_client_that_do_not_go_together_are_one_sentence() {
    let client = ["client", "--server", "rr1", "--install-routes"];
    let text = fails(&[&client[..], &["1#100"]].concat());
    assert!(sentence(&text).contains("--tun DEVICE"), "{text}");
    let text = fails(&[&client[..], &["1#100,2#100", "--tun", "t"]].concat());
    assert!(sentence(&text).contains("VNI 1 and VNI 2 into table 100"), "{text}");
}

#[test]
fn a_port_in_use_is_one_sentence() {
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = fails(&["server", "--listen", &address]);
    assert!(sentence(&text).contains(&address) && sentence(&text).contains("ss -ltnp"), "{text}");
    let text = fails(&["server", "--listen", "[::1]:0", "--http", &address]);
    assert!(sentence(&text).contains("--http"), "{text}");
}

#[test]
fn an_address_of_another_machine_is_one_sentence() {
    let text = fails(&["server", "--listen", "192.0.2.1:4711"]);
    assert!(sentence(&text).contains("ip address"), "{text}");
}

#[test]
fn a_privileged_port_is_one_sentence() {
    // As nobody, who may not read the build folder: a copy of the binary.
    let folder = std::env::temp_dir().join(format!("metalbond-cli-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let binary = folder.join("metalbond");
    std::fs::copy(BINARY, &binary).unwrap();
    let is_open = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .is_ok_and(|start| start.trim().parse::<u16>().is_ok_and(|start| start <= 1));
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
        .arg(&binary)
        .args(["server", "--listen", "[::1]:1"])
        .output();
    std::fs::remove_dir_all(&folder).unwrap();
    match output {
        Ok(output) if !is_open => {
            let text = String::from_utf8(output.stderr).unwrap();
            if text.starts_with("setpriv") {
                println!("SKIPPED: {text}");
                return;
            }
            assert!(!output.status.success(), "{text}");
            assert!(sentence(&text).contains("CAP_NET_BIND_SERVICE"), "{text}");
        }
        Ok(_) => println!("SKIPPED: no port is privileged here"),
        Err(error) => println!("SKIPPED: no setpriv: {error}"),
    }
}

#[test]
fn it_answers_on_both_address_families() {
    let server = Server::start(&[]);
    let port = server.port();
    let mut over_v6 = Client::establish((Ipv6Addr::LOCALHOST, port).into());
    let mut over_v4 = Client::establish((Ipv4Addr::LOCALHOST, port).into());
    over_v4.subscribe(1);
    over_v6.announce(&route(1, 1, 1));
    over_v4.expect_view([&route(1, 1, 1)]);
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in ["TERM", "INT"] {
        for io in ["epoll", "auto"] {
            let mut server = Server::start(&["--io", io]);
            let mut client = Client::establish(server.address());
            server.signal(signal);
            client.expect_closed();
            assert_eq!(server.wait(), Some(0), "{}", server.log());
            assert!(!server.log().contains("panicked"), "{}", server.log());
        }
    }
}

#[test]
fn a_signal_lets_readers_have_what_is_queued() {
    for io in ["epoll", "auto"] {
        let mut server = Server::start(&["--io", io]);
        let address = server.address();
        let mut reader = Client::connect_narrow(address, 64 * 1024).shake_hands(modern_hello());
        reader.subscribe(1);
        reader.expect_end_of_table(1);
        let mut publisher = Client::establish(address);
        let all = routes(1, 0..20_000, 1);
        publisher.announce_all(&all);
        // It has been taken in when what was said behind it is answered.
        publisher.keepalive();
        server.signal("TERM");
        server.logged("stopping", ' ');
        reader.expect_view(&all);
        reader.expect_closed();
        publisher.expect_closed();
        assert_eq!(server.wait(), Some(0), "{}", server.log());
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(&[]);
    let address = server.address();
    // A reader that takes nothing keeps the first signal's flush waiting.
    let mut stuck = Client::connect_narrow(address, 4096).shake_hands(modern_hello());
    stuck.subscribe(1);
    stuck.expect_end_of_table(1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..100_000, 1));
    publisher.keepalive();
    let began = Instant::now();
    server.signal("TERM");
    server.logged("stopping: ", ' ');
    assert_eq!(server.child.try_wait().unwrap(), None);
    server.signal("TERM");
    assert_eq!(server.wait(), Some(1));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn json_logs_are_json() {
    let mut server = Server::start(&["--log-format", "json"]);
    let port = server.logged("\"listen\":\"[::]:", '"').parse().unwrap();
    let mut client = Client::establish((Ipv6Addr::LOCALHOST, port).into());
    client.write(b"\0");
    client.expect_closed();
    server.logged("session closed", ' ');
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    for line in server.log().lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
        assert!(line.contains("\"level\":\"") && line.contains("\"timestamp\":\""), "{line}");
    }
}

#[test]
fn livez_answers() {
    let server = Server::start(&["--http", "[::1]:0"]);
    let address: SocketAddr = server.logged("http=", ' ').parse().unwrap();
    let get = |path: &str| {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("/livez").starts_with("HTTP/1.1 200 "), "{}", get("/livez"));
    assert!(get("/nonsense").starts_with("HTTP/1.1 404 "));
}

#[test]
fn running_out_of_descriptors_passes() {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\"", BINARY, "server"]);
    command.args(["--listen", "[::]:0", "--shards", "2"]);
    let mut server = Server::spawn(command);
    let address = server.address();
    let mut first = Client::establish(address);
    // More connections than descriptors: the kernel completes them all.
    let mut others: Vec<_> = (0..100).map(|_| Client::connect(address)).collect();
    server.logged("cannot accept connections", ' ');
    first.keepalive();
    // Those who were not accepted yet are as soon as others have left.
    let mut last = others.pop().unwrap();
    drop(others);
    assert!(last.try_to_shake_hands());
    let mut new = Client::establish(address);
    new.subscribe(1);
    first.announce(&route(1, 1, 1));
    new.expect_view([&route(1, 1, 1)]);
    assert_eq!(server.child.try_wait().unwrap(), None);
}
