//! Writes the end of the flight recorder to standard error, after the message of a panic.

use std::io::{self, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};

use metalbond::admin::utc;
use metalbond::reflector::{Inspector, Recorded};

/// Events that are written.
const LATEST: usize = 200;

/// Has the first panic of the process write them. Further ones say nothing new.
pub(super) fn record(inspector: Inspector) {
    let print_panic = panic::take_hook();
    let is_written = AtomicBool::new(false);
    panic::set_hook(Box::new(move |panic| {
        print_panic(panic);
        if !is_written.swap(true, Ordering::Relaxed) {
            // There is nobody left to be told of an error.
            write(inspector.recorded_at_once(LATEST), &mut io::stderr().lock()).ok();
        }
    }));
}

fn write(recorded: Option<Vec<Recorded>>, out: &mut impl Write) -> io::Result<()> {
    let Some(recorded) = recorded else {
        return writeln!(out, "the flight recorder is in use and cannot be shown");
    };
    writeln!(out, "the flight recorder, its latest {} events:", recorded.len())?;
    for Recorded { at, kind, peer, node, text, .. } in recorded {
        let peer = peer.map(|peer| format!("{peer} ")).unwrap_or_default();
        let text: String = [&*node, &*peer, &*text].concat();
        let clean: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
        writeln!(out, "{}  {kind}  {clean}", utc(at))?;
    }
    writeln!(out, "end of the flight recorder")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, SocketAddr};
    use std::num::NonZeroU32;
    use std::process::Command;

    use metalbond::reflector::{Reflector, ReflectorConfig};

    use super::*;

    const CRASHES: &str = "METALBOND_TEST_CRASHES";

    /// In a process of its own, which is this test started again.
    #[test]
    fn a_panic_is_followed_by_what_happened_before_it_once() {
        if std::env::var_os(CRASHES).is_some() {
            let listen = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
            let config = ReflectorConfig { listen, shards: Some(1), ..ReflectorConfig::default() };
            let reflector = Reflector::start(&config).unwrap();
            record(reflector.inspector());
            for rate in 1..=LATEST + 50 {
                let rate = NonZeroU32::new(u32::try_from(rate).unwrap()).unwrap();
                reflector.inspector().drain(rate);
            }
            for _ in 0..2 {
                std::thread::spawn(|| panic!("of the test")).join().unwrap_err();
            }
            return;
        }
        let name = "cli::crash::tests::a_panic_is_followed_by_what_happened_before_it_once";
        let mut again = Command::new(std::env::current_exe().unwrap());
        let output = again.args(["--exact", name, "--nocapture"]).env(CRASHES, "1").output();
        let said = String::from_utf8(output.unwrap().stderr).unwrap();
        let (before, after) =
            said.split_once("the flight recorder, its latest 200 events:").unwrap();
        assert!(before.contains("of the test"), "{said}");
        let (events, after) = after.split_once("end of the flight recorder").unwrap();
        let events: Vec<_> = events.trim().lines().collect();
        assert_eq!(events.len(), LATEST, "{said}");
        assert!(events[0].ends_with("Z  drain  51 sessions a second"), "{}", events[0]);
        assert!(after.contains("of the test") && !after.contains("flight recorder"), "{after}");
    }
}
