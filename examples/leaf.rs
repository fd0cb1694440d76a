//! A leaf: announces one route, and prints the routes that others announce.
//!
//! ```sh
//! cargo run --example leaf -- '[::1]:4711' 10.0.1.0/24 2001:db8::1
//! cargo run --example leaf -- '[::1]:4711' 10.0.2.0/24 2001:db8::2
//! ```

use metalbond::client::{LeafConfig, MetalBond, Route};
use metalbond::wire::{Action, Destination, NextHop, Vni};

const VNI: Vni = Vni(100);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [server, prefix, next_hop] = arguments.as_slice() else {
        return Err("usage: leaf SERVER PREFIX NEXT_HOP".into());
    };
    let (address, length) = prefix.split_once('/').ok_or("a prefix is ADDRESS/LENGTH")?;
    let destination = Destination::new(address.parse()?, length.parse()?)?;

    let leaf = MetalBond::start(LeafConfig::default());
    // None of this waits for the server: it is told once it is there, and again when it was away.
    leaf.add_peer(server, None).await?;
    leaf.subscribe(VNI).await?;
    leaf.announce_route(VNI, destination, NextHop::standard(next_hop.parse()?)).await?;

    let mut routes = leaf.watch_routes(Some(VNI)).await?;
    loop {
        tokio::select! {
            batch = routes.next() => {
                let Some(batch) = batch else { break };
                for change in batch.changes {
                    let sign = if change.action == Action::Add { '+' } else { '-' };
                    println!("{sign} {}", Route::from(change));
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    leaf.shutdown().await;
    Ok(())
}
