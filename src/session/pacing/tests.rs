use super::*;

const MSS: u64 = 1448;

/// A client behind a receive buffer that behaves as Linux's was seen to.
struct Client {
    unread: u64,
    acked: u64,
    /// What the buffer holds, and how much of it may be advertised at most (`rcv_ssthresh`).
    buffer: u64,
    threshold: u64,
    edge: u64,
    /// Bytes read in this round trip as the client measures it, when that began, and the most that
    /// were read in one.
    copied: u64,
    round: u64,
    copied_most: u64,
}

impl Client {
    fn new() -> Self {
        let (buffer, threshold, edge) = (64 << 10, 64 << 10, 64 << 10);
        let copied_most = 10 * MSS;
        Self { unread: 0, acked: 0, buffer, threshold, edge, copied: 0, round: 0, copied_most }
    }

    fn receives(&mut self, bytes: u64) {
        self.unread += bytes;
        self.acked += bytes;
        if bytes > 1000 {
            self.buffer = self.buffer.max(110 << 10); // the first segments show how dense data is
        }
        let room = self.buffer.saturating_sub(self.unread);
        if bytes >= 128 {
            self.threshold = self.threshold.max(room.min(self.threshold + 2 * MSS));
        }
        let window = self.threshold.min(room).next_multiple_of(1024);
        self.edge = self.edge.max(self.acked + window);
    }

    /// Reads everything; the sender hears of it with the next acknowledgement.
    fn reads(&mut self, now: u64, round_trip: u64) {
        self.copied += std::mem::take(&mut self.unread);
        if now < self.round + round_trip {
            return;
        }
        let (copied, most) = (self.copied, self.copied_most);
        if copied > most {
            let grown = 2 * copied + 4 * copied * (copied - most) / most;
            self.buffer = self.buffer.max(grown.min(400 << 10));
            self.copied_most = copied;
        }
        (self.copied, self.round) = (0, now);
    }

    fn sight(&self) -> Sight {
        let window = u32::try_from(self.edge - self.acked).ok();
        Sight { mss: 1448, window, unacked: 0, acked: self.acked }
    }
}

/// Runs until the end, with the client reading after pauses of so many microseconds; returns the
/// most it had unread, and how much it got.
fn run(mut pause: impl FnMut() -> u64, round_trip: u64, end: u64, message: u64) -> (u64, u64) {
    let mut pacer = Pacer::new(Moment(0));
    let mut client = Client::new();
    let (mut now, mut next_read) = (0, pause());
    let mut most = 0;
    while now < end {
        while now >= next_read {
            client.reads(next_read, round_trip);
            next_read = next_read.saturating_add(pause());
        }
        match pacer.allow(Moment(now), &mut || Some(client.sight())) {
            Allowance::Send(bytes) => {
                assert!(bytes <= 1448);
                let bytes = (bytes as u64 / message).max(1) * message;
                client.receives(bytes);
                pacer.sent(usize::try_from(bytes).unwrap());
                now += 12; // a segment at a Gbit/s
            }
            Allowance::WaitUntil(then) => {
                assert!(then > Moment(now), "waiting must move time on");
                now = then.0;
            }
        }
        most = most.max(client.unread);
    }
    (most, client.acked)
}

#[test]
fn a_client_that_reads_nothing_never_has_a_read_full_of_unread_bytes() {
    for message in [36, 54, 100] {
        let (most, _) = run(|| u64::MAX, 0, 90_000_000, message);
        assert!((7_000..30_000).contains(&most), "{most}");
    }
}

#[test]
fn a_client_that_reads_now_and_then_never_has_a_read_full_of_unread_bytes() {
    for read_every in [500, 5_000, 50_000, 500_000] {
        let (most, total) = run(|| read_every, 0, 10_000_000, 54);
        assert!(most < 30_000, "{most} unread");
        let rounds = 10_000_000 / read_every.max(10_000);
        assert!(total > 7_000 * rounds, "{total} bytes, read every {read_every} us");
    }
}

/// It reads fast for a while, so that its buffer grows, then stops for seconds, again and again.
#[test]
fn a_client_that_stops_reading_at_any_time_never_has_a_read_full_of_unread_bytes() {
    for seed in 1..200_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let message = [36, 54, 100][usize::try_from(random(3)).unwrap()];
        let round_trip = [100, 5_000, 50_000, 1_000_000][usize::try_from(random(4)).unwrap()];
        let (mut reads, mut usual) = (0, 0);
        let pause = || {
            if reads == 0 {
                reads = 1 + random(300);
                usual = [50, 300, 1_000, 10_000, 40_000][usize::try_from(random(5)).unwrap()];
                return 1_000_000 + random(4_000_000);
            }
            reads -= 1;
            1 + random(2 * usual)
        };
        let (most, total) = run(pause, round_trip, 60_000_000, message);
        assert!(most < 45_000, "{most} unread with seed {seed}");
        assert!(total > 200_000, "{total} bytes with seed {seed}");
    }
}

#[test]
fn a_client_that_reads_at_once_is_sent_megabytes_a_second() {
    for round_trip in [100, 5_000, 50_000, 1_000_000] {
        let (most, total) = run(|| 50, round_trip, 1_000_000, 54);
        assert!(total > 4_000_000, "{total} bytes, its round trips {round_trip} us");
        assert!(most < 30_000, "{most} unread");
    }
}

#[test]
fn without_a_window_the_pace_is_fixed() {
    let mut pacer = Pacer::new(Moment(0));
    let (mut now, mut total) = (Moment(0), 0);
    while now < Moment(1_000_000) {
        match pacer.allow(now, &mut || None) {
            Allowance::Send(bytes) => {
                total += bytes;
                pacer.sent(bytes);
            }
            Allowance::WaitUntil(then) => now = then,
        }
    }
    assert!((600_000..=701_400).contains(&total), "{total}");
}
