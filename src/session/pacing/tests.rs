//! Thousands of runs against a model of a receiver. What fails prints its seed; to run one, or more:
//!
//! ```text
//! PACING_SEED=17 cargo test --lib pacing
//! PACING_SEEDS=100000 cargo test --release --lib pacing
//! ```

mod receiver;
mod run;

use std::ops::Range;

use self::receiver::Traits;
use self::run::{Habits, Outcome, Script, play};
use super::*;
use crate::simulation::Rng;

/// A receiver behind Ethernet, a client that reads at once, and IPv4 routes.
fn plain() -> Script {
    Script {
        traits: Traits {
            mss: 1448,
            buffer: 131_072,
            buffer_max: 6 << 20,
            unit: 128,
            overhead: 832,
            coalesces: true,
            least: 0,
            fixed: None,
            grows: (0, 0),
            shrinks: (0, 0),
        },
        habits: Habits { late: 100, per_message: 0, stops: (0, 0) },
        one_way: 50,
        scale: Some(7),
        is_blind: false,
        messages: vec![36],
        count: 20_000,
        limits: Limits::default(),
    }
}

/// Any receiver with a window that moves, any path and client.
fn any(rng: &mut Rng) -> Script {
    let scale = *rng.pick(&[4_u8, 7, 7, 9, 10, 10]);
    let overhead = *rng.pick(&[832, 832, 256, 640]);
    Script {
        scale: Some(scale),
        traits: Traits {
            mss: *rng.pick(&[1208, 1400, 1448, 1448, 8948, 65_483]),
            buffer: *rng.pick(&[32_768, 87_380, 131_072, 131_072, 262_144]),
            // The largest that the scale can express.
            buffer_max: (*rng.pick(&[262_144, 1 << 20, 6 << 20, 32 << 20])).min(65_536 << scale),
            unit: 1 << scale,
            overhead,
            coalesces: rng.chance(600),
            least: if overhead == 256 { *rng.pick(&[1024, 2048]) } else { 0 },
            fixed: None,
            grows: (rng.rate(30), *rng.pick(&[50_000, 400_000, 3_000_000])),
            shrinks: (rng.rate(40), *rng.pick(&[50, 70, 90])),
        },
        one_way: *rng.pick(&[10, 100, 1_000, 1_000, 5_000, 25_000, 50_000]),
        habits: Habits {
            late: *rng.pick(&[10, 100, 1_000, 10_000, 100_000]),
            per_message: *rng.pick(&[0, 0, 10, 100, 1_000]),
            stops: (rng.rate(50), *rng.pick(&[1_000_000, 5_000_000])),
        },
        messages: rng
            .pick(&[vec![36], vec![38], vec![36, 38], vec![54], vec![36, 54, 64], vec![100, 36]])
            .clone(),
        count: rng.between(1_000, 20_000),
        ..plain()
    }
}

/// A receiver whose window never moves, in any way that a sender may see it.
fn immovable(rng: &mut Rng) -> Script {
    let mut script = any(rng);
    let (window, scale, is_blind) = *rng.pick(&[
        (65_535, None, false),
        (65_535, Some(0), false),
        (0, Some(7), false),
        (0, None, true),
    ]);
    script.traits.fixed = Some(window);
    (script.scale, script.is_blind) = (scale, is_blind);
    // The window does not show its stops, so they must be short.
    script.habits.stops.1 = 1_000_000;
    script
}

