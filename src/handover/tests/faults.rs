//! Either process is killed or hangs before each of its actions, or finds that something has changed meanwhile.

use std::time::{Duration, Instant};

use super::Folder;
use super::peers::Pair;
use super::processes::Process;

/// A process that serves, with a pair of peers, and the folder in which it can be asked.
fn serving(fault: Option<&str>) -> (Folder, Process, Pair) {
    let folder = Folder::new();
    let process = Process::start(&folder.control(), "auto", 2, fault);
    let pair = Pair::new(process.serves());
    (folder, process, pair)
}

#[test]
fn sessions_pass_through_processes_with_other_shards_and_io() {
    let folder = Folder::new();
    let mut process = Process::start(&folder.control(), "epoll", 1, None);
    let mut pair = Pair::new(process.serves());
    for (io, shards) in [("auto", 2), ("epoll", 3), ("auto", 1), ("auto", 4), ("epoll", 1)] {
        pair.announces();
        let next = Process::start(&folder.control(), io, shards, None);
        let address = next.serves();
        pair.goes_on();
        assert_eq!(process.says(), "handed over");
        process.ends();
        // New sessions are accepted at the same address.
        Pair::new(address);
        process = next;
    }
}

#[test]
fn a_successor_that_is_killed_at_any_step_changes_nothing() {
    let (folder, _process, mut pair) = serving(None);
    for action in ["Prepare", "SayPrepared", "SayReady", "Serve"] {
        let fault = format!("{action}:kill");
        let successor = Process::start(&folder.control(), "auto", 2, Some(&fault));
        pair.announces();
        successor.ends();
        pair.goes_on();
    }
    Process::start(&folder.control(), "auto", 2, None).serves();
}

#[test]
fn a_successor_that_hangs_at_any_step_changes_nothing() {
    let (folder, _process, mut pair) = serving(None);
    for action in ["Prepare", "SayPrepared", "SayReady", "Serve"] {
        let fault = format!("{action}:stop");
        let mut successor = Process::start(&folder.control(), "auto", 2, Some(&fault));
        successor.hangs();
        pair.goes_on();
        if action == "SayReady" {
            // Too late: the other process serves.
            successor.resume();
            let said = successor.says();
            assert!(said.starts_with("failed the running reflector keeps its sessions"), "{said}");
        }
    }
}

#[test]
fn sessions_outlive_a_predecessor_that_is_killed_when_the_successor_holds_everything() {
    for action in ["Commit", "HandedOver"] {
        let (folder, process, mut pair) = serving(Some(&format!("{action}:kill")));
        pair.announces();
        let successor = Process::start(&folder.control(), "auto", 1, None);
        process.ends();
        successor.serves();
        pair.goes_on();
    }
}

#[test]
fn a_predecessor_that_is_killed_before_that_takes_its_sessions_along() {
    for action in ["Freeze", "Send"] {
        let (folder, process, mut pair) = serving(Some(&format!("{action}:kill")));
        let successor = Process::start(&folder.control(), "auto", 1, None);
        process.ends();
        let said = successor.says();
        assert!(said.contains("has died before it had handed over"), "{said}");
        successor.ends();
        pair.is_over();
    }
}

/// A frozen shard has no load, so the balancer would let it fall asleep, which it does 10 s after a fleet has come.
#[test]
fn tables_stay_on_their_shards_while_everything_is_on_its_way_to_a_successor_that_hangs() {
    let folder = Folder::new();
    let process = Process::start(&folder.control(), "auto", 4, None);
    let address = process.serves();
    let mut fleet: Vec<_> = (1..=33).map(|vni| Pair::in_vni(address, vni)).collect();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(16) {
        let successor = Process::start(&folder.control(), "auto", 2, Some("SayReady:stop"));
        successor.hangs();
        fleet.iter_mut().for_each(Pair::goes_on);
    }
}

#[test]
fn a_successor_serves_when_its_key_is_gone_by_then() {
    if !cfg!(feature = "tls") {
        return;
    }
    let folder = Folder::new();
    let key = folder.write_key();
    let process = Process::with_tls(&folder.control(), &key, None);
    let mut pair = Pair::new(process.serves());
    let fault = Some("Serve:lose-key");
    let successor = Process::with_tls(&folder.control(), &key, fault);
    pair.announces();
    successor.serves();
    assert!(!key.exists());
    assert_eq!(process.says(), "handed over");
    pair.goes_on();
}

#[test]
fn a_successor_ends_the_sessions_that_it_denies() {
    let (folder, process, mut pair) = serving(None);
    let successor = Process::denying(&folder.control(), "::1/128");
    successor.serves();
    assert_eq!(process.says(), "handed over");
    let began = Instant::now();
    pair.is_over();
    // Without a KEEPALIVE it would end by itself 12.5 s after its arrival.
    assert!(began.elapsed() < Duration::from_secs(8), "after {:?}", began.elapsed());
}
