//! `metalbond server`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::config::Scratch;
use crate::process::{BINARY, Process, fails, sentence};
use support::client::{Client, PATIENCE, frame, modern_hello, route, routes};

#[test]
fn a_bad_flag_or_value_is_named() {
    assert!(fails(&["server", "--nonsense"]).contains("--nonsense"));
    assert!(fails(&["nonsense"]).contains("nonsense"));
    for [flag, value] in [
        ["--listen", "nonsense"],
        ["--listen", "[::1]"],
        ["--listen", "127.0.0.1:65536"],
        ["--keepalive", "x"],
        ["--shards", "0"],
        ["--shards", "1025"],
        ["--io", "kqueue"],
        ["--pin", "3-1"],
        ["--batch-delay", "5"],
        ["--send-hold", "soon"],
        ["--max-peers", "many"],
        ["--log-format", "xml"],
        ["--http", "nonsense"],
    ] {
        let text = fails(&["server", flag, value]);
        assert!(text.contains(flag), "{text}");
    }
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
    if let Some(missing) = support::missing(&["setpriv", "unshare"]) {
        support::skip!(missing);
    }
    // As nobody, who may not read the build folder: a copy of the binary.
    let folder = std::env::temp_dir().join(format!("metalbond-cli-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let binary = folder.join("metalbond");
    std::fs::copy(BINARY, &binary).unwrap();
    let is_open = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .is_ok_and(|start| start.trim().parse::<u16>().is_ok_and(|start| start <= 1));
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"];
    let mut command = Command::new(if is_open { "unshare" } else { "setpriv" });
    if is_open {
        // No port is privileged here, as in most containers, but in a new namespace some are.
        command.args(["--net", "setpriv"]);
    }
    let output = command.args(nobody).arg(&binary).args(["server", "--listen", "[::]:1"]).output();
    std::fs::remove_dir_all(&folder).unwrap();
    let Output { status, stderr, .. } = output.unwrap();
    let text = String::from_utf8(stderr).unwrap();
    if text.starts_with("setpriv: ") || text.starts_with("unshare: ") {
        support::skip!(text);
    }
    assert!(!status.success(), "{text}");
    assert!(sentence(&text).contains("CAP_NET_BIND_SERVICE"), "{text}");
}

/// As with a full disk, or after the log's reader has died: the log is lost, sessions are not.
#[test]
fn it_outlives_its_log() {
    for format in ["text", "json"] {
        let mut command = Command::new(BINARY);
        command.args(["server", "--listen", "[::1]:0", "--log-format", format]);
        let mut server = Ended(command.stderr(Stdio::piped()).spawn().unwrap());
        let log = BufReader::new(server.0.stderr.take().unwrap()).lines();
        // The pipe is closed as soon as the address is known.
        let port = log.map_while(Result::ok).find_map(listens).unwrap();
        let mut client = Client::establish((Ipv6Addr::LOCALHOST, port).into());
        client.keepalive();
        assert_eq!(server.0.try_wait().unwrap(), None, "{format}");
        assert_eq!(server.terminate(), Some(0), "{format}");
    }
}

/// As when the collector of logs hangs.
#[test]
fn it_does_not_wait_for_the_reader_of_its_log() {
    let (log, end) = UnixStream::pair().unwrap();
    // A few lines.
    SockRef::from(&end).set_send_buffer_size(1).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["server", "--listen", "[::1]:0"]).stderr(OwnedFd::from(end));
    let mut server = Ended(command.spawn().unwrap());
    drop(command);
    let mut lines = BufReader::new(&log).lines().map_while(Result::ok);
    let port = lines.find_map(listens).unwrap();
    let connect = |_| Client::establish((Ipv6Addr::LOCALHOST, port).into());
    let mut clients: Vec<_> = (0..50).map(connect).collect();
    for client in &mut clients {
        client.keepalive();
    }
    assert_eq!(server.terminate(), Some(0));
}

/// A server whose log is the test's own, and which ends with it.
struct Ended(Child);

impl Ended {
    /// Ends it with SIGTERM; the exit status, if it exited.
    fn terminate(&mut self) -> Option<i32> {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "still runs");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The port in a line that says where a server listens.
fn listens(line: String) -> Option<u16> {
    let (_, rest) = line.split_once("[::1]:")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[test]
fn it_answers_on_both_address_families() {
    let server = Process::start(&[]);
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
            let mut server = Process::start(&["--io", io]);
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
        let mut server = Process::start(&["--io", io]);
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
fn json_logs_are_json() {
    let mut server = Process::start(&["--log-format", "json"]);
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
fn a_check_of_the_port_is_logged_at_debug_level_only() {
    let server = Process::start(&["--log-level", "debug"]);
    drop(TcpStream::connect(server.address()).unwrap());
    let line = server.logged("connection closed without HELLO", '\n');
    assert!(line.contains("reason=peer_closed"), "{line}");
    assert!(server.log().contains("DEBUG connection closed without HELLO"), "{}", server.log());
    assert!(!server.log().contains("session closed"), "{}", server.log());
}

#[test]
fn an_empty_filter_of_the_log_is_none() {
    let mut command = Command::new("sh");
    command.args(["-c", "RUST_LOG= exec \"$0\" \"$@\"", BINARY, "server", "--listen", "[::]:0"]);
    // Informs, as without one.
    Process::spawn(command).logged("reflector started", '\n');
}

/// Asks over HTTP, by a connection of its own.
fn get(address: SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_filter_of_the_log_that_is_none_is_told_and_not_used() {
    for (value, warning) in [
        ("warning", "\"warning\" has no level and no module of metalbond"),
        ("error;info", "\"error;info\" has no level"),
        ("metalbond=loud", "\"metalbond=loud\" is not a filter"),
    ] {
        let mut command = Command::new("sh");
        let script = format!("RUST_LOG='{value}' exec \"$0\" \"$@\"");
        command.args(["-c", &script, BINARY, "server", "--listen", "[::]:0"]);
        let server = Process::spawn(command);
        server.logged(
            &format!("WARN check the configuration: RUST_LOG is not used: {warning}"),
            '\n',
        );
        server.logged("reflector started", '\n');
    }
}

#[test]
fn livez_answers() {
    let server = Process::start(&["--http", "[::1]:0"]);
    let address: SocketAddr = server.logged("http=", ' ').parse().unwrap();
    let livez = get(address, "/livez");
    assert!(livez.starts_with("HTTP/1.1 200 "), "{livez}");
    assert!(get(address, "/nonsense").starts_with("HTTP/1.1 404 "));
}

#[test]
fn sessions_leave_descriptors_for_those_who_ask() {
    let server = with_64_descriptors(&["--http", "[::1]:0"]);
    let address: SocketAddr = server.logged("http=", ' ').parse().unwrap();
    let _sessions: Vec<_> = (0..100).map(|_| Client::connect(server.address())).collect();
    server.logged("cannot accept connections", ' ');
    for path in ["/livez", "/metrics", "/api/v1/peers"] {
        let answer = get(address, path);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn livez_answers_without_a_descriptor_left() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let server = Process::start(&["--http", "[::1]:0"]);
    let address: SocketAddr = server.logged("http=", ' ').parse().unwrap();
    assert!(get(address, "/livez").starts_with("HTTP/1.1 200 "));
    // As many as it has open: every further one fails, whoever asks for it.
    let folder = format!("/proc/{}/fd", server.child.id());
    let open = std::fs::read_dir(folder).unwrap().count() as u64;
    let limit = Rlimit { current: Some(open), maximum: Some(open) };
    prlimit(Some(Pid::from_child(&server.child)), Resource::Nofile, limit).unwrap();
    let _sessions: Vec<_> = (0..20).map(|_| Client::connect(server.address())).collect();
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).unwrap());
        let livez = get(address, "/livez");
        assert!(livez.starts_with("HTTP/1.1 200 "), "{livez}");
    }
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 503 "));
}

/// The cores that each shard may use, as the kernel tells them.
#[cfg(target_os = "linux")]
fn cores_of_shards(server: &Process) -> Vec<String> {
    server.logged("reflector started", '\n');
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap();
    let mut shards: Vec<_> = tasks
        .filter_map(|task| {
            let status = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            let name = status.lines().find_map(|line| line.strip_prefix("Name:\tshard-"))?;
            let cores =
                status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t"))?;
            Some((name.to_owned(), cores.to_owned()))
        })
        .collect();
    shards.sort();
    shards.into_iter().map(|(_, cores)| cores).collect()
}

/// Several reflectors on one machine know nothing of each other.
#[test]
#[cfg(target_os = "linux")]
fn shards_sit_on_cores_of_their_own_if_there_are_enough_or_they_are_told_to() {
    let cores = metalbond::io::allowed_cpus();
    let (all, last) = (cores.len(), cores[cores.len() - 1].to_string());
    let start = |arguments: &[&str]| {
        let mut command = Command::new(BINARY);
        command.args(["server", "--listen", "[::]:0"]).args(arguments);
        Process::spawn(command)
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let any = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:\t")).unwrap();
    let each: Vec<_> = cores.iter().map(usize::to_string).collect();
    assert_eq!(cores_of_shards(&start(&["--shards", &all.to_string()])), each);
    let more = all + 1;
    if all > 1 {
        let one = cores_of_shards(&start(&["--shards", "1"]));
        assert!(matches!(&one[..], [core] if each.contains(core)), "{one:?}");
        assert_eq!(cores_of_shards(&start(&["--shards", &more.to_string()])), vec![any; more]);
    }
    assert_eq!(cores_of_shards(&start(&["--shards", "2", "--pin", "off"])), [any; 2]);
    assert_eq!(cores_of_shards(&start(&["--pin", &last])), [&*last]);
    let server = start(&["--shards", "2", "--pin", &last]);
    assert_eq!(cores_of_shards(&server), [&*last; 2]);
    server.logged(&format!("cpus={last},{last}"), '\n');
    let text = fails(&["server", "--listen", "[::1]:0", "--pin", "8000"]);
    assert!(
        sentence(&text).contains("--pin 8000 is not a core that this process may use"),
        "{text}"
    );
}

/// A server that may have no more, however it tries.
fn with_64_descriptors(arguments: &[&str]) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\"", BINARY, "server"]);
    command.args(["--listen", "[::]:0", "--shards", "2"]).args(arguments);
    Process::spawn(command)
}

#[test]
fn too_few_descriptors_are_warned_of() {
    let server = with_64_descriptors(&["--max-peers", "17"]);
    server.logged("WARN fewer descriptors allowed than --max-peers needs", '\n');
    server.logged(
        "LimitNOFILE of the unit, ulimit -n) or lower --max-peers limit=64 needed=65",
        '\n',
    );
    let server = with_64_descriptors(&["--max-peers", "16"]);
    server.logged("INFO descriptors allowed limit=64", '\n');
}

/// As on an ordinary machine, where nobody has said anything.
#[test]
fn without_a_number_of_peers_it_goes_by_the_descriptors() {
    let file = Scratch::new("[server]\n");
    let server = with_64_descriptors(&["--config", file.path()]);
    server.logged("reflector started", '\n');
    server.logged("INFO descriptors allowed: this limit sets max_peers", '\n');
    assert!(server.log().contains("limit=64 max_peers=8"), "{}", server.log());
    let _sessions: Vec<_> = (0..8).map(|_| Client::establish(server.address())).collect();
    Client::connect(server.address()).expect_closed();
    server.logged("limit max-peers (8) reached", '\n');
    // A reload says nothing more of it.
    server.signal("HUP");
    server.logged("nothing has changed", '\n');
    Client::connect(server.address()).expect_closed();
    let log = server.log();
    assert!(
        !log.contains("WARN fewer") && log.matches("descriptors allowed").count() == 1,
        "{log}"
    );
    file.write("[server]\nmax-peers = 17\n");
    server.signal("HUP");
    server.logged("WARN fewer descriptors allowed", '\n');
}

#[test]
fn a_limit_raised_above_the_descriptors_is_warned_of() {
    let file = Scratch::new("[server]\nmax-peers = 16\n");
    let server = with_64_descriptors(&["--config", file.path()]);
    server.logged("reflector started", '\n');
    file.write("[server]\nmax-peers = 17\n");
    server.signal("HUP");
    server.logged("WARN fewer descriptors allowed", '\n');
    server.logged("reloaded max-peers: 16 -> 17", '\n');
}

#[test]
fn running_out_of_descriptors_passes() {
    let mut server = with_64_descriptors(&["--max-peers", "200"]);
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

#[test]
fn a_skipped_message_is_logged_once_for_each_session_and_reason() {
    let server = Process::start(&[]);
    for session in 1..=2 {
        let mut client = Client::establish(server.address());
        for _ in 0..10 {
            client.write(&frame(5, &[]));
            client.write(&frame(5, &[0xff]));
            client.keepalive();
        }
        let began = Instant::now();
        let lines = || server.log().matches("skipped a message that makes no sense").count();
        while lines() < 2 * session {
            assert!(began.elapsed() < PATIENCE, "{}", server.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        // What comes later in the log has been said.
        drop(client);
        while server.log().matches("session closed").count() < session {
            assert!(began.elapsed() < PATIENCE, "{}", server.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(lines(), 2 * session, "{}", server.log());
    }
    let log = server.log();
    assert!(log.contains("reason=\"missing_destination\""), "{log}");
    assert!(log.contains("reason=\"protobuf\""), "{log}");
}
