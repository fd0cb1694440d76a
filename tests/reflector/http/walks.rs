//! How many listings are sorted at a time.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::harness::http::{get, get_json, start_with_http};
use crate::harness::{
    Client, PATIENCE, ReflectorConfig, Standstill, eventually, on_each_io, route,
};

on_each_io!(four_walks_at_a_time_and_more_of_them_wait);

/// A question whose answer is not waited for yet.
struct Asked(TcpStream);

impl Asked {
    fn of(http: SocketAddr, path: &str) -> Self {
        let mut socket = TcpStream::connect_timeout(&http, PATIENCE).unwrap();
        write!(socket, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        Self(socket)
    }

    fn is_answered(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        match self.0.peek(&mut [0]) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }

    fn expect_answer(mut self) {
        self.0.set_nonblocking(false).unwrap();
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = String::new();
        self.0.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("200 OK") && answer.contains("\"total\":1"), "{answer}");
    }
}

fn four_walks_at_a_time_and_more_of_them_wait(config: ReflectorConfig) {
    let (reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    let vnis = 1..=16;
    let of = |vni| format!("/api/v1/vnis/{vni}");
    let shards: Vec<_> = vnis
        .map(|vni| {
            client.announce(&route(vni, 1, 1));
            eventually("its route", || get(http, &of(vni)).body.contains("\"routes\":1"));
            (vni, get_json(http, &of(vni))["shard"].as_u64().unwrap())
        })
        .collect();
    let standstill = Standstill::begin(address);
    eventually("it is noticed", || reflector.inspector().stuck().len() == 1);
    let stuck = u64::from(reflector.inspector().stuck()[0].0);
    let routes_of = |is_stuck: bool| {
        let (vni, _) = shards.iter().find(|(_, shard)| (*shard == stuck) == is_stuck).unwrap();
        format!("{}/routes", of(*vni))
    };
    let (turning, walk) = (routes_of(false), format!("{}?sort=age", routes_of(false)));
    let hanging = format!("{}?sort=age", routes_of(true));
    // Three hang at the shard that stands still, and leave a place for another.
    let mut hang: Vec<_> = (0..3).map(|_| Asked::of(http, &hanging)).collect();
    for _ in 0..10 {
        assert_eq!(get_json(http, &walk)["total"], 1);
    }
    hang.push(Asked::of(http, &hanging));
    // Once the fourth is there, many that need no walk overtake one that does.
    let overtaken = || {
        let asked = Asked::of(http, &walk);
        (0..50).for_each(|_| drop(get_json(http, &turning)));
        (!asked.is_answered()).then_some(asked)
    };
    let mut waiting = None;
    eventually("no place is left", || {
        waiting = overtaken();
        waiting.is_some()
    });
    assert!(hang.iter().all(|asked| !asked.is_answered()));
    drop(standstill);
    hang.into_iter().chain(waiting).for_each(Asked::expect_answer);
}
