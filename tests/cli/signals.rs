//! What signals do, and what they don't.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::process::{BINARY, Process};
use support::client::{Client, modern_hello, routes};

/// Sessions that keep a stop waiting for as long as it waits: a reader takes nothing.
fn stuck(server: &Process) -> [Client; 2] {
    let address = server.address();
    let mut reader = Client::connect_narrow(address, 4096).shake_hands(modern_hello());
    reader.subscribe(1);
    reader.expect_end_of_table(1);
    let mut publisher = Client::establish(address);
    publisher.announce_all(&routes(1, 0..100_000, 1));
    publisher.keepalive();
    [reader, publisher]
}

#[test]
fn a_second_signal_without_a_terminal_changes_nothing() {
    for [first, second] in [["TERM", "TERM"], ["INT", "TERM"], ["INT", "INT"]] {
        let mut command = Command::new(BINARY);
        command.args(["server", "--listen", "[::]:0", "--shards", "2"]).stdin(Stdio::null());
        let mut server = Process::spawn(command);
        let _sessions = stuck(&server);
        server.signal(first);
        server.logged("stopping: sending", '\n');
        for _ in 0..2 {
            server.signal(second);
            server.logged("stopping already", '\n');
            std::thread::sleep(Duration::from_millis(300));
        }
        assert_eq!(server.wait(), Some(0), "{first} {second}\n{}", server.log());
        assert!(server.log().contains("INFO stopped"), "{}", server.log());
    }
}

#[test]
fn a_second_interrupt_from_a_terminal_ends_it_at_once() {
    if let Some(missing) = support::missing(&["script"]) {
        support::skip!(missing);
    }
    let mut command = Command::new("sh");
    let run = format!("exec {BINARY} server --listen [::]:0 --shards 2");
    command.args(["-c", "exec script -qec \"$0\" /dev/null 1>&2", &run]);
    command.env("NO_COLOR", "1").stdin(Stdio::piped());
    let mut server = Process::spawn(command);
    let mut keyboard = server.child.stdin.take().unwrap();
    let _sessions = stuck(&server);
    let began = Instant::now();
    keyboard.write_all(b"\x03").unwrap();
    server.logged("stopping: sending", '\n');
    // A person's second thought takes as long.
    std::thread::sleep(Duration::from_millis(600));
    keyboard.write_all(b"\x03").unwrap();
    server.logged("stopping at once", '\n');
    assert_eq!(server.wait(), Some(1), "{}", server.log());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn signals_without_a_meaning_end_nothing() {
    let mut server = Process::start(&["-v"]);
    let mut session = Client::establish(server.address());
    let leaf = server.client(&["-v"]);
    leaf.logged("session established", '\n');
    for process in [&server, &leaf] {
        for signal in ["USR1", "USR2"] {
            process.signal(signal);
            process.logged(&format!("SIG{signal} means nothing here"), '\n');
        }
        process.signal("PIPE");
    }
    session.keepalive();
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    let mut leaf = leaf;
    leaf.signal("TERM");
    assert_eq!(leaf.wait(), Some(0), "{}", leaf.log());
}