/// Some seeds, or those that the environment asks for.
fn seeds(usual: u64) -> Range<u64> {
    let asked = |name| std::env::var(name).ok().and_then(|seed| seed.parse::<u64>().ok());
    match (asked("PACING_SEED"), asked("PACING_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(usual),
    }
}

/// Plays scripts; each must end well and pass `check`.
fn all(usual: u64, script: fn(&mut Rng) -> Script, check: impl Fn(&Script, &Outcome) -> bool) {
    let failed = seeds(usual).filter(|&seed| {
        let mut rng = Rng::new(seed);
        let script = script(&mut rng);
        let result = play(&script, &mut rng);
        let is_well = result.as_ref().is_ok_and(|outcome| check(&script, outcome));
        if !is_well {
            println!("PACING_SEED={seed}: {result:?} with {script:?}");
        }
        !is_well
    });
    assert_eq!(failed.count(), 0, "failed runs");
}

/// No run fails: no read has 60,000 bytes, and every message comes. A client that waits gets a KiB
/// every 2 s, unless its window has shrunk so much that it looks like the window of a client that
/// doesn't read.
#[test]
fn any_client_gets_everything_and_never_too_much_at_once() {
    all(3000, any, |_, outcome| {
        let most = if outcome.shrunk > 24 * 1024 { 30_000_000 } else { 2_000_000 };
        outcome.stall <= most && outcome.unproven.is_none()
    });
}

#[test]
fn a_client_whose_window_never_moves_is_sent_to_by_the_clock() {
    all(1000, immovable, |_, outcome| outcome.stall <= 2_000_000 && outcome.unproven.is_some());
}

#[test]
fn by_the_clock_a_client_that_needs_a_millisecond_per_route_gets_20_000_within_40_s() {
    for message in [36, 38, 54] {
        let mut script = plain();
        (script.scale, script.traits.fixed) = (None, Some(65_535));
        script.habits.per_message = 1_000;
        script.messages = vec![message];
        let outcome = play(&script, &mut Rng::new(1)).unwrap();
        assert_eq!(outcome.unproven, Some(NoEvidence::NoScale));
        assert!(outcome.end < 40_000_000 && outcome.longest_read < 10_000, "{outcome:?}");
    }
}

/// Half of the times before windows were judged by their proofs, in microseconds for 50,000 routes.
#[test]
fn a_client_that_reads_at_once_is_sent_to_fast() {
    let before = [262_334, 394_711, 771_384, 2_745_271, 13_548_429, 26_219_441];
    for (one_way, before) in [10, 50, 1_000, 5_000, 25_000, 50_000].into_iter().zip(before) {
        for scale in [7, 10] {
            let mut script = plain();
            (script.one_way, script.scale, script.traits.unit) = (one_way, Some(scale), 1 << scale);
            script.count = 50_000;
            let outcome = play(&script, &mut Rng::new(1)).unwrap();
            assert!(outcome.end < 2 * before, "{one_way} us: {outcome:?}");
        }
    }
}

/// A shrinking window once stopped a client that had read everything: nothing came for 90 s.
#[test]
fn a_window_that_shrinks_stops_nothing() {
    for (percent, most) in [(80, 2_000_000), (65, 30_000_000), (40, 30_000_000)] {
        let mut script = plain();
        script.traits.shrinks = (200, percent);
        for seed in 0..100 {
            let outcome = play(&script, &mut Rng::new(seed)).unwrap();
            assert!(outcome.stall <= most, "{percent} %, seed {seed}: {outcome:?}");
        }
    }
}

/// The bytes that a pacer lets through to a peer that reads nothing, within this number of seconds, and the time since
/// which it takes that for proven.
fn sent_to_nobody(traits: Traits, seconds: u64, trial: Duration) -> (u64, Option<Moment>) {
    let mut receiver = receiver::Receiver::new(traits, Rng::new(1));
    let mut pacer = Pacer::new(Moment(0), Limits { trial, ..Limits::default() });
    let (mut now, mut known, mut sent) = (Moment(0), receiver.first_ack(), 0);
    while now < Moment(seconds * 1_000_000) {
        let window = Some(u32::try_from(known.window).unwrap());
        let acked = known.acked;
        let tcp_info = TcpInfo {
            mss: 1448,
            window,
            scale: Some(7),
            unacked: sent - acked,
            acked,
            round_trip: None,
        };
        match pacer.allow(now, &mut || Some(tcp_info)) {
            Allowance::WaitUntil(then) => now = then,
            Allowance::Send(cut) => {
                let length = cut.choose((1..100).map(|n| n * 36));
                pacer.sent(length);
                sent += length as u64;
                if sent <= known.acked + known.window {
                    receiver.receive(now.0, length as u64);
                    known = receiver.acknowledge();
                }
            }
        }
    }
    (sent, pacer.stuck_since())
}

#[test]
fn a_client_that_reads_nothing_for_a_while_is_not_sent_too_much() {
    for seconds in [1, 5, 19] {
        let (sent, stuck) = sent_to_nobody(plain().traits, seconds, Limits::default().trial);
        assert!((30_000..60_000).contains(&sent), "{sent} bytes in {seconds} s");
        assert_eq!(stuck, None, "a window that stands still is no proof");
    }
}

#[test]
fn a_full_buffer_proves_that_a_client_reads_nothing() {
    let (sent, stuck) = sent_to_nobody(plain().traits, 60, Limits::default().trial);
    assert!(stuck.is_some_and(|since| since < Moment(10_000_000)), "{stuck:?} after {sent} bytes");
    let (sent, stuck) = sent_to_nobody(plain().traits, 30, Duration::from_millis(500));
    assert!(stuck.is_some(), "after {sent} bytes");
    // With a large buffer, many bytes without any effect are the proof.
    let traits = Traits { buffer: 2 << 20, ..plain().traits };
    let (sent, stuck) = sent_to_nobody(traits, 200, Limits::default().trial);
    assert!(stuck.is_some() && sent < 2 << 20, "after {sent} bytes");
}

#[test]
fn the_pace_by_the_clock_is_the_one_that_was_asked_for() {
    for pace in [1_000, 28_000, 1_000_000] {
        let mut pacer = Pacer::new(Moment(0), Limits { pace, ..Limits::default() });
        let (mut now, mut total) = (Moment(0), 0);
        while now < Moment(60_000_000) {
            match pacer.allow(now, &mut || None) {
                Allowance::Send(cut) => {
                    let length = cut.choose((1..100).map(|n| n * 36));
                    total += length as u64;
                    pacer.sent(length);
                }
                Allowance::WaitUntil(then) => now = then,
            }
        }
        assert_eq!(pacer.unproven(), Some(NoEvidence::Untold));
        assert!((58 * pace..62 * pace + 6_000).contains(&total), "{total} bytes at {pace}");
    }
}
