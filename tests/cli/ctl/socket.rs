//! The socket itself: who may connect, what is replaced, what is left.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};

use super::harness::{Controlled, Folder, controlled, ctl, until};
use crate::process::{BINARY, Process, fails, sentence};
use support::client::Client;

/// A second server at the socket of another.
fn second(socket: &str) -> String {
    let text = fails(&["server", "--listen", "[::1]:0", "--shards", "1", "--control", socket]);
    sentence(&text).to_owned()
}

#[test]
fn it_is_for_its_user_alone_and_goes_with_the_server() {
    let Controlled { mut server, socket, folder } = controlled(&[]);
    let file = std::fs::symlink_metadata(&socket).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
    // The other is that over which a successor asks.
    assert_eq!(names.len(), 2, "{names:?}");
    let file = std::fs::symlink_metadata(format!("{socket}.handover")).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn others_may_not_ask() {
    if let Some(missing) = support::missing(&["setpriv"]) {
        support::skip!(missing);
    }
    let scene = controlled(&[]);
    // A folder that everybody may look into, so that it is the socket that keeps them out.
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&scene.folder.0, open).unwrap();
    let binary = scene.folder.path("metalbond");
    std::fs::copy(BINARY, &binary).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
        .args([&binary, "ctl", "--socket", &scene.socket, "show", "peers"])
        .output();
    let Output { status, stderr, .. } = output.unwrap();
    let text = String::from_utf8(stderr).unwrap();
    if text.starts_with("setpriv: ") {
        support::skip!(text);
    }
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(sentence(&text).contains("sudo"), "{text}");
}

#[test]
fn what_a_killed_server_has_left_is_replaced() {
    let Controlled { mut server, socket, folder } = controlled(&[]);
    server.signal("KILL");
    server.wait();
    let left = std::fs::symlink_metadata(&socket).unwrap().created().ok();
    let (code, _, err) = ctl(&socket, &["show", "peers"]);
    assert!(code == 1 && err.contains("no process answers"), "{err}");
    let server = Process::start(&["--control", &socket]);
    server.logged("reflector started", '\n');
    let scene = Controlled { server, socket, folder };
    scene.ok(&["show", "peers"]);
    let now = std::fs::symlink_metadata(&scene.socket).unwrap().created().ok();
    assert!(left.is_none() || now != left);
}

#[test]
fn one_that_is_in_use_is_left_alone() {
    let scene = controlled(&[]);
    let text = second(&scene.socket);
    assert!(text.contains("another process uses the control socket"), "{text}");
    scene.ok(&["show", "peers"]);
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new();
    let file = folder.path("precious");
    std::fs::write(&file, "precious").unwrap();
    assert!(second(&file).contains("is not a socket"));
    assert!(second(&folder.path("precious/control")).contains("folder"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let link = folder.path("link");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert!(second(&link).contains("is not a socket"));
    assert!(second(&folder.path("none/control.sock")).contains("does not exist"));
    assert!(second(&folder.path(&"x".repeat(120))).contains("less than 100 bytes"));
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 2);
}

/// By it `ss -xl` and systemd-tmpfiles know that it is in use.
#[test]
#[cfg(target_os = "linux")]
fn it_is_bound_under_its_full_name() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("real")).unwrap();
    std::os::unix::fs::symlink("real", folder.path("link")).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["server", "--listen", "[::1]:0", "--control", "link/control.sock"]);
    let server = Process::spawn({
        command.current_dir(&folder.0);
        command
    });
    server.logged("reflector started", '\n');
    let name = std::fs::canonicalize(&folder.0).unwrap().join("real/control.sock");
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    let bound = sockets.lines().filter_map(|line| line.split_once(" /"));
    assert!(bound.clone().any(|(_, bound)| name == format!("/{bound}")), "{sockets}");
}

