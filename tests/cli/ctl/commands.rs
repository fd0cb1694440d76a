//! What changes something: `reset`, `drain`, `undrain`, `log`.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::harness::{controlled, request, until};
use support::client::{Client, PATIENCE, route, routes};

#[test]
fn a_reset_ends_that_session_alone() {
    let scene = controlled(&[]);
    let address = scene.server.address();
    let [mut one, mut two, mut three] = [(); 3].map(|()| Client::establish(address));
    three.subscribe(1);
    three.expect_end_of_table(1);
    scene.ok(&["reset", "peer", &one.local_addr().to_string()]);
    one.expect_closed();
    scene.server.logged("reason=reset why=reset by the operator", '\n');
    two.announce(&route(1, 1, 1));
    three.expect_view(&[route(1, 1, 1)]);
    assert_eq!(scene.rows(&["show", "peers"]).len(), 2);
    assert!(scene.fails(&["reset", "peer", "1"]).contains("reset by the operator"));
}

#[test]
fn a_drain_ends_sessions_at_its_rate_and_an_undrain_takes_them_again() {
    let scene = controlled(&[]);
    let address = scene.server.address();
    let mut clients: Vec<_> = (0..20).map(|_| Client::establish(address)).collect();
    assert_eq!(scene.http("GET", "/readyz").0, 200);
    let began = Instant::now();
    let text = scene.ok(&["drain", "--rate", "10", "--wait"]);
    let took = began.elapsed();
    assert_eq!(text, "Drained: no session is left.\n");
    // The first goes at once.
    assert!(took > Duration::from_millis(1800), "{took:?} for 20 sessions at 10 a second");
    for client in &mut clients {
        client.expect_closed();
    }
    assert_eq!(scene.http("GET", "/readyz"), (503, "draining\n".to_owned()));
    assert_eq!(scene.http("GET", "/livez").0, 200);
    assert!(!Client::connect(address).try_to_shake_hands());
    assert_eq!(scene.ok(&["undrain"]), "The reflector takes new sessions again.\n");
    assert_eq!(scene.http("GET", "/readyz").0, 200);
    Client::establish(address).keepalive();
}

#[test]
fn a_drain_that_is_not_waited_for_returns_at_once_and_goes_on() {
    let scene = controlled(&[]);
    let address = scene.server.address();
    let mut clients: Vec<_> = (0..150).map(|_| Client::establish(address)).collect();
    // For the last of them it would have to wait for 149 seconds.
    let began = Instant::now();
    assert_eq!(scene.json(&["drain", "--rate", "1"])["is_draining"], true);
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    let sentence = scene.fails(&["drain", "--rate", "1", "--wait", "--timeout", "5s"]);
    assert!(sentence.contains("sessions are left"), "{sentence}");
    // Longer than any clock runs: it waits until they have gone.
    let forever = format!("{}s", u64::MAX);
    scene.ok(&["drain", "--rate", "1000", "--wait", "--timeout", &forever]);
    for client in &mut clients {
        client.expect_closed();
    }
}

#[test]
fn a_session_is_followed_in_the_log_and_no_other_one() {
    let scene = controlled(&[]);
    let address = scene.server.address();
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    one.subscribe(7);
    one.expect_end_of_table(7);
    let own = one.local_addr().to_string();
    scene.ok(&["log", "trace", "peer", &own]);
    let id = scene.server.logged("following peer=", ' ');
    two.announce(&route(7, 1, 1));
    two.keepalive();
    one.expect_view(&[route(7, 1, 1)]);
    one.subscribe(8);
    one.expect_end_of_table(8);
    let log = &scene.server;
    log.logged("from the peer: SUBSCRIBE 8", '\n');
    log.logged("to the peer: ADD 7 10.0.0.1/32 via 2001:db8::1", '\n');
    log.logged("to the peer: END_OF_TABLE 8", '\n');
    let followed = |line: &&str| line.contains("the peer: ") || line.contains(" DEBUG ");
    let all = log.log();
    let lines: Vec<_> = all.lines().filter(followed).collect();
    assert!(lines.len() > 3, "{all}");
    let of_peer = format!("peer={id}");
    let is_own = |line: &&str| line.split_whitespace().any(|word| word == of_peer);
    assert!(lines.iter().all(is_own), "{lines:?}");
    drop(one);
    log.logged("following no more", '\n');
    // Its successor is another session.
    let mut again = Client::establish(address);
    let before = log.log().len();
    again.subscribe(9);
    again.expect_end_of_table(9);
    assert!(!log.log()[before..].contains("SUBSCRIBE"), "{}", log.log());
}

