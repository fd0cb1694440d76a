//! A link that receives any messages.
//!
//! Each run of bytes is a step. Its first byte says what happens. The header fields of a message take few different
//! values, so that epochs, numbers and VNIs often coincide; the body is any bytes.

use std::time::Duration;

use ahash::RandomState;
use bytes::{BufMut as _, Bytes, BytesMut};

use super::uplink::Outgoing;
use super::{BusSource, Link, LinkSettings, Output};
use crate::ids::{Moment, ShardId};
use crate::shard::{Counted, Delivery, Request};
use crate::wire::Vni;

const SITES: [&str; 4] = ["one", "two", "here", "not a name"];
/// The most requests that a byte of a message may cause, at once or later: it may name a VNI in an interest, a request
/// and a check.
const PER_BYTE: usize = 16;
/// The most requests that a step may cause besides.
const PER_STEP: usize = 256;

/// Feeds a link.
pub(crate) fn run(data: &[u8]) {
    let mut settings = LinkSettings::new("here");
    settings.routes_per_site = 20;
    let hasher = RandomState::with_seeds(1, 2, 3, 4);
    let mut now = Moment(1_000_000);
    let mut link = Link::new(settings, ShardId(1), hasher, now, 5_000_000);
    link.connected(now);
    for vni in 0..3 {
        link.delivered(now, &Delivery::Wanted { vni: Vni(vni), is_wanted: true, is_used: false });
    }
    let (mut made, mut allowed) = (0, PER_STEP);
    let mut rest = data;
    while let Some((&step, tail)) = rest.split_first() {
        rest = tail;
        let mut length = 0;
        match step % 8 {
            0 => now = now + Duration::from_millis(u64::from(step) * 20),
            1 => link.disconnected(now),
            2 => link.connected(now),
            3 => link.overflowed(now),
            _ => {
                let (message, after) = message(step, rest);
                rest = after;
                length = message.len();
                let site = SITES[usize::from(step >> 3) % SITES.len()];
                let source = match step % 3 {
                    0 => BusSource::All(site),
                    1 => BusSource::Site(site),
                    _ => BusSource::Vni(site, Vni(u32::from(step >> 5) % 3)),
                };
                link.received(now, source, message);
            }
        }
        link.turn(now);
        allowed += PER_STEP + PER_BYTE * length;
        made += drain(now, &mut link);
        assert!(made <= allowed, "{made} requests, {allowed} allowed");
    }
}

/// Makes a message of the first bytes.
fn message(step: u8, bytes: &[u8]) -> (Bytes, &[u8]) {
    let (head, bytes) = bytes.split_at(bytes.len().min(6));
    let field = |at: usize| head.get(at).copied().unwrap_or(0);
    let (body, rest) = bytes.split_at(bytes.len().min(usize::from(field(5))));
    let mut message = BytesMut::new();
    message.put_u8(if field(0) == 255 { 2 } else { 1 });
    message.put_u8(field(0) % 6);
    message.put_u16_le(u16::from(field(1) % 3));
    message.put_u32_le(u32::from(step >> 5) % 3);
    message.put_u64_le(u64::from(field(2) % 3));
    message.put_u64_le(u64::from(field(3) % 8));
    message.put_u64_le(u64::from(field(4)));
    message.extend_from_slice(body);
    (message.freeze(), rest)
}

/// Takes a link's outputs and messages. Returns how many requests it made.
fn drain(now: Moment, link: &mut Link) -> usize {
    let mut requests = 0;
    while let Some(output) = link.poll() {
        requests += usize::from(matches!(output, Output::Request(_)));
        if let Output::Request(Request::Updates { origin, vni, updates, .. }) = output {
            // As if all of them were new.
            let count = u32::try_from(updates.len()).unwrap_or(u32::MAX);
            let counted = Counted::change(vni, count.into(), count);
            link.delivered(now, &Delivery::Announced { peer: origin.peer, counted });
        }
    }
    let mut bytes = 0;
    while let Some(Outgoing { payload, .. }) = link.next_message() {
        bytes += payload.len();
    }
    assert!(bytes < 1 << 21, "{bytes} bytes");
    requests
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_message_makes_a_link_panic(data in prop::collection::vec(any::<u8>(), 0..2000)) {
            super::run(&data);
        }
    }
}
