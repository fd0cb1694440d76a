//! What is shipped in `deploy/`: it must say of the command what is true.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::BINARY;

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(shipped(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A folder that ends with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("metalbond-deploy-{name}-{}", std::process::id());
        let folder = Self(std::env::temp_dir().join(name));
        std::fs::create_dir(&folder.0).unwrap();
        folder
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs a program if it is installed; what it says, if it finds something wrong.
fn complaints(program: &str, arguments: &[&str]) -> Option<String> {
    if let Some(missing) = support::missing(&[program]) {
        support::skip!(missing);
    }
    let Output { status, stdout, stderr } = Command::new(program).args(arguments).output().unwrap();
    let output = || String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    (!status.success()).then(output)
}

/// The lines `key = value` that `check-config` prints of a file, and the keys that are not set.
fn effective(file: &Path) -> BTreeMap<String, String> {
    let arguments = ["check-config", "--config", file.to_str().unwrap()];
    let Output { status, stdout, stderr } = Command::new(BINARY).args(arguments).output().unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(status.success() && err.is_empty(), "{err}");
    let lines = out.lines().filter(|line| !line.starts_with('['));
    lines
        .map(|line| match line.strip_suffix(" is not set") {
            Some(key) => (key.trim_start_matches("# ").to_owned(), String::new()),
            None => {
                let (key, value) = line.split_once(" = ").unwrap();
                (key.to_owned(), value.split(" # ").next().unwrap().to_owned())
            }
        })
        .collect()
}

/// What would be said if each example were meant.
fn uncommented(text: &str) -> String {
    let meant = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(meant).collect()
}

#[test]
fn shipped_configurations_say_all_options_and_their_defaults() {
    let folder = Folder::new("config");
    let files = tls_files();
    for role in ["server", "client", "proxy"] {
        let file = &format!("config/{role}.toml");
        let text = read(file);
        let as_shipped = effective(&shipped(file));
        let in_full = uncommented(&text);
        let in_full =
            in_full.replace("/etc/metalbond/tls/", &format!("{}/", files.path().display()));
        let in_full =
            in_full.replace("/etc/metalbond/tcp-", &format!("{}/tcp-", files.path().display()));
        // Files of TLS say nothing without it.
        let in_full = in_full.replace("\ntls = false", "\ntls = true");
        let meant = effective(&folder.write(&format!("{role}.toml"), &in_full));
        for (key, default) in &as_shipped {
            assert!(
                in_full.lines().any(|line| line.starts_with(&format!("{key} = "))),
                "{file} does not say {key}"
            );
            // Where there is no default the file has an example.
            if !default.is_empty() && key != "tls" {
                assert_eq!(meant[key], *default, "{file} says another default of {key}");
            }
        }
        // Who connects to reflectors must be told to which, and only the package knows of a folder to be in.
        let printed = text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#'));
        let servers = "server = [\"reflector1.example.net\", \"reflector2.example.net\"]";
        let expected = match role {
            // The units make the folders.
            "client" => vec![servers, "control = \"/run/metalbond-client/control.sock\""],
            "proxy" => vec![servers, "control = \"/run/metalbond-proxy/control.sock\""],
            _ => vec![
                "control = \"/run/metalbond/control.sock\"",
                "control-read-only = \"/run/metalbond/control-ro.sock\"",
            ],
        };
        assert!(printed.eq(expected));
    }
}

/// What the shipped configurations name in their examples.
fn tls_files() -> support::tls::Folder {
    use support::tls::{Authority, Folder, Validity};

    let (folder, authority) = (Folder::default(), Authority::new("ca"));
    for name in ["reflector", "leaf"] {
        authority.issue(&folder, name, &["reflector.example.net"], Validity::Now);
    }
    for name in ["leaves-ca.pem", "reflectors-ca.pem"] {
        authority.file(&folder, name);
    }
    authority.revoke(&folder, "leaves.crl", &[]);
    folder.write("tcp-md5.keys", "::/0 secret");
    folder.write("tcp-ao.keys", "::/0 1 secret");
    folder
}

/// A device with thousands of nexthop objects would take long to go.
#[test]
fn the_unit_of_the_tunnel_withdraws_routes_before_it_deletes_the_device() {
    let unit = read("systemd/metalbond-tunnel.service");
    let stops: Vec<_> = unit.lines().filter_map(|line| line.strip_prefix("ExecStop=-")).collect();
    let [withdraw, delete] = stops[..] else { panic!("{stops:?}") };
    assert!(delete.starts_with("/sbin/ip link delete "), "{delete}");
    let words = withdraw.replace("$TUNNEL_DEVICE", "no-device").replace("$ROUTE_PROTOCOL", "254");
    let mut words = words.split(' ');
    assert_eq!(words.next(), Some("/usr/bin/metalbond"));
    let output = Command::new(BINARY).args(words).output().unwrap();
    // The command is understood; 2 would say that it is not.
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    // A leaf that still runs would put back what is withdrawn.
    assert!(
        read("systemd/metalbond-client.service").contains("\nPartOf=metalbond-tunnel.service\n")
    );
}

/// As root in namespaces of its own, where the user exists and has a process.
#[test]
fn the_package_is_purged_while_a_process_of_its_user_runs() {
    if let Some(missing) = support::missing(&["setpriv", "unshare", "userdel"]) {
        support::skip!(missing);
    }
    let folder = Folder::new("purge");
    let users = "root:x:0:0::/:/bin/sh\nmetalbond-server:x:4711:4711::/:/bin/sh\n\
                 metalbond-client:x:4712:4712::/:/bin/sh\nmetalbond-proxy:x:4715:4715::/:/bin/sh\n\
                 metalbond:x:4713:4713::/:/bin/sh\n";
    let users = folder.write("passwd", users);
    let groups = "root:x:0:\nmetalbond-server:x:4711:\nmetalbond-client:x:4712:\nmetalbond-proxy:x:4715:\nmetalbond:x:4713:\n\
                  metalbond-ro:x:4714:metalbond-server\n";
    let groups = folder.write("group", groups);
    let script = "set -e
mount -t tmpfs none /run
for file in passwd group; do mount --bind \"$1/$file\" /etc/$file; done
setpriv --reuid=4711 --regid=4711 --clear-groups sleep 1000 &
until grep -q '^Uid:.4711' /proc/$!/status; do sleep 0.01; done
mkdir /run/metalbond
code=0
sh \"$0\" purge || code=$?
kill $!
[ ! -e /run/metalbond ] || echo left >&2
exit $code";
    assert!(users.parent() == groups.parent());
    let postrm = shipped("debian/postrm");
    let output = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script])
        .args([&postrm, &folder.0])
        .output();
    let Output { status, stderr, .. } = output.unwrap();
    let printed = String::from_utf8(stderr).unwrap();
    if ["unshare: ", "mount: ", "setpriv: "].iter().any(|program| printed.starts_with(program)) {
        support::skip!(printed);
    }
    assert!(status.success() && !printed.contains("left"), "{status} {printed}");
    assert!(printed.contains("metalbond-server is currently used by process"), "{printed}");
    assert!(printed.contains("the user metalbond-server stays"), "{printed}");
    // Files that are mounted cannot be replaced, so here all others stay as well; each was to go.
    for name in
        ["user metalbond-client", "user metalbond-proxy", "user metalbond", "group metalbond-ro"]
    {
        assert!(printed.contains(&format!("the {name} stays")), "{name}: {printed}");
    }
}

