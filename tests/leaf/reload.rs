//! SIGHUP: what a leaf is told changes, and what it is not told to change stays.

use std::path::PathBuf;

use rustix::process::Signal;

use crate::harness::{Flood, Lab, Leaf, Process, REFLECTOR, TUNNEL, binary, wait_until};

/// A leaf process that reads everything from a file.
struct Reloaded {
    process: Process,
    file: PathBuf,
    reloads: usize,
}

impl Reloaded {
    /// `lines` beside what all of them need.
    fn start(leaf: &Leaf, lines: &str) -> Self {
        let file = std::env::temp_dir().join(format!("{}.toml", leaf.namespace()));
        write(&file, lines);
        let arguments = format!("client --config {}", file.display());
        Self { process: Process::start(leaf.namespace(), &binary(), &arguments), file, reloads: 0 }
    }

    /// Waits until the leaf has read these lines instead.
    fn reload(&mut self, lines: &str) {
        write(&self.file, lines);
        self.process.signal(Signal::HUP);
        self.reloads += 1;
        let is_read = || self.process.log().matches("log-format changed in the file").count();
        let what = "the file is read anew";
        wait_until(what, || self.process.log(), || is_read() == self.reloads);
    }
}

impl Drop for Reloaded {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.file));
    }
}

/// Each time with another format of the log, which needs a restart: so each reload has a line at its end.
fn write(file: &std::path::Path, lines: &str) {
    let format = if file.exists() { "json" } else { "text" };
    let text = format!(
        "[client]\nkeepalive = 60\ntun = \"{TUNNEL}\"\nlog-format = \"{format}\"\n{lines}\n"
    );
    // Read whole or not at all.
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, file).unwrap();
}

