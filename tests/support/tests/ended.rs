//! Sessions that end in a test, which should say why: a test that fails, as a program of its own.

use std::net::{Ipv6Addr, SocketAddr};
use std::process::{Command, Output};

use metalbond::io::IoChoice;
use metalbond::reflector::{Reflector, ReflectorConfig};
use support::client::Client;

#[test]
#[ignore = "fails; others run it"]
fn this_one_breaks_the_protocol() {
    support::log_to_output();
    let listen = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let config = ReflectorConfig {
        listen,
        io: IoChoice::Epoll,
        shards: Some(1),
        ..ReflectorConfig::default()
    };
    let reflector = Reflector::start(&config).unwrap();
    let mut client = Client::establish(reflector.listen_addr());
    // No message begins with these bytes.
    client.write(&[0xff; 64]);
    client.expect_end_of_table(1);
}

#[test]
fn a_test_that_loses_its_session_says_why() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "this_one_breaks_the_protocol"]);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let printed = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert!(!status.success(), "{printed}");
    let closed = printed.lines().find(|line| line.contains("session closed"));
    assert!(closed.is_some_and(|line| line.contains("reason=")), "no reason in:\n{printed}");
    let own = "while waiting for END_OF_TABLE";
    assert!(printed.contains(&format!("the reflector closed the connection {own}")), "{printed}");
}
