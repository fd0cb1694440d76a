//! Attacks beside peers that must not notice: no update of a bystander takes longer than a second.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use metalbond::reflector::inspect::Cursor;
use metalbond::wire::Message;
use socket2::SockRef;

use crate::harness::bystander::{Bystander, alone};
use crate::harness::client::{announcements, encode, modern_hello};
use crate::harness::flood::Flood;
use crate::harness::{Client, Config, Reflector, ask, on_each_io, routes, start};

on_each_io!(
    peers_at_line_rate_beside_the_tables_hold_up_no_other_shard,
    peers_at_line_rate_far_from_the_tables_hold_up_nobody,
    many_peers_at_line_rate_hold_up_nobody,
    connections_that_are_reset_hold_up_nobody,
);

/// How long each attack lasts.
const ATTACK: Duration = Duration::from_secs(4);

/// VNIs of each of two shards, as a client on the first shard sees them.
fn vnis_by_shard(reflector: &Reflector, client: &mut Client) -> [Vec<u32>; 2] {
    for vni in 1..40 {
        client.subscribe(vni);
        client.expect_end_of_table(vni);
    }
    let page = ask(reflector.inspector().vnis(Cursor::default(), 100)).unwrap();
    let of = |shard| {
        let vnis = page.rows.iter().filter(|vni| vni.shard.0 == shard);
        vnis.map(|vni| vni.vni.0).collect()
    };
    [of(0), of(1)]
}

/// Floods of so many sessions per shard, in VNIs of that shard or of the other one, beside pairs whose
/// VNIs and connections are on every shard.
fn flood(config: &Config, sessions: usize, is_own: bool) {
    let _alone = alone();
    let (reflector, address) = start(config);
    // Connections go to the two shards in turn.
    let mut first = Client::establish(address);
    let vnis = vnis_by_shard(&reflector, &mut first);
    let mut pairs: Vec<_> = [vnis[0][0], vnis[1][0]].map(|v| Bystander::start(address, v)).into();
    let _shifts_to_the_other_shard = Client::establish(address);
    pairs.extend([vnis[0][1], vnis[1][1]].map(|vni| Bystander::start(address, vni)));
    let vni = |n: usize| {
        let vnis = &vnis[if is_own { n % 2 } else { 1 - n % 2 }];
        vnis[2 + n / 2 % (vnis.len() - 2)]
    };
    let flood = Flood::start(address, (0..2 * sessions).map(vni));
    // The attack lasts so long, whatever happens.
    std::thread::sleep(ATTACK);
    drop(flood);
    pairs.into_iter().for_each(Bystander::expect_prompt);
}

fn peers_at_line_rate_beside_the_tables_hold_up_no_other_shard(config: Config) {
    flood(&config, 2, true);
}

fn peers_at_line_rate_far_from_the_tables_hold_up_nobody(config: Config) {
    flood(&config, 2, false);
}

fn many_peers_at_line_rate_hold_up_nobody(config: Config) {
    flood(&config, 50, true);
}

/// HELLO, KEEPALIVE, always the same routes, and a reset: the reflector need not take in what a session that
/// is over has said.
fn connections_that_are_reset_hold_up_nobody(config: Config) {
    let _alone = alone();
    let (_reflector, address) = start(&config);
    let pairs = [1, 2].map(|vni| Bystander::start(address, vni));
    let mut bytes = encode(&[Message::Hello(modern_hello()), Message::Keepalive]);
    bytes.extend(announcements(&routes(3, 0..300, 1)));
    let until = Instant::now() + ATTACK;
    let attack = || {
        let mut count = 0;
        while Instant::now() < until {
            let socket = TcpStream::connect(address).unwrap();
            SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
            // The reflector may have closed it already.
            drop((&socket).write_all(&bytes));
            count += 1;
        }
        count
    };
    let count: u32 = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(attack));
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{count} connections");
    pairs.into_iter().for_each(Bystander::expect_prompt);
}
