//! The counters of each peer: a dozen lines per peer, so they are written only on request.
//!
//! All samples of one family must stand together, so the peers are listed once for each family, in parts, as fast as
//! the reader takes them. Only one part is in memory. A peer that connects or leaves meanwhile may be missing from some
//! families.

use futures_util::stream::{self, Stream};

use crate::inspector::Inspector;
use crate::metrics::Text;
use crate::shard::inspect::{Cursor, PeerInfo};
use crate::threads::InspectError;

/// The number of peers in one part: some 20 KiB of text.
const PART: usize = 128;

/// A metric of each peer.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    samples: Samples,
}

#[derive(Debug)]
enum Samples {
    Gauge(fn(&PeerInfo) -> u64),
    /// Writes a line for each further label.
    Labelled(fn(&mut Text, &str, &PeerInfo)),
    Counter(fn(&PeerInfo) -> u64),
    /// Numbers of ADDs and REMOVEs.
    ByAction(fn(&PeerInfo) -> [u64; 2]),
}

const fn gauge(name: &'static str, help: &'static str, value: fn(&PeerInfo) -> u64) -> Family {
    Family { name, help, samples: Samples::Gauge(value) }
}

static FAMILIES: [Family; 10] = [
    Family {
        name: "metalbond_peer_info",
        help: "Always 1; the labels describe the peer.",
        samples: Samples::Labelled(info),
    },
    gauge("metalbond_peer_routes", "Routes that a peer announces.", |peer| peer.routes),
    gauge("metalbond_peer_subscriptions", "VNIs that a peer subscribes to.", |peer| {
        peer.subscriptions
    }),
    gauge("metalbond_peer_behind", "VNIs of which a peer still lacks routes or changes.", |peer| {
        peer.behind
    }),
    gauge(
        "metalbond_peer_slow",
        "1 while a peer is slow: behind in a VNI, or a write to it has hung for a second.",
        |peer| u64::from(peer.is_slow),
    ),
    gauge(
        "metalbond_peer_tx_backlog_bytes",
        "Bytes that wait for a peer or are being written to it.",
        |peer| peer.backlog,
    ),
    gauge("metalbond_peer_uptime_seconds", "Seconds since a peer connected.", |peer| {
        peer.uptime.as_secs()
    }),
    Family {
        name: "metalbond_peer_updates_received_total",
        help: "UPDATEs received from a peer.",
        samples: Samples::Counter(|peer| peer.updates_received),
    },
    Family {
        name: "metalbond_peer_messages_skipped_total",
        help: "Messages of a peer that the reflector could not understand and skipped.",
        samples: Samples::Counter(|peer| peer.skipped.values().sum()),
    },
    Family {
        name: "metalbond_peer_updates_sent_total",
        help: "UPDATEs handed to a peer's socket.",
        samples: Samples::ByAction(|peer| [peer.updates_sent.adds, peer.updates_sent.removes]),
    },
];

fn info(text: &mut Text, id: &str, peer: &PeerInfo) {
    let remote = peer.remote.map(|remote| remote.to_string()).unwrap_or_default();
    let (shard, state) = (peer.shard.to_string(), peer.state.to_string());
    let labels = [
        ("peer", id),
        ("node", &*peer.node),
        ("agent", &*peer.agent),
        ("remote", &*remote),
        ("shard", &*shard),
        ("state", &*state),
    ];
    text.sample(&labels, 1);
}

impl Family {
    /// A text that begins with its heading.
    fn begin(&self) -> Text {
        let mut text = Text::default();
        match self.samples {
            Samples::Gauge(_) | Samples::Labelled(_) => text.gauge(self.name, self.help),
            Samples::Counter(_) | Samples::ByAction(_) => text.counter(self.name, self.help),
        };
        text
    }

    fn write(&self, text: &mut Text, peer: &PeerInfo) {
        let id = peer.id.0.to_string();
        match self.samples {
            Samples::Gauge(value) | Samples::Counter(value) => {
                text.sample(&[("peer", &id)], value(peer));
            }
            Samples::Labelled(write) => write(text, &id, peer),
            Samples::ByAction(values) => {
                let [adds, removes] = values(peer);
                text.sample(&[("peer", &id), ("action", "add")], adds)
                    .sample(&[("peer", &id), ("action", "remove")], removes);
            }
        }
    }
}

/// The text, part by part. Cost: ten listings of all sessions.
pub(super) fn text(
    inspector: Inspector,
) -> impl Stream<Item = Result<String, InspectError>> + Send + 'static {
    let begin = Some((0, None));
    stream::try_unfold(begin, move |at| {
        let inspector = inspector.clone();
        async move {
            let Some((number, from)) = at else { return Ok(None) };
            let Some(family) = FAMILIES.get(number) else { return Ok(None) };
            let mut text = match from {
                None => family.begin(),
                Some(_) => Text::within(family.name),
            };
            let page = inspector.peers(from.unwrap_or_default(), PART).await?;
            page.rows.iter().for_each(|peer| family.write(&mut text, peer));
            let next: (usize, Option<Cursor>) = match page.next {
                Some(next) => (number, Some(next)),
                None => (number + 1, None),
            };
            Ok(Some((text.finish(), Some(next))))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv6Addr, SocketAddr, TcpStream};
    use std::pin::pin;
    use std::time::{Duration, Instant};

    use futures_util::StreamExt as _;
    use support::PATIENCE;

    use super::*;
    use crate::config::ReflectorConfig;
    use crate::reflector::Reflector;

    #[test]
    fn a_part_has_some_peers_however_many_there_are() {
        let listen = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
        let config = ReflectorConfig { listen, shards: Some(1), ..ReflectorConfig::default() };
        let reflector = Reflector::start(&config).unwrap();
        let connect = |_| TcpStream::connect(reflector.listen_addr()).unwrap();
        let peers: Vec<_> = (0..=2 * PART).map(connect).collect();
        let deadline = Instant::now() + PATIENCE;
        while reflector.connections() < peers.len() as u64 {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(1));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut parts = pin!(text(reflector.inspector()));
            let mut count = 0;
            while let Some(part) = parts.next().await {
                let lines = part.unwrap().lines().count();
                assert!((1..=2 * PART + 2).contains(&lines), "{lines}");
                count += 1;
            }
            assert_eq!(count, 3 * FAMILIES.len());
        });
    }
}
