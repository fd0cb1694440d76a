//! Where things are: which shard owns a VNI, and which one has a client.

use std::net::SocketAddr;

use metalbond::reflector::Reflector;
use metalbond::reflector::inspect::Cursor;

use super::{Client, ask};

/// Some VNIs of each of two shards, without routes. All are the first's if there is no second.
pub(crate) fn vnis_by_shard(reflector: &Reflector) -> [Vec<u32>; 2] {
    let mut client = Client::establish(reflector.listen_addr());
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

/// The shard that serves a client with this address.
pub(crate) fn shard_of(reflector: &Reflector, client: SocketAddr) -> u16 {
    let peers = ask(reflector.inspector().find_peer(&client.to_string())).unwrap();
    peers[0].shard.0
}

/// A client on one shard. Connections go to the shard with the fewest.
pub(crate) fn establish_on(reflector: &Reflector, shard: u16) -> Client {
    let mut others = Vec::new();
    loop {
        let client = Client::establish(reflector.listen_addr());
        if shard_of(reflector, client.local_addr()) == shard {
            return client;
        }
        others.push(client);
    }
}