#[test]
fn units_are_taken_by_systemd() {
    let folder = Folder::new("units");
    let mut files = Vec::new();
    for unit in ["server", "client", "proxy", "tunnel"] {
        let name = format!("metalbond-{unit}.service");
        // It wants to see the program.
        let text = read(&format!("systemd/{name}")).replace("/usr/bin/metalbond", BINARY);
        files.push(folder.write(&name, &text).to_str().unwrap().to_owned());
    }
    for file in &files {
        // Of ten; what is left is what these programs are for.
        let limits = ["security", "--offline=true", "--no-pager", "--threshold=20", file];
        assert_eq!(complaints("systemd-analyze", &limits), None);
    }
    let verify: Vec<_> =
        ["verify", "--man=no"].into_iter().chain(files.iter().map(String::as_str)).collect();
    assert_eq!(complaints("systemd-analyze", &verify), None);
}

#[test]
fn units_ask_for_what_the_command_does() {
    for role in ["server", "client", "proxy"] {
        let unit = read(&format!("systemd/metalbond-{role}.service"));
        let has = |line: &str| assert!(unit.lines().any(|found| found == line), "no {line}");
        has("Type=notify");
        has(&format!("ExecStart=/usr/bin/metalbond {role} --config /etc/metalbond/{role}.toml"));
        has("ExecReload=/bin/kill -HUP $MAINPID");
        has("WatchdogSec=20");
    }
    let proxy = read("systemd/metalbond-proxy.service");
    assert!(proxy.contains("\nRuntimeDirectory=metalbond-proxy\n"), "{proxy}");
    let client = read("systemd/metalbond-client.service");
    assert!(client.contains("\nRuntimeDirectory=metalbond-client\n"), "{client}");
    let server = read("systemd/metalbond-server.service");
    assert!(server.contains("\nRuntimeDirectory=metalbond\n"), "{server}");
    // The log names callers, which a user namespace would hide.
    assert!(server.contains("\nPrivateUsers=no\n"), "{server}");
    let users = read("sysusers.d/metalbond.conf");
    for role in ["server", "client", "proxy"] {
        let unit = read(&format!("systemd/metalbond-{role}.service"));
        for limit in ["\nMemoryHigh=", "\nMemoryMax=", "\nOOMScoreAdjust=-"] {
            assert!(unit.contains(limit), "{unit}");
        }
        assert!(unit.contains(&format!("\nUser=metalbond-{role}\n")), "{unit}");
        assert!(users.contains(&format!("\nu metalbond-{role} - ")), "{users}");
        let mut filters = unit.lines().filter(|line| line.starts_with("SystemCallFilter=@"));
        assert!(filters.next().unwrap().contains(" seccomp"), "{unit}");
    }
    assert!(users.contains("\nm metalbond-server metalbond-ro\n"), "{users}");
    // To give the read-only socket to that group. A later line counts, and @privileged has @chown.
    let forbidden = server.find("\nSystemCallFilter=~@privileged").unwrap();
    assert!(server[forbidden..].contains("\nSystemCallFilter=@chown\n"), "{server}");
    let filter = server.lines().find(|line| line.starts_with("SystemCallFilter=@")).unwrap();
    let profile = read("kubernetes/seccomp/metalbond.json");
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
        assert!(filter.contains(call), "{filter}");
        assert!(profile.contains(&format!("\"{call}\"")), "no {call}");
    }
}