/// Lines about a followed session are 200 a second, and what is left out is counted in the next one.
#[test]
fn a_followed_session_that_talks_much_is_cut_short_and_counted() {
    let scene = controlled(&[]);
    let mut client = Client::establish(scene.server.address());
    scene.ok(&["log", "trace", "peer", "1"]);
    const BURSTS: u32 = 3;
    const BURST: u32 = 5000;
    let left_out = |line: &str| {
        let (_, number) = line.split_once("left_out=")?;
        number.split(' ').next()?.parse::<u64>().ok()
    };
    let is_of_it = |line: &&str| line.contains("the peer: ") || line.contains(" DEBUG ");
    for n in 0..BURSTS {
        client.announce_all(&routes(7, n * BURST..(n + 1) * BURST, 1));
        // The first line of the next second says what this one has left out.
        until("what was left out", || {
            client.keepalive();
            scene.server.log().lines().filter_map(left_out).count() > n as usize
        });
    }
    let log = scene.server.log();
    let lines: Vec<&str> = log.lines().filter(is_of_it).collect();
    let uncounted: u64 = lines.iter().copied().filter_map(left_out).sum();
    assert!(lines.len() as u64 + uncounted >= u64::from(BURSTS * BURST), "{uncounted}");
    // A group begins with what the one before it has left out, so it is of one second, or of two where
    // a burst came over their border.
    let first = lines.iter().position(|line| left_out(line).is_some()).unwrap();
    let mut groups: Vec<usize> = Vec::new();
    for line in &lines[first..] {
        match groups.last_mut() {
            Some(last) if left_out(line).is_none() => *last += 1,
            _ => groups.push(1),
        }
    }
    assert!(groups.contains(&200) && groups.iter().all(|lines| *lines < 400), "{groups:?}");
}

#[test]
fn following_ends_when_it_is_told_to() {
    let scene = controlled(&[]);
    let mut client = Client::establish(scene.server.address());
    assert!(scene.ok(&["log", "debug", "peer", "1"]).contains("The log follows peer #1"));
    client.subscribe(8);
    client.expect_end_of_table(8);
    scene.server.logged("others=\"SUBSCRIBE 8\"", '\n');
    assert!(!scene.server.log().contains("from the peer"), "{}", scene.server.log());
    assert!(scene.ok(&["log", "info", "p", "1"]).contains("does not follow"));
    client.subscribe(9);
    client.expect_end_of_table(9);
    assert!(!scene.server.log().contains("SUBSCRIBE 9"), "{}", scene.server.log());
    assert!(scene.fails(&["log", "trace", "peer", "77"]).contains("no session is called \"77\""));
}

#[test]
fn the_log_level_is_set_for_all() {
    let scene = controlled(&[]);
    assert_eq!(scene.ok(&["log", "debug"]), "The log level is debug.\n");
    scene.server.logged("log level set over the control socket level=\"debug\"", '\n');
    assert_eq!(scene.json(&["log", "error"])["level"], "error");
    scene.ok(&["drain"]);
    // Of the commands it is said that they were given, at any level.
    let log = scene.server.log();
    let (_, after) = log.split_once("level=error").unwrap();
    assert!(
        after.lines().skip(1).all(|line| line.contains("over the control socket uid=")),
        "{after}"
    );
}

#[test]
fn what_changes_something_is_not_on_tcp() {
    let scene = controlled(&["--http", "[::1]:0"]);
    let http: std::net::SocketAddr = scene.server.logged("http=", ' ').parse().unwrap();
    for path in ["/control/v1/drain", "/control/v1/reset?peer=1", "/control/v1/log?level=trace"] {
        assert_eq!(request(TcpStream::connect(http).unwrap(), "POST", path).0, 404, "{path}");
    }
    assert_eq!(scene.http("GET", "/readyz").0, 200);
}

#[test]
fn commands_say_what_is_wrong() {
    let scene = controlled(&[]);
    for (method, path, status, sentence) in [
        ("POST", "reset", 400, "peer must be given"),
        ("POST", "reset?peer=9", 404, "no such peer: no session is called \\\"9\\\""),
        ("POST", "drain?rate=0", 400, "rate: expected a number from 1 on, found \\\"0\\\""),
        ("POST", "drain?speed=1", 400, "unknown field `speed`"),
        ("POST", "log?level=loud", 400, "level: expected error, warn, info, debug or trace"),
        ("GET", "reset?peer=9", 405, "only POST is allowed"),
        ("POST", "nonsense", 404, "there is no such command"),
    ] {
        let (found, body) = scene.http(method, &format!("/control/v1/{path}"));
        assert!(found == status && body.contains(sentence), "{path}: {found} {body}");
    }
}
