//! A reflector that doesn't answer.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use super::harness::{Folder, Watch, controlled, ctl, until};
use support::PATIENCE;

/// Each kind of command: a document, a listing, a stream, an order, one that waits.
const COMMANDS: [&[&str]; 7] = [
    &["show", "limits"],
    &["show", "peers"],
    &["monitor"],
    &["dump", "-"],
    &["drain"],
    &["drain", "--wait"],
    &["log", "info"],
];

/// What a command says that must end in time; not before.
#[track_caller]
fn hangs(socket: &str, command: &[&str]) -> String {
    let began = Instant::now();
    let (code, out, err) = ctl(socket, &[command, &["--timeout", "300ms"]].concat());
    let took = began.elapsed();
    assert!(code == 1 && err.lines().count() == 1, "{command:?}: {code}\n{out}{err}");
    assert!(took >= Duration::from_millis(300) && took < PATIENCE / 6, "{command:?}: {took:?}");
    err
}

#[test]
fn every_command_ends_in_time_and_says_that_the_process_is_stopped() {
    let scene = controlled(&[]);
    let process = scene.server.child.id();
    scene.server.signal("STOP");
    for command in COMMANDS {
        let printed = hangs(&scene.socket, command);
        let why = format!("process {process} is stopped; kill -CONT {process} lets it go on");
        assert!(
            printed.contains("no answer to ") && printed.contains(&why),
            "{command:?}: {printed}"
        );
    }
    scene.server.signal("CONT");
    scene.ok(&["show", "peers", "--timeout", "60s"]);
}

/// What answers only what a client asks in these words.
fn answers(folder: &Folder, question: &'static str, answer: &'static str) -> String {
    let socket = folder.path("hangs.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        let mut kept = Vec::new();
        while let Ok((mut asker, _)) = listener.accept() {
            let mut text = [0; 1024];
            let length = asker.read(&mut text).unwrap_or(0);
            if text[..length].starts_with(question.as_bytes()) {
                drop(asker.write_all(answer.as_bytes()));
            }
            kept.push(asker);
        }
    });
    socket
}

#[test]
fn it_says_which_part_hangs() {
    for (answer, why) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", "the rest of its process is alive"),
        (
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 16\r\n\r\nstuck shards: 1\n",
            "stuck shards: 1; see its log",
        ),
        (
            "",
            "the part of its process that answers here and over HTTP (a reflector's thread \"http\") hangs",
        ),
    ] {
        let folder = Folder::new();
        let socket = answers(&folder, "GET /livez ", answer);
        let printed = hangs(&socket, &["show", "limits"]);
        assert!(
            printed.contains(&format!("no answer to /api/v1/limits from {socket} for 3"))
                && printed.contains(why),
            "{printed}"
        );
    }
}

#[test]
fn a_full_queue_is_told_apart() {
    let folder = Folder::new();
    let socket = folder.path("full.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut waiting = Vec::new();
    until("a full queue", || {
        let next =
            socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        next.set_nonblocking(true).unwrap();
        let is_full = next.connect(&socket2::SockAddr::unix(&socket).unwrap()).is_err();
        waiting.push(next);
        is_full || waiting.len() > 100_000
    });
    let (code, _, err) = ctl(&socket, &["show", "peers", "--timeout", "300ms"]);
    assert!(code == 1 && err.contains("accepts no connections"), "{err}");
}

#[test]
fn a_monitor_ends_well_when_its_time_is_over() {
    let scene = controlled(&[]);
    let mut monitor = Watch::over(&scene.socket, &["monitor", "--timeout", "3s"]);
    monitor.process.logged("the time is over", '\n');
    assert_eq!(monitor.process.wait(), Some(0));
}
