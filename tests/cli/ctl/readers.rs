//! The socket for readers, and what the log says of callers.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::process::{Command, Output};

use super::harness::{Controlled, Folder, ctl, request, until};
use crate::process::{BINARY, Process, sentence};
use support::client::Client;

/// A reflector with both sockets, whose readers are of a group, and the path of the one for readers.
fn with_readers(group: &str, more: &[&str]) -> (Controlled, String) {
    let folder = Folder::new();
    let [socket, readers] = ["control.sock", "control-ro.sock"].map(|name| folder.path(name));
    let own = ["--control", &socket, "--control-read-only", &readers, "--control-group", group];
    let server = Process::start(&[&own, more].concat());
    // It may be told to log nothing.
    until("the sockets answer", || UnixStream::connect(&readers).is_ok());
    (Controlled { server, socket, folder }, readers)
}

#[test]
fn readers_see_everything_and_change_nothing() {
    let (scene, readers) = with_readers("0", &[]);
    let _peer = Client::establish(scene.server.address());
    scene.until_rows(&["show", "peers"], 1);
    let (code, shown, _) = ctl(&readers, &["show", "peers"]);
    assert_eq!((code, shown.lines().count()), (0, 2), "{shown}");
    for command in [
        &["reset", "peer", "1"][..],
        &["drain"],
        &["undrain"],
        &["log", "debug"],
        &["log", "debug", "peer", "1"],
        &["handover"],
        &["block", "vni", "7", "for", "1h", "--yes"],
        &["unblock", "all"],
    ] {
        let (code, out, err) = ctl(&readers, command);
        assert!(code == 1 && out.is_empty(), "{command:?}: {code} {out}");
        assert!(sentence(&err).contains("takes no command: use that of --control"), "{err}");
    }
    let (status, body) =
        request(UnixStream::connect(&readers).unwrap(), "GET", "/control/v1/drain");
    assert!(status == 200 && body.contains("\"is_draining\":false"), "{body}");
    scene.until_rows(&["show", "peers"], 1);
}

#[test]
fn who_may_only_look_is_answered_by_the_socket_for_readers() {
    if let Some(missing) = support::missing(&["setpriv"]) {
        support::skip!(missing);
    }
    // nogroup, which has this number on all systems.
    let (scene, readers) = with_readers("65534", &[]);
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&scene.folder.0, open).unwrap();
    let file = std::fs::metadata(&readers).unwrap();
    if file.gid() != 65534 {
        support::skip!("only root gives a file to a group of others");
    }
    assert_eq!(file.permissions().mode() & 0o777, 0o660);
    let binary = scene.folder.path("metalbond");
    std::fs::copy(BINARY, &binary).unwrap();
    let as_reader = |group: &str, arguments: &[&str]| {
        let group = format!("--regid={group}");
        let own = ["--reuid=65534", &group, "--clear-groups", "--bounding-set=-all"];
        let command = [&binary, "ctl", "--socket", &scene.socket];
        let output = Command::new("setpriv").args(own).args(command).args(arguments).output();
        let Output { status, stdout, stderr } = output.unwrap();
        let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (status.code(), out, err)
    };
    let (code, out, err) = as_reader("65534", &["show", "limits"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("max-peers"), "{out}");
    let (code, _, err) = as_reader("65534", &["drain"]);
    assert_eq!(code, Some(1));
    assert!(sentence(&err).contains("takes no command"), "{err}");
    // Of another group, neither.
    let (code, _, err) = as_reader("65533", &["show", "limits"]);
    assert_eq!(code, Some(1));
    assert!(sentence(&err).contains("control-ro.sock"), "{err}");
    // The log names the user, also of what was refused.
    let line = scene.server.logged("command over the control socket uid=65534 pid=", '\n');
    assert!(line.contains("path=\"/control/v1/drain\""), "{line}");
}

#[test]
fn a_group_that_is_not_there_is_said() {
    let (scene, readers) = with_readers("no-such-group", &[]);
    scene.server.logged("group=\"no-such-group\"", '\n');
    let own = std::fs::metadata(&scene.folder.0).unwrap().gid();
    let file = std::fs::metadata(&readers).unwrap();
    assert_eq!((file.gid(), file.permissions().mode() & 0o777), (own, 0o660));
    assert_eq!(ctl(&readers, &["show", "limits"]).0, 0);
}

#[test]
fn each_command_is_logged_with_its_caller_at_any_level() {
    let (scene, _) = with_readers("0", &["--log-level", "error"]);
    let user = std::fs::metadata(&scene.folder.0).unwrap().uid();
    let child = super::harness::command(&scene.socket, &["drain", "--rate", "7"]).spawn().unwrap();
    let caller = format!("uid={user} pid={}", child.id());
    assert!(child.wait_with_output().unwrap().status.success());
    let line = scene.server.logged(&format!("command over the control socket {caller} "), '\n');
    assert_eq!(line, "path=\"/control/v1/drain\" asked=\"rate=7\"");
    let line =
        scene.server.logged(&format!("answered a command over the control socket {caller} "), '\n');
    assert_eq!(line, "path=\"/control/v1/drain\" status=200");
    // What is only read is logged when debugging.
    scene.ok(&["show", "limits"]);
    assert!(!scene.server.log().contains("/api/v1/limits"));
    scene.ok(&["log", "debug"]);
    scene.ok(&["show", "limits"]);
    until("the line of a reader", || scene.server.log().contains("path=\"/api/v1/limits\""));
    scene.ok(&["log", "error"]);
    scene.ok(&["undrain"]);
    scene.server.logged("path=\"/control/v1/undrain\"", '\n');
}
