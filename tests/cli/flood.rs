//! The log while somebody floods it.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Socket, Type};

use crate::process::Process;
use support::client::{Client, hello_of};

/// A connection from the loopback's second address.
fn connect_from_elsewhere(port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0)).into()).unwrap();
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).unwrap();
    socket.into()
}

#[test]
fn a_source_that_floods_hides_no_other_peers_lines() {
    let server = Process::start(&[]);
    let (port, address) = (server.port(), server.address());
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                // Bad bytes, so that its session is closed and the reason is logged.
                drop(connect_from_elsewhere(port).write_all(&[9; 8]));
            }
        });
        server.logged("session events left out of the log", '\n');
        for n in 0..10 {
            let node = format!("quiet-{n}");
            let client = Client::connect(address).shake_hands(hello_of(&node));
            server.logged(&format!("node=\"{node}\" agent"), '\n');
            drop(client);
            server.logged(&format!("node=\"{node}\" shard"), '\n');
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let left_out = server.logged("session events left out of the log", '\n');
    assert!(left_out.contains("sources=1 most_of=127.0.0.2"), "{left_out}");
}
