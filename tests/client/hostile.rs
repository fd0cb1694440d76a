//! Servers that violate the protocol, and the reference, which reads badly.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use metalbond::client::{LeafConfig, MetalBond, Route, SessionError};
use metalbond::wire::{
    Action, Capabilities, Extensions, Hello, Message, MessageType, Vni, WireError, split,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::server::{Server, hello};
use crate::harness::*;

/// Bytes at which the reference's way of reading loses the session.
const READ_LIMIT: usize = 65_535;

#[test]
fn a_server_that_violates_the_protocol_is_closed_and_tried_again() {
    alone(async {
        let update = Message::Update(route(1, 1, 1).update(Action::Add));
        let greeting = [Message::Hello(hello(5)), Message::Keepalive];
        let established = |message: Message| [greeting.as_slice(), &[message]].concat();
        let lies: [(Vec<Message>, SessionError); 5] = [
            (vec![Message::Keepalive], SessionError::NotHello(MessageType::Keepalive)),
            (vec![update.clone()], SessionError::NotHello(MessageType::Update)),
            (vec![Message::Hello(hello(0))], SessionError::Invalid(WireError::KeepaliveInterval)),
            (
                vec![Message::Hello(hello(5)), update],
                SessionError::NotEstablished(MessageType::Update),
            ),
            (established(Message::Hello(hello(6))), SessionError::SecondHello),
        ];
        let server = Server::start().await;
        let leaf = leaf(server.address).await;
        for (lie, error) in lies {
            let mut session = server.accept().await;
            session.write(&lie).await;
            session.expect_closed().await;
            let wanted =
                |status: &metalbond::client::PeerStatus| status.last_error.as_ref() == Some(&error);
            until_peer(&leaf, server.address, wanted).await;
        }
        for garbage in [[9, 0, 0, 1], [1, 255, 255, 5], [1, 0, 0, 77], [1, 0, 0, 1]] {
            let mut session = server.accept().await;
            session.write_bytes(&garbage).await;
            session.expect_closed().await;
        }
        // And then it behaves.
        let _session = server.establish().await;
        until_established(&leaf, server.address).await;
    });
}

#[test]
fn a_bad_route_of_a_server_costs_nothing_but_itself() {
    alone(async {
        let server = Server::start().await;
        let leaf = leaf(server.address).await;
        leaf.subscribe(Vni(1)).await.unwrap();
        announce(&leaf, route(1, 99, 9)).await.unwrap();
        let all = routes(1, 0..20, 1);
        // The same in each session, as a server that reflects what it got.
        for session in 1..=2 {
            let mut connection = server.establish().await;
            connection.expect_subscribe(1).await;
            for (n, route) in all.iter().enumerate() {
                let mut bytes = Vec::new();
                Message::Update(route.update(Action::Add)).encode_into(&mut bytes);
                let mut bad = bytes.clone();
                match n % 3 {
                    // A next hop of a type that nobody knows yet; one byte more than the frame had.
                    0 => {
                        bad.extend([0x22, 2, 0x18, 9]);
                        bad[2] += 4;
                    }
                    1 => bad = [1, 0, 1, 5, 0xff].into(),
                    _ => bad = [1, 0, 0, 3].into(),
                }
                connection.write_bytes(&[bytes, bad].concat()).await;
            }
            expect_routes(&leaf, 1, &all).await;
            let expected = [("next_hop_type", 7), ("protobuf", 7), ("unexpected", 6)];
            let expected: BTreeMap<_, _> = expected.map(|(why, n)| (why, n * session)).into();
            within("the counts", async {
                while leaf.peer_state(&server.address.to_string()).await.unwrap().skipped
                    != expected
                {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            // The session goes on: its own announcement is there.
            let mut received = connection.read().await;
            while !matches!(received, Some(Message::Update(_))) {
                received = Some(connection.read().await.expect("the session has ended"));
            }
        }
    });
}

#[test]
fn a_server_that_sends_updates_and_no_keepalive_is_heard() {
    alone(async {
        let server = Server::start().await;
        let leaf = MetalBond::start(LeafConfig { keepalive: 1, ..config() });
        leaf.add_peer(server.address.to_string(), None).await.unwrap();
        leaf.subscribe(Vni(1)).await.unwrap();
        let mut session = server.establish().await;
        session.expect_subscribe(1).await;
        let (began, mut n) = (Instant::now(), 0);
        // Twice as long as it may be silent; a pace of messages, not a wait for anything.
        while began.elapsed() < Duration::from_secs(5) {
            session.write(&[Message::Update(route(1, n, 1).update(Action::Add))]).await;
            n += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        expect_routes(&leaf, 1, &routes(1, 0..n, 1)).await;
        assert_eq!(leaf.peer_state(&server.address.to_string()).await.unwrap().sessions, 1);
    });
}

#[test]
fn attempts_at_a_server_that_never_behaves_become_rare() {
    alone(async {
        let server = Server::start().await;
        let leaf = MetalBond::start(LeafConfig {
            backoff: metalbond::client::Backoff {
                min: Duration::from_millis(40),
                max: Duration::from_millis(400),
            },
            ..config()
        });
        leaf.add_peer(server.address.to_string(), None).await.unwrap();
        let mut times = Vec::new();
        for _ in 0..6 {
            // Established each time: that alone makes it no good server.
            drop(server.establish().await);
            times.push(Instant::now());
        }
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        for (pause, least) in pauses.iter().zip([40, 80, 160, 266, 266]) {
            assert!(*pause >= Duration::from_millis(least - 1), "{pauses:?}");
        }
    });
}

#[test]
fn a_server_that_floods_is_closed_and_a_healthy_one_does_not_notice() {
    alone(async {
        let (flooding, healthy) = (Server::start().await, Server::start().await);
        let leaf = MetalBond::start(LeafConfig { routes_per_peer: 10_000, ..config() });
        leaf.subscribe(Vni(1)).await.unwrap();
        for server in [&flooding, &healthy] {
            leaf.add_peer(server.address.to_string(), None).await.unwrap();
        }
        let mut good = healthy.establish().await;
        good.expect_subscribe(1).await;
        let mut bad = flooding.establish().await;
        bad.expect_subscribe(1).await;
        // What was not asked for costs nothing; what was has a limit.
        for (vni, hop) in [(2, 1), (1, 1)] {
            for n in 0..30 {
                let flood = routes(vni, n * 1000..n * 1000 + 1000, hop);
                let flood = flood.iter().map(|route| Message::Update(route.update(Action::Add)));
                bad.write(&flood.collect::<Vec<_>>()).await;
            }
        }
        bad.expect_closed().await;
        let closed = |status: &metalbond::client::PeerStatus| {
            status.last_error == Some(SessionError::TooManyRoutes(10_000))
        };
        until_peer(&leaf, flooding.address, closed).await;
        assert_eq!(leaf.routes(Vni(2)).await.unwrap(), []);
        good.write(&[Message::Update(route(1, 999_999, 2).update(Action::Add))]).await;
        let mut watch = leaf.watch_routes(Some(Vni(1))).await.unwrap();
        let mut view = BTreeSet::new();
        within("the healthy server's route", async {
            while !view.contains(&route(1, 999_999, 2)) {
                apply(&mut view, &watch.next().await.unwrap().changes);
            }
        })
        .await;
    });
}

#[test]
fn a_server_that_sends_without_pause_hears_the_goodbye_all_the_same() {
    alone(async {
        let server = Server::start().await;
        let leaf = leaf(server.address).await;
        leaf.subscribe(Vni(1)).await.unwrap();
        let extensions = Extensions::new(Capabilities::GOODBYE, "", "");
        let hello = Hello { extensions: Some(extensions), ..hello(60) };
        let mut session = server.shake_hands(hello).await;
        session.expect_subscribe(1).await;
        let (mut from, mut to) = session.stream.into_split();
        let mut flood = Vec::new();
        for route in routes(1, 0..5000, 1) {
            Message::Update(route.update(Action::Add)).encode_into(&mut flood);
        }
        let flooding = tokio::spawn(async move { while to.write_all(&flood).await.is_ok() {} });
        within("routes", async {
            while leaf.routes(Vni(1)).await.unwrap().len() < 5000 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        leaf.shutdown().await;
        flooding.await.unwrap();
        let mut read = Vec::new();
        // The leaf has closed with bytes that it did not read, so the end is a reset.
        from.read_to_end(&mut read).await.ok();
        let goodbye = [1, 0, 0, 7];
        assert!(read.ends_with(&goodbye), "{read:?}");
    });
}

#[test]
fn a_server_that_reads_as_the_reference_does_keeps_its_session() {
    alone(async {
        let server = Server::start().await;
        let leaf = leaf(server.address).await;
        let all = routes(1, 0..20_000, 1);
        announce_all(&leaf, &all).await;
        let mut session = server.establish().await;
        let mut view = BTreeSet::new();
        let mut bytes = vec![0; READ_LIMIT];
        let early = session.take_unread();
        take_messages(&early, &mut view);
        within("all routes", async {
            while view.len() < all.len() {
                session.stream.readable().await.unwrap();
                let count = match session.stream.try_read(&mut bytes) {
                    Ok(count) => count,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
                    Err(error) => panic!("{error}"),
                };
                assert!(count > 0 && count < READ_LIMIT, "{count} bytes in one read");
                take_messages(&bytes[..count], &mut view);
                // It is slow: it installs what it has read.
                std::thread::sleep(Duration::from_micros(500));
            }
        })
        .await;
    });
}

/// What one read returned, taken for a run of whole messages.
fn take_messages(mut bytes: &[u8], view: &mut BTreeSet<Route>) {
    while let Some(frame) = split(bytes).unwrap() {
        if let Message::Update(update) = Message::decode(&frame).unwrap() {
            view.insert(Route::from(update));
        }
        bytes = &bytes[frame.len()..];
    }
    assert!(bytes.is_empty(), "a message is cut by the end of a read");
}

#[test]
fn messages_cut_anywhere_arrive_whole() {
    alone(async {
        let server = Server::start().await;
        let leaf = leaf(server.address).await;
        leaf.subscribe(Vni(1)).await.unwrap();
        let mut session = server.establish().await;
        session.stream.set_nodelay(true).unwrap();
        session.expect_subscribe(1).await;
        let all = routes(1, 0..50, 1);
        let mut bytes = Vec::new();
        for route in &all {
            Message::Update(route.update(Action::Add)).encode_into(&mut bytes);
        }
        for piece in bytes.chunks(7) {
            session.write_bytes(piece).await;
            tokio::task::yield_now().await;
        }
        expect_routes(&leaf, 1, &all).await;
    });
}