#[test]
fn one_that_vanishes_is_made_anew() {
    let scene = controlled(&[]);
    let monitor = scene.watch(&["monitor"]);
    for _ in 0..2 {
        std::fs::remove_file(&scene.socket).unwrap();
        until("a new socket", || ctl(&scene.socket, &["show", "peers"]).0 == 0);
        let file = std::fs::symlink_metadata(&scene.socket).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
    // Who was connected still is.
    let mut client = Client::establish(scene.server.address());
    monitor.expect(&["established", "test-node"]);
    client.keepalive();
    // With its folder, as a package that is removed takes it along: it waits for another one.
    let away = scene.folder.0.with_extension("away");
    std::fs::rename(&scene.folder.0, &away).unwrap();
    scene.server.logged("cannot be made anew for now", '\n');
    std::fs::create_dir(&scene.folder.0).unwrap();
    until("a new socket", || ctl(&scene.socket, &["show", "peers"]).0 == 0);
    std::fs::remove_dir_all(&away).unwrap();
}

#[test]
fn one_that_is_mounted_is_told_apart() {
    if let Some(missing) = support::missing(&["unshare"]) {
        support::skip!(missing);
    }
    let folder = Folder::new();
    let [outside, inside] = ["outside.sock", "inside.sock"].map(|name| folder.path(name));
    drop(UnixListener::bind(&outside).unwrap());
    drop(UnixListener::bind(&inside).unwrap());
    let script =
        "mount --bind \"$1\" \"$2\" && exec \"$0\" server --listen [::1]:0 --control \"$2\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script, BINARY, &outside, &inside])
        .output();
    let text = String::from_utf8(output.unwrap().stderr).unwrap();
    if text.starts_with("unshare: ") || text.starts_with("mount: ") {
        support::skip!(text);
    }
    assert!(sentence(&text).contains("mount its folder instead"), "{text}");
}

#[test]
fn what_is_no_socket_is_not_asked() {
    let folder = Folder::new();
    let file = folder.path("precious");
    std::fs::write(&file, "precious").unwrap();
    for path in [file, folder.path("")] {
        let (code, _, err) = ctl(&path, &["show", "peers"]);
        let printed = format!("{path} is not a socket");
        assert!(code == 1 && sentence(&err).contains(&printed) && !err.contains("gone"), "{err}");
    }
}

#[test]
fn the_successors_socket_outlives_the_server() {
    let Controlled { mut server, socket, folder } = controlled(&[]);
    std::fs::remove_file(&socket).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    assert!(std::fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    drop(folder);
}

#[test]
fn without_a_server_it_is_one_sentence() {
    let folder = Folder::new();
    let (code, _, err) = ctl(&folder.path("none.sock"), &["show", "peers"]);
    assert!(code == 1 && sentence(&err).contains("--control"), "{err}");
    let by_variable = Command::new(BINARY)
        .args(["ctl", "show", "peers"])
        .env("METALBOND_CONTROL", folder.path("other.sock"))
        .output()
        .unwrap();
    assert!(String::from_utf8(by_variable.stderr).unwrap().contains("other.sock"));
    // An empty variable is none.
    let by_default =
        Command::new(BINARY).args(["ctl", "show", "peers"]).env("METALBOND_CONTROL", "").output();
    let printed = String::from_utf8(by_default.unwrap().stderr).unwrap();
    // Empty where a reflector is installed and runs.
    assert!(printed.is_empty() || printed.contains("/run/metalbond/control.sock"), "{printed}");
}

#[test]
fn completions_and_manual_pages_have_all_of_it() {
    let written = |arguments: &[&str]| {
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let bash = written(&["completions", "bash"]);
    for path in ["ctl__show", "ctl__show__routes", "ctl__explain", "ctl__drain", "ctl__reset__peer"]
    {
        // Newer versions say "subcmd" between the words.
        let other = path.replace("__", "__subcmd__");
        assert!(bash.contains(path) || bash.contains(&other), "{path}");
    }
    assert!(written(&["man"]).contains("metalbond\\-ctl(1)"));
    let folder = Folder::new();
    written(&["man", "--all", &folder.path("")]);
    let routes = std::fs::read_to_string(folder.path("metalbond-ctl-show-routes.1")).unwrap();
    assert_eq!(routes, written(&["man", "ctl", "show", "routes"]));
    let page = written(&["man", "ctl"]);
    for word in ["show", "explain", "monitor", "reset", "drain", "undrain", "log", "dump"] {
        assert!(page.contains(word), "{word}");
    }
}
