//! What a leaf says over its control socket of single routes and of its kernel.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Lab, TUNNEL, at, binary, table, wait_until};

const DOCUMENT: &str = include_str!("../../docs/http.md");
const COMMANDS: &str = include_str!("../../docs/ctl.md");

/// The control socket of a leaf, in a folder that ends with the test.
pub(crate) struct Socket(PathBuf);

impl Socket {
    pub(crate) fn new(test: &str) -> Self {
        let name = format!("metalbond-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> String {
        self.0.join("control.sock").to_str().unwrap().to_owned()
    }

    /// A run of `metalbond ctl`: what it prints, or its complaint.
    pub(crate) fn ctl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(binary());
        command.args(["ctl", "--socket", &self.path()]).args(arguments);
        let output = command.output().unwrap();
        let text = if output.status.success() { output.stdout } else { output.stderr };
        String::from_utf8(text).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ctl(&[arguments, &["-j"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Waits for a verdict on a route; the reasons.
    #[track_caller]
    fn explains(&self, route: &str, verdict: &str) -> String {
        let explained = || self.json(&["explain", route]);
        wait_until(verdict, || explained().to_string(), || explained()["verdict"] == verdict);
        explained()["reasons"].to_string()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The members of an example in the documentation.
fn documented(request: &str) -> Value {
    let (_, example) =
        DOCUMENT.split_once(&format!("Of a leaf, `{request}`\n\n```json\n")).unwrap();
    serde_json::from_str(example.split_once("```").unwrap().0).unwrap()
}

fn members(value: &Value) -> Vec<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// The numbers of VNI 100 below.
fn kernel_is_shown(socket: &Socket) {
    let rows = socket.json(&["show", "kernel"])["rows"].clone();
    let example = documented("GET /api/v1/kernel/vnis");
    assert_eq!(members(&rows[0]), members(&example["rows"][0]));
    let counts = ["wanted", "installed", "refused", "conflicts", "excluded", "unusable", "pending"];
    let of_100 = counts.map(|name| rows[0][name].clone());
    assert_eq!(of_100, [4, 1, 2, 1, 1, 1, 0].map(|count| json!(count)), "{rows}");
    let shown = socket.ctl(&["show", "kernel"]);
    let (_, table_shown) = COMMANDS.split_once("$ metalbond ctl show kernel\n").unwrap();
    assert_eq!(shown.lines().next(), table_shown.lines().next());
}

#[test]
fn a_leaf_says_whether_its_kernel_has_a_route_and_why_not() {
    let Some(lab) = Lab::new() else { return };
    let (a, b) = (lab.leaf("a"), lab.leaf("b"));
    let (taken, free) = (b.add_guest(100, 2), b.add_guest(100, 3));
    let table = table(100);
    a.ip(&format!("-4 route add {} table {table} proto static dev {TUNNEL}", taken.v4()));
    let no_ipv6 = format!("/proc/sys/net/ipv6/conf/{TUNNEL}/disable_ipv6");
    at(a.namespace(), || fs::write(&no_ipv6, "1")).unwrap();
    let server = lab.start_server();
    let _announcer = b.announce(&[&taken, &free]);
    let via = b.underlay();
    let many: Vec<_> = (0..8).map(|n| format!("300#10.3.{n}.0/24#{via}")).collect();
    let _others = b.client(&format!(
        "--announce 100#10.1.0.0/16#{via}#NAT#1#2,100#10.2.0.0/16#192.0.2.1,100#10.9.0.0/24#{via},\
         200#10.0.0.0/8#{via},{}",
        many.join(",")
    ));
    let socket = Socket::new("explain");
    let _installer = a.install(
        &[100, 300],
        &format!(
            "--subscribe 200 --max-routes-per-vni 7 --announce 100#10.9.0.0/24#{} --control {}",
            a.underlay(),
            socket.path()
        ),
    );
    a.wait_for_route(100, free.v4(), &[b]);

    let reasons = socket.explains(&format!("100#{}/32", free.v4()), "installed");
    assert!(
        reasons.contains(&format!("via {via} is announced by [2001:db8::1]:4711")),
        "{reasons}"
    );
    assert!(reasons.contains(&format!("the kernel has it in table {table} via {via}, installed")));
    let reasons = socket.explains(&format!("100#{}/32", taken.v4()), "conflict");
    assert!(reasons.contains("a route of protocol 4 (static) has this destination"), "{reasons}");
    let reasons = socket.explains(&format!("100#{}/128", free.v6()), "refused");
    assert!(reasons.contains("IPv6 is disabled on the tunnel device"), "{reasons}");
    let reasons = socket.explains("100#10.1.0.0/16", "excluded");
    assert!(reasons.contains("routes of type nat are not installed"), "{reasons}");
    socket.explains("100#10.2.0.0/16", "unusable");
    socket.explains("100#10.9.0.0/24", "own");
    socket.explains("200#10.0.0.0/8", "no_table");
    socket.explains("100#10.7.0.0/16", "not_announced");
    socket.explains("7#10.0.0.0/8", "not_subscribed");
    let verdict =
        |n: usize| socket.json(&["explain", &format!("300#10.3.{n}.0/24")])["verdict"].clone();
    let of_many = || (0..8).map(verdict).collect::<Vec<_>>();
    let count = |of: &str| of_many().iter().filter(|verdict| **verdict == of).count();
    wait_until(
        "seven of eight are installed",
        || format!("{:?}", of_many()),
        || (count("installed"), count("limit")) == (7, 1),
    );

    kernel_is_shown(&socket);

    drop(server);
    let route = format!("100#{}/32", free.v4());
    let explained = || socket.ctl(&["explain", &route]);
    wait_until("it is stale", explained, || explained().contains("is stale: no server has had it"));
    assert!(explained().starts_with("Installed: the kernel has the route.\n- "), "{}", explained());
    let real = socket.json(&["explain", &route]);
    let example = documented("GET /api/v1/explain?vni=100&destination=10.0.0.1/32");
    for part in ["", "/routes/0", "/kernel", "/kernel/installed"] {
        let [real, example] = [&real, &example].map(|of| of.pointer(part).unwrap());
        assert_eq!(members(real), members(example), "{part}");
    }
}
