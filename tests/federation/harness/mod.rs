//! A nats-server, sites as reflectors in this process or as processes of their own, and clients.

mod nats;
mod process;

use std::net::{Ipv6Addr, SocketAddr};

use metalbond::io::IoChoice;
pub(crate) use metalbond::reflector::{
    FederationConfig, FederationStatus, Reflector, ReflectorConfig, ShardConfig, SiteState,
    SiteStatus,
};
pub(crate) use nats::{Nats, folder};
pub(crate) use process::Process;
pub(crate) use support::client::{Client, route, routes};
pub(crate) use support::{eventually, on_each_io};

/// Runs a script where that I/O and a nats-server can be had.
pub(crate) fn run(io: IoChoice, script: impl FnOnce(Nats, IoChoice)) {
    if !support::has_io(io) {
        return;
    }
    support::log_to_output();
    if let Some(nats) = Nats::start("") {
        script(nats, io);
    }
}

/// A reflector of two shards that federates as a site.
pub(crate) fn site(nats: &Nats, io: IoChoice, name: &str) -> (Reflector, SocketAddr) {
    let reflector = Reflector::start(&config(nats, io, name)).unwrap();
    let address = reflector.listen_addr();
    (reflector, address)
}

pub(crate) fn config(nats: &Nats, io: IoChoice, name: &str) -> ReflectorConfig {
    ReflectorConfig {
        listen: SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
        http: None,
        shards: Some(2),
        io,
        federation: FederationConfig {
            servers: vec![nats.url().to_owned()],
            site: Some(name.to_owned()),
            ..FederationConfig::default()
        },
        settings: ShardConfig { keepalive: 60, ..ShardConfig::default() },
        ..ReflectorConfig::default()
    }
}

/// Waits for an answer of an [`Inspector`](metalbond::reflector::Inspector).
pub(crate) fn ask<T>(answer: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(answer)
}

/// What a reflector says of federation.
pub(crate) fn status(reflector: &Reflector) -> FederationStatus {
    ask(reflector.inspector().federation()).unwrap().expect("federation")
}

/// What a reflector says of another site.
pub(crate) fn seen(reflector: &Reflector, site: &str) -> Option<SiteStatus> {
    status(reflector).sites.into_iter().find(|it| it.site == site)
}

/// Waits until reflectors have heard of each other, and each has what the others' clients announce in so many
/// VNIs.
pub(crate) fn settled(reflectors: &[&Reflector], vnis: u64) {
    eventually("sites that know each other", || {
        reflectors.iter().all(|reflector| {
            let status = status(reflector);
            let is_there = |site: &SiteStatus| {
                matches!(site.state, SiteState::Live | SiteState::Warming)
                    && site.vnis_in_sync == vnis
            };
            status.sites.len() == reflectors.len() - 1 && status.sites.iter().all(is_there)
        })
    });
}
