//! Attacks beside peers that must not notice.
//!
//! Each attack is made on one reflector. Beside it is another, the control, with peers that do the same and
//! nobody who attacks: what the machine itself makes slow is slow on both.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use metalbond::wire::Message;
use socket2::SockRef;

use crate::harness::bystander::{Bystander, alone};
use crate::harness::client::{announcements, encode, modern_hello};
use crate::harness::flood::Flood;
use crate::harness::runs::{RUNS, Runs, with_usual_turns};
use crate::harness::{Client, ReflectorConfig, on_each_io, routes, start, vnis_by_shard};

on_each_io!(
    peers_at_line_rate_beside_the_tables_hold_up_no_other_shard,
    peers_at_line_rate_far_from_the_tables_hold_up_nobody,
    many_peers_at_line_rate_hold_up_nobody,
    connections_that_are_reset_hold_up_nobody,
);

/// How long one run of a flood lasts.
const RUN: Duration = Duration::from_millis(2500);
/// How long the attack by resets lasts, and what no update may take meanwhile.
const ATTACK: Duration = Duration::from_secs(4);
const AT_MOST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 2 } else { 1 });
/// What one in a hundred updates of a bystander may take in a flood.
const PROMPT: Duration = Duration::from_millis(100);
/// What some turns of shards take that have as much to do as they can.
const TURNS: Duration = Duration::from_millis(60);
/// Sessions per shard that are many. A peer waits for a read of each other, and without optimisation those of a
/// few take as long as those of many.
const MANY: usize = if cfg!(debug_assertions) { 10 } else { 50 };

/// Floods of so many sessions per shard, in VNIs of that shard or of the other one, beside pairs whose
/// VNIs and connections are on every shard.
fn flood(config: ReflectorConfig, sessions: usize, is_own: bool, short: Duration) {
    let _alone = alone();
    let config = with_usual_turns(config);
    let (attacked, control) = (start(&config), start(&config));
    let vnis = vnis_by_shard(&attacked.0);
    let vni = |n: usize| {
        let vnis = &vnis[if is_own { n % 2 } else { 1 - n % 2 }];
        vnis[2 + n / 2 % (vnis.len() - 2)]
    };
    let pairs = [&attacked, &control].map(|(reflector, address)| {
        // Connections go to the two shards in turn, and each pair makes two.
        let vnis = vnis_by_shard(reflector);
        let mut pairs: Vec<_> =
            [vnis[0][0], vnis[1][0]].map(|v| Bystander::start(*address, v)).into();
        let shifts_to_the_other_shard = Client::establish(*address);
        pairs.extend([vnis[0][1], vnis[1][1]].map(|vni| Bystander::start(*address, vni)));
        (pairs, shifts_to_the_other_shard)
    });
    let stretches = [(); RUNS].map(|()| {
        let flood = Flood::start(attacked.1, (0..2 * sessions).map(vni));
        let began = Instant::now();
        // The flood lasts so long, whatever happens.
        std::thread::sleep(RUN);
        let ended = Instant::now();
        drop(flood);
        (began, ended)
    });
    let [attacked, control] = pairs.map(|(pairs, _)| pairs.into_iter().map(Bystander::end));
    for (attacked, control) in attacked.zip(control) {
        let p99 = |(from, to)| (attacked.p99(from, to), control.p99(from, to));
        Runs::new("p99 of a bystander", stretches.map(p99)).expect(PROMPT, short);
    }
}

fn peers_at_line_rate_beside_the_tables_hold_up_no_other_shard(config: ReflectorConfig) {
    flood(config, 2, true, TURNS);
}

fn peers_at_line_rate_far_from_the_tables_hold_up_nobody(config: ReflectorConfig) {
    flood(config, 2, false, TURNS);
}

fn many_peers_at_line_rate_hold_up_nobody(config: ReflectorConfig) {
    // A read of each of them comes first, which takes its time.
    flood(config, MANY, true, PROMPT);
}

/// HELLO, KEEPALIVE, always the same routes, and a reset: the reflector need not take in what a session that
/// is over has said.
fn connections_that_are_reset_hold_up_nobody(config: ReflectorConfig) {
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
    pairs.into_iter().for_each(|pair| pair.end().expect_prompt(AT_MOST));
}
