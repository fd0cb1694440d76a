//! The alarm is finer than a millisecond and never early.

use std::time::{Duration, Instant};

use super::*;
use crate::io::Alarm;

const SHORT: Duration = Duration::from_micros(500);

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
async fn median_of(alarm: &Alarm, count: usize) -> Duration {
    let mut took = Vec::new();
    for _ in 0..count {
        let start = Instant::now();
        alarm.until(start + SHORT).await;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    println!("median {:?}, worst {:?}", took[count / 2], took[count - 1]);
    assert!(took[0] >= SHORT, "early: {:?}", took[0]);
    took[count / 2]
}

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
#[test]
fn half_a_millisecond_is_half_a_millisecond() {
    on_each_backend(async |backend| {
        let alarm = Alarm::new().unwrap();
        // Busy neighbours make some rounds late; a timer of a millisecond makes all of them late.
        let mut best = Duration::MAX;
        for _ in 0..20 {
            best = best.min(median_of(&alarm, 50).await);
            if best < Duration::from_micros(900) {
                return;
            }
        }
        panic!("{best:?} on {backend}");
    });
}

#[test]
fn a_dropped_wait_rings_for_nobody_else() {
    on_each_backend(async |_| {
        let alarm = Alarm::new().unwrap();
        let soon = Instant::now() + SHORT;
        let hour = soon + Duration::from_secs(3600);
        for deadline in [soon, hour, soon, hour] {
            tokio::select! {
                biased;
                () = alarm.until(deadline) => {}
                () = crate::io::yield_turn() => {}
            }
        }
        // The hour is armed now; a sooner deadline replaces it.
        alarm.until(soon).await;
        assert!(Instant::now() >= soon);
        let later = Instant::now() + SHORT;
        alarm.until(later).await;
        assert!(Instant::now() >= later);
        // A deadline that has passed needs no timer.
        alarm.until(soon).await;
    });
}

#[test]
fn a_wait_in_a_select_keeps_its_deadline() {
    on_each_backend(async |_| {
        let alarm = Alarm::new().unwrap();
        let start = Instant::now();
        let deadline = start + Duration::from_millis(5);
        let mut turns = 0_u32;
        loop {
            tokio::select! {
                biased;
                () = alarm.until(deadline) => break,
                () = crate::io::yield_turn() => turns += 1,
            }
        }
        assert!(turns > 0 && start.elapsed() >= Duration::from_millis(5));
    });
}
