//! Next hops that a leaf can't use: what it says of them, and that the others are installed.

use crate::harness::{Lab, wait_until};

#[test]
fn next_hops_that_cannot_work_are_told_once_however_often_they_come() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let _server = lab.start_server();
    let installer = a.install(&[100], "");
    let bad: Vec<_> = (0..50)
        .map(|n| format!("100#10.1.{n}.0/24#192.0.2.1,100#10.1.{n}.0/24#{}", a.underlay()))
        .collect();
    // Each round is a flap of 100 routes: sessions end and begin.
    for round in 1..=5 {
        let good = b.add_guest(100, round);
        let announcer = b.client(&format!(
            "--announce {},100#{}/32#{}",
            bad.join(","),
            good.v4(),
            b.underlay()
        ));
        a.wait_for_route(100, good.v4(), &[b]);
        announcer.terminate();
        a.wait_for_no_route(100, good.v4());
    }
    let log = installer.log();
    let logged = |why| log.lines().filter(|line| line.contains(why)).count();
    assert_eq!(logged("reason ipv4"), 1, "{log}");
    assert_eq!(logged("reason own_address"), 1, "{log}");
    assert_eq!(logged("refused"), 0, "{log}");
    wait_until("all is removed", || a.nexthops(), || a.nexthops().is_empty());
}
