//! A connection that is hung up on before it has an answer, as the server does to one that says nothing
//! for long.

use std::io::{Read as _, copy};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use super::harness::{Controlled, Watch, controlled, ctl};
use support::client::{Client, route};

/// A socket that hangs up on so many connections when they have asked for something, and leads the
/// next one to the server.
fn hangs_up(scene: &Controlled, times: usize) -> String {
    let (own, real) = (scene.folder.path("between.sock"), scene.socket.clone());
    let listener = UnixListener::bind(&own).unwrap();
    thread::spawn(move || {
        for _ in 0..times {
            let (mut asker, _) = listener.accept().unwrap();
            assert!(asker.read(&mut [0; 1024]).unwrap() > 0, "a question");
        }
        let (asker, _) = listener.accept().unwrap();
        drop(listener);
        let server = UnixStream::connect(real).unwrap();
        let ends = [(&asker, &server), (&server, &asker)];
        let ends = ends.map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()));
        for (mut from, mut to) in ends {
            thread::spawn(move || {
                drop(copy(&mut from, &mut to));
                drop(to.shutdown(Shutdown::Both));
            });
        }
    });
    own
}

#[test]
fn a_monitor_connects_anew_and_goes_on() {
    let scene = controlled(&[]);
    let monitor = Watch::over(&hangs_up(&scene, 1), &["monitor"]);
    let mut client = Client::establish(scene.server.address());
    monitor.expect(&["established", "test-node"]);
    client.announce(&route(7, 1, 1));
    monitor.expect(&["added", "vni 7", "10.0.0.1/32"]);
}

#[test]
fn one_that_is_hung_up_on_again_says_so() {
    let scene = controlled(&[]);
    let (code, out, err) = ctl(&hangs_up(&scene, 2), &["monitor"]);
    assert!(code == 1 && out.is_empty() && err.lines().count() == 1, "{code}\n{out}{err}");
    assert!(err.contains("the connection to /") && err.contains(" was lost"), "{err}");
}

/// It may have been obeyed before the connection was lost.
#[test]
fn a_command_is_not_said_twice() {
    let scene = controlled(&[]);
    let (code, out, err) = ctl(&hangs_up(&scene, 1), &["drain"]);
    assert!(code == 1 && out.is_empty(), "{code}\n{out}{err}");
    assert!(err.contains("the connection to /") && err.contains(" was lost"), "{err}");
    let (status, body) = scene.http("GET", "/control/v1/drain");
    assert!(status == 200 && body.contains("\"is_draining\":false"), "{body}");
}