#[test]
fn manifests_say_flags_and_options_that_there_are() {
    for (role, manifests, components) in [
        (
            "server",
            &["server/deployment.yaml", "server-daemonset/daemonset.yaml"][..],
            &["handover/kustomization.yaml"][..],
        ),
        ("client", &["client/daemonset.yaml"], &[]),
        (
            "proxy",
            &["proxy/daemonset.yaml"],
            &["proxy-metrics/kustomization.yaml", "proxy-tls/kustomization.yaml"],
        ),
    ] {
        let Output { stdout, .. } = Command::new(BINARY).args([role, "--help"]).output().unwrap();
        let help = String::from_utf8(stdout).unwrap();
        for file in manifests.iter().chain(components) {
            let text = read(&format!("kubernetes/{file}"));
            let lines = text.lines().map(|line| line.trim_start_matches(['#', ' ']));
            let flags: Vec<_> = lines
                .filter_map(|line| {
                    line.strip_prefix("- --").or_else(|| line.strip_prefix("value: --"))
                })
                .filter_map(|flag| flag.split('=').next())
                .collect();
            assert!(flags.len() > 1, "{file}: {flags:?}");
            for flag in flags {
                // A switch may have a value.
                let [plain, switch] = [format!("--{flag} "), format!("--{flag}[")];
                assert!(help.contains(&plain) || help.contains(&switch), "{file}: no --{flag}");
            }
        }
        for manifest in manifests {
            let options = Path::new(manifest).with_file_name(format!("{role}.toml"));
            let options = effective(&shipped("kubernetes").join(options));
            // Where metalbond ctl looks by itself, in a folder that the pod can write to.
            assert_eq!(options["control"], "\"/run/metalbond/control.sock\"", "{manifest}");
            let text = read(&format!("kubernetes/{manifest}"));
            let mounts = text.lines().filter(|line| line.trim() == "mountPath: /run/metalbond");
            assert_eq!(mounts.count(), 1, "{manifest}");
        }
    }
}

