//! Handovers between processes that may open few descriptors.

use std::process::Command;

use metalbond::io::IoChoice;

use crate::handover::{Line, exit};
use crate::process::{BINARY, Process};
use support::client::{Client, routes};

/// A process of the line, after this command of the shell.
fn limited(line: &Line, limits: &str, more: &[&str]) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits} && exec \"$0\" \"$@\""), BINARY, "server"]);
    command.args(["--listen", "[::]:0", "--shards", "2", "--min-shards", "2"]);
    command.args(line.arguments()).args(more);
    Process::spawn(command)
}

/// Sessions, the first of which sees the routes of the others.
fn sessions(server: &Process, count: usize) -> Vec<Client> {
    server.logged("reflector started", '\n');
    let address = server.address();
    let mut all: Vec<_> = (0..count).map(|_| Client::establish(address)).collect();
    all[0].subscribe(7);
    all
}

/// Each session goes on.
fn go_on(line: &Line, sessions: &mut [Client]) {
    for (publisher, number) in sessions[1..].iter_mut().zip(0..) {
        publisher.announce_all(&routes(7, number..number + 1, 1));
    }
    let count = u32::try_from(sessions.len() - 1).unwrap();
    sessions[0].expect_view(&routes(7, 0..count, 1));
    // A session that moves to another shard meanwhile may be listed twice.
    support::eventually("all sessions", || {
        line.json(&["show", "peers"])["rows"].as_array().unwrap().len() == sessions.len()
    });
}

#[test]
fn a_new_process_raises_its_limit_before_the_sockets_come() {
    let line = Line::new();
    let mut first = limited(&line, "ulimit -S -n 64", &[]);
    let mut sessions = sessions(&first, 100);
    let second = limited(&line, "ulimit -S -n 64", &["--takeover"]);
    second.logged("taken over", '\n');
    assert_eq!(exit(&mut first), Some(0));
    go_on(&line, &mut sessions);
}

#[test]
fn a_new_process_that_may_open_too_few_says_so_and_changes_nothing() {
    let line = Line::new();
    let first = limited(&line, "ulimit -S -n 64", &[]);
    let mut sessions = sessions(&first, 100);
    let second = limited(&line, "ulimit -n 64", &["--takeover"]);
    second.logged("may not open enough file descriptors for the sockets of all sessions", '\n');
    let latest = line.json(&["show", "handover"]);
    let reason = latest["latest"]["reason"].as_str().unwrap();
    assert!(reason.contains("raise the limit (LimitNOFILE of the unit, ulimit -Hn)"), "{reason}");
    go_on(&line, &mut sessions);
}

/// The old process has nearly as many sessions as it may open descriptors.
fn no_session_ends(io: &str) {
    let line = Line::new();
    let mut first = limited(&line, "ulimit -n 200", &["--max-peers", "140", "--io", io]);
    let mut sessions = sessions(&first, 120);
    line.ok(&["handover"]);
    let _second = line.successor();
    assert_eq!(exit(&mut first), Some(0));
    go_on(&line, &mut sessions);
}

#[test]
fn a_handover_with_epoll_needs_no_second_descriptor_for_each_session() {
    no_session_ends("epoll");
}

#[test]
fn a_handover_with_io_uring_needs_no_second_descriptor_for_each_session() {
    if support::has_io(IoChoice::Uring) {
        no_session_ends("uring");
    }
}