#[test]
fn vnis_tables_and_announcements_change_without_a_lost_packet_of_others() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (here, there) = (a.add_guest(100, 1), b.add_guest(100, 2));
    let (mine, other) = (a.add_guest(200, 3), b.add_guest(200, 4));
    let _server = lab.start_server();
    let _others = [b.install(&[100, 200], ""), b.announce(&[&there, &other]), a.announce(&[&here])];
    let server = format!("server = [\"{REFLECTOR}\"]\n");
    let first = format!("{server}subscribe = [100]\ninstall-routes = [\"100#1100\"]");
    let mut leaf = Reloaded::start(a, &first);
    a.wait_for_route(100, there.v6(), &[b]);
    b.wait_for_route(100, here.v6(), &[a]);
    let flood = Flood::start(&here, there.v6());
    let announced = format!("announce = [\"200#{}/128#{}\"]\n", mine.v6(), a.underlay());
    let both = |tables: &str| {
        format!("{server}{announced}subscribe = [100, 200]\ninstall-routes = {tables}")
    };

    leaf.reload(&both(r#"["100#1100", "200#1200"]"#));
    a.wait_for_route(200, other.v6(), &[b]);
    b.wait_for_route(200, mine.v6(), &[a]);
    assert!(leaf.process.log().contains("reloaded subscribe: 100 -> 100,200"));

    leaf.reload(&both(r#"["100#1100", "200#1300"]"#));
    let moved = || a.shows(&format!("-6 route show table 1300 exact {}", other.v6()));
    wait_until("the VNI is in its new table", moved, || !moved().is_empty());
    a.wait_for_no_route(200, other.v6());

    write(&leaf.file, &both(r#"["100#1100", "200#1300", "200#1400"]"#));
    leaf.process.signal(Signal::HUP);
    leaf.process
        .wait_for_log("not reloaded, everything stays as it was: --install-routes puts VNI 200");
    assert_ne!(moved(), "");

    leaf.reload(&first);
    wait_until("the VNI has left the kernel", moved, || moved().is_empty());
    b.wait_for_no_route(200, mine.v6());
    flood.expect_no_loss();
    assert_eq!(leaf.process.log().matches("session established").count(), 1);
}

#[test]
fn a_new_next_hop_of_an_own_destination_moves_nothing_in_the_kernel() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (there, late) = (b.add_guest(100, 2), b.add_guest(100, 3));
    let _server = lab.start_server();
    // Two hosts announce one address; the route of the other host is not for this one.
    let shared = "2001:db8:77::1";
    let announce = |next_hop| format!("--announce 100#{shared}/128#{next_hop}");
    let _other = b.announce_to(&[&there], &announce(b.underlay()));
    let lines = |next_hop: std::net::Ipv6Addr| {
        format!(
            "server = [\"{REFLECTOR}\"]\nsubscribe = [100]\ninstall-routes = [\"100#1100\"]\n\
             announce = [\"100#{shared}/128#{next_hop}\"]"
        )
    };
    let mut leaf = Reloaded::start(a, &lines(a.underlay()));
    a.wait_for_route(100, there.v6(), &[b]);
    assert_eq!(a.route(100, shared.parse().unwrap()), "");
    let events = Process::start(a.namespace(), "ip", "-6 monitor route");
    let mark = "2001:db8:78::";
    let is_heard = || {
        a.ip(&format!("-6 route replace blackhole {mark}/64"));
        events.log().contains(mark)
    };
    wait_until("the monitor hears events", || events.log(), is_heard);

    leaf.reload(&lines("2001:db8:79::1".parse().unwrap()));
    let _late = b.announce(&[&late]);
    events.wait_for_log(&late.v6().to_string());
    assert!(!events.log().contains(shared), "{}", events.log());
}

#[test]
fn a_leaf_begins_and_ends_to_install_routes() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let there = b.add_guest(100, 2);
    let _server = lab.start_server();
    let _others = [b.install(&[100], ""), b.announce(&[&there])];
    let plain = format!("server = [\"{REFLECTOR}\"]\nsubscribe = [100]\n");
    let mut leaf = Reloaded::start(a, &plain);
    leaf.process.wait_for_log("route added");

    leaf.reload(&format!("{plain}install-routes = [\"100#1100\"]"));
    a.wait_for_route(100, there.v6(), &[b]);
    leaf.reload(&plain);
    a.wait_for_no_route(100, there.v6());
    assert_eq!(leaf.process.log().matches("session established").count(), 1);
}

#[test]
fn servers_and_limits_change_without_a_lost_packet() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (here, there, late) = (a.add_guest(100, 1), b.add_guest(100, 2), b.add_guest(100, 3));
    let servers = [lab.start_server(), lab.start_server_at(4712, "")];
    let second = REFLECTOR.replace("4711", "4712");
    let at_second = format!("--server {second}");
    let _others = [
        b.install(&[100], &at_second),
        b.announce_to(&[&there], &at_second),
        a.announce_to(&[&here], &at_second),
    ];
    let lines = |server: &str, most: usize| {
        format!(
            "server = [\"{server}\"]\nmax-routes-per-vni = {most}\nsubscribe = [100]\n\
             install-routes = [\"100#1100\"]"
        )
    };
    // The two of each guest, and no more.
    let mut leaf = Reloaded::start(a, &lines(REFLECTOR, 4));
    a.wait_for_route(100, there.v6(), &[b]);
    b.wait_for_route(100, here.v6(), &[a]);
    let flood = Flood::start(&here, there.v6());
    let _late = b.announce_to(&[&late], &at_second);
    leaf.process.wait_for_log("the limit on routes has been reached");
    assert_eq!(a.route(100, late.v6()), "");

    leaf.reload(&lines(&second, 6));
    a.wait_for_route(100, late.v6(), &[b]);
    let [first, _second] = servers;
    first.kill();
    let log = leaf.process.log();
    assert!(log.contains("reloaded max-routes-per-vni: 4 -> 6"), "{log}");
    assert!(!log.contains("the last server is lost"), "{log}");
    flood.expect_no_loss();
}