/// Whoever reaches a node or a pod learns whether it lives and what it counts, and nothing more.
#[test]
fn manifests_open_sessions_and_health_alone() {
    for manifest in
        ["server/deployment.yaml", "server-daemonset/daemonset.yaml", "client/daemonset.yaml"]
    {
        let text = read(&format!("kubernetes/{manifest}"));
        let lines = || text.lines().map(str::trim);
        let is_on_host = lines().any(|line| line == "hostNetwork: true");
        for http in lines().filter_map(|line| line.strip_prefix("- --http=")) {
            assert!(!is_on_host && http.parse::<u16>().is_ok(), "{manifest}: --http={http}");
        }
        assert!(lines().any(|line| line.starts_with("- --health=:")), "{manifest}");
        let ports: Vec<_> = lines().filter(|line| line.starts_with("containerPort: ")).collect();
        let probes = lines().filter(|line| line.starts_with("port: "));
        assert!(
            probes.clone().count() >= 2 && probes.clone().all(|line| line == "port: health"),
            "{manifest}"
        );
        let sessions = usize::from(manifest.starts_with("server"));
        assert_eq!(ports.len(), 1 + sessions, "{manifest}: {ports:?}");
    }
    let policy = read("kubernetes/server/networkpolicy.yaml");
    assert!(read("kubernetes/server/kustomization.yaml").contains("- networkpolicy.yaml\n"));
    let ports: Vec<_> =
        policy.lines().filter_map(|line| line.trim().strip_prefix("- port: ")).collect();
    assert_eq!(ports, ["metalbond", "health"]);
    assert!(policy.contains("\n  egress: []\n"), "{policy}");
}

/// A proxy has no second address for health alone.
#[test]
fn the_proxy_of_the_manifests_is_on_the_loopback_or_asks_for_a_token() {
    let options = effective(&shipped("kubernetes/proxy/proxy.toml"));
    assert_eq!(options["listen"], "\"[::1]:4711\"");
    let proxy = read("kubernetes/proxy/daemonset.yaml");
    assert!(proxy.contains(" - --http=8084\n") && !proxy.contains("containerPort: "), "{proxy}");
    for line in [" host: 127.0.0.1\n", " port: 8084\n"] {
        assert_eq!(proxy.matches(line).count(), 2, "{proxy}");
    }
    let open = read("kubernetes/proxy-metrics/kustomization.yaml");
    for flag in ["--http=:8084", "--http-token-file=/etc/metalbond-http/token"] {
        assert!(open.contains(&format!(" value: {flag}\n")), "{open}");
    }
}

#[test]
fn pods_drain_before_they_end() {
    let folder = Folder::new("drain");
    for manifest in ["server/deployment.yaml", "server-daemonset/daemonset.yaml"] {
        let text = read(&format!("kubernetes/{manifest}"));
        let command =
            text.lines().find_map(|line| line.trim().strip_prefix("command: [metalbond, "));
        let words = command.unwrap().trim_end_matches(']').split(", ");
        let timeout = words.clone().find_map(|word| word.strip_prefix("--timeout=")).unwrap();
        let timeout: u32 = timeout.trim_end_matches('s').parse().unwrap();
        let grace = text.lines().find_map(|line| {
            line.trim().strip_prefix("terminationGracePeriodSeconds: ")?.parse::<u32>().ok()
        });
        assert!(timeout + 5 < grace.unwrap(), "{manifest}: no time to stop after the drain");
        // It is understood, and finds that nobody is there.
        let socket = folder.0.join("control.sock");
        let output =
            Command::new(BINARY).args(words).env("METALBOND_CONTROL", &socket).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}
