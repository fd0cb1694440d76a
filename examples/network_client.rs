//! A dataplane of your own: the leaf hands it changes of routes in batches, and offers a refused change again. The
//! example also runs a reflector and an announcer, and ends by itself.
//!
//! ```sh
//! cargo run --example network_client
//! ```

use std::collections::BTreeMap;

use metalbond::client::{LeafConfig, MetalBond, NetworkClient, Retry, RouteError};
use metalbond::reflector;
use metalbond::wire::{Action, Destination, NextHop, Update, Vni};
use tokio::sync::oneshot;

const VNI: Vni = Vni(100);

/// A table with room for a few destinations.
struct SmallTable {
    next_hops: BTreeMap<Destination, Vec<NextHop>>,
    room: usize,
    complete: Option<oneshot::Sender<()>>,
}

impl SmallTable {
    fn make(&mut self, change: &Update) -> Result<(), RouteError> {
        let is_new = !self.next_hops.contains_key(&change.destination);
        if change.action == Action::Add && is_new && self.next_hops.len() == self.room {
            let reason = format!("no room for {}", change.destination);
            return Err(RouteError { reason, retry: Retry::Offer });
        }
        let hops = self.next_hops.entry(change.destination).or_default();
        match change.action {
            Action::Add => hops.push(change.next_hop),
            Action::Remove => hops.retain(|hop| *hop != change.next_hop),
        }
        if hops.is_empty() {
            self.next_hops.remove(&change.destination);
        }
        Ok(())
    }
}

impl NetworkClient for SmallTable {
    async fn apply(&mut self, changes: &[Update]) -> Vec<Result<(), RouteError>> {
        let results: Vec<_> = changes.iter().map(|change| self.make(change)).collect();
        for (change, result) in changes.iter().zip(&results) {
            println!("{:?} {}: {result:?}", change.action, change.destination);
        }
        results
    }

    async fn complete(&mut self, vni: Vni) {
        println!("VNI {vni} is complete: {} destinations", self.next_hops.len());
        if let Some(complete) = self.complete.take() {
            // Nobody waits any more when the program is ending.
            let _ended = complete.send(());
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let announcer = MetalBond::start(LeafConfig::default());
    let config = reflector::ReflectorConfig {
        listen: "[::1]:0".parse()?,
        ..reflector::ReflectorConfig::default()
    };
    let server = announcer.start_server(config).await?.to_string();
    announcer.add_peer(&server, None).await?;
    for net in 1..=4 {
        let destination = Destination::new([10, 0, net, 0].into(), 24)?;
        let next_hop = NextHop::standard("2001:db8::1".parse()?);
        announcer.announce_route(VNI, destination, next_hop).await?;
    }

    let (sender, complete) = oneshot::channel();
    let table = SmallTable { next_hops: BTreeMap::new(), room: 3, complete: Some(sender) };
    let leaf = MetalBond::with_network_client(LeafConfig::default(), table);
    leaf.subscribe(VNI).await?;
    leaf.add_peer(&server, None).await?;
    complete.await?;
    leaf.shutdown().await;
    announcer.shutdown().await;
    Ok(())
}
