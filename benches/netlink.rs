//! How fast a leaf's routes go into the kernel: 100,000 routes over 1,000 next hops, as the leaf writes them and, for
//! comparison, one request at a time. Runs in a network namespace of its own; needs root.
//!
//! The time is wall time of this process and of the kernel's work for it. There is one line for each way and address
//! family, with the median of interleaved rounds.
//!
//! `cargo bench -- netlink/ipv4` runs those whose names contain that; `--quick` runs once, with a tenth of the routes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench ends where it meets what it does not expect"
)]

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: netlink is Linux's");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::os::fd::AsFd as _;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use futures_util::TryStreamExt as _;
    use metalbond::client::{NetworkClient as _, Route};
    use metalbond::netlink::{Mode, NetlinkClient, NetlinkConfig};
    use metalbond::wire::{Action, Destination, NextHop, Update, Vni};
    use netlink_packet_route::route::{RouteIp6Tunnel as Tunnel, RouteProtocol, RouteScope};
    use rtnetlink::RouteMessageBuilder;
    use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

    const ROUTES: u32 = 100_000;
    const ROUTES_QUICK: u32 = 10_000;
    const HOPS: u16 = 1000;
    const ROUNDS: usize = 5;
    const VNI: Vni = Vni(100);
    const TABLE: u32 = 1100;

    #[derive(Clone, Copy, Debug)]
    enum Way {
        Leaf(Mode),
        OneAtATime,
    }

    /// A mode and an IP version, with the name that selects them.
    #[derive(Clone, Debug)]
    struct Bench {
        name: String,
        v6: bool,
        way: Way,
    }

    pub(crate) fn main() {
        let is_quick = std::env::args().any(|word| word == "--quick");
        let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-'));
        let mut benches = benches();
        benches.retain(|bench| wanted.as_ref().is_none_or(|wanted| bench.name.contains(wanted)));
        if benches.is_empty() {
            return; // the command line selects another program's bench
        }
        let name = format!("metalbond-bench-{}", std::process::id());
        if let Err(why) = ip(&format!("netns add {name}")) {
            println!("SKIPPED netlink: {why}");
            return;
        }
        let file = File::open(format!("/run/netns/{name}")).expect("the namespace");
        let inside = std::thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("to enter the namespace");
            if is_quick { run(&benches, ROUTES_QUICK, 1) } else { run(&benches, ROUTES, ROUNDS) }
        });
        let result = inside.join();
        ip(&format!("netns delete {name}")).expect("the namespace to go");
        result.expect("all rounds");
    }

    fn benches() -> Vec<Bench> {
        let ways = [
            ("objects", Way::Leaf(Mode::Objects)),
            ("inline", Way::Leaf(Mode::Inline)),
            ("one-at-a-time", Way::OneAtATime),
        ];
        let families = [("ipv4", false), ("ipv6", true)].into_iter();
        let each = |(family, v6)| {
            ways.map(|(way_name, way)| Bench {
                name: format!("netlink/{family}/{way_name}"),
                v6,
                way,
            })
        };
        families.flat_map(each).collect()
    }

    fn run(benches: &[Bench], count: u32, rounds: usize) {
        let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for _ in 0..rounds {
            for Bench { name, v6, way } in benches {
                let routes: Vec<_> = (0..count).map(|number| route(*v6, number)).collect();
                // A new device each time: the removal of the old one removes all of its routes.
                let tunnel = "type vxlan external dstport 4790 gpe udp6zerocsumrx";
                ip(&format!("link add vx0 {tunnel}")).expect("a tunnel");
                ip("link set vx0 up").expect("a tunnel");
                let time = match way {
                    Way::Leaf(mode) => leaf(*mode, &routes),
                    Way::OneAtATime => one_at_a_time(&routes),
                };
                times.entry(name).or_default().push(time);
                ip("link delete vx0").expect("the tunnel to go");
            }
        }
        println!("{count} routes over {HOPS} next hops, median of {rounds}:");
        for (name, mut times) in times {
            times.sort_unstable();
            let median = times[rounds / 2];
            let rate = f64::from(count) / median.as_secs_f64();
            println!("  {name}: {:.3} s, {rate:.0} routes/s", median.as_secs_f64());
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().expect("a runtime")
    }

    /// From the leaf's call to the kernel's acknowledgement, including objects.
    fn leaf(mode: Mode, routes: &[Route]) -> Duration {
        let updates: Vec<Update> = routes.iter().map(|route| route.update(Action::Add)).collect();
        let config = NetlinkConfig {
            device: "vx0".into(),
            tables: BTreeMap::from([(VNI, TABLE)]),
            mode,
            ..NetlinkConfig::default()
        };
        let mut client = NetlinkClient::start(config).expect("a netlink client");
        runtime().block_on(async {
            let began = Instant::now();
            for batch in updates.chunks(4096) {
                for result in client.apply(batch).await {
                    result.expect("a route");
                }
            }
            let time = began.elapsed();
            client.stop().await;
            time
        })
    }

    /// The way of a simple program: hops in the routes, and a wait for each request.
    fn one_at_a_time(routes: &[Route]) -> Duration {
        runtime().block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().expect("a socket");
            let connection = tokio::spawn(connection);
            let mut links = handle.link().get().match_name("vx0").execute();
            let link = links.try_next().await.expect("the tunnel").expect("the tunnel");
            let tunnel = |underlay| vec![Tunnel::Id(VNI.0.into()), Tunnel::Destination(underlay)];
            let began = Instant::now();
            for route in routes {
                let IpAddr::V6(underlay) = route.next_hop.address() else { continue };
                let message = RouteMessageBuilder::<IpAddr>::new()
                    .table_id(TABLE)
                    .protocol(RouteProtocol::Other(254))
                    .scope(RouteScope::Universe)
                    .destination_prefix(route.destination.addr(), route.destination.prefix_len())
                    .expect("a prefix")
                    .output_interface(link.header.index)
                    .encap_ip6(tunnel(underlay))
                    .build();
                handle.route().add(message).execute().await.expect("a route");
            }
            let time = began.elapsed();
            connection.abort();
            time
        })
    }

    fn route(v6: bool, number: u32) -> Route {
        let address: IpAddr = if v6 {
            let [a, b, c, d] = number.to_be_bytes();
            let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, high, low).into()
        } else {
            Ipv4Addr::from(0x0a00_0000 + number).into()
        };
        let length = if v6 { 128 } else { 32 };
        let hop = u16::try_from(number % u32::from(HOPS)).expect("a hop");
        let underlay = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1 + hop);
        Route {
            vni: VNI,
            destination: Destination::new(address, length).expect("a prefix"),
            next_hop: NextHop::standard(underlay.into()),
        }
    }

    fn ip(line: &str) -> Result<(), String> {
        let output = Command::new("ip").args(line.split(' ')).output();
        match output {
            Ok(output) if output.status.success() => Ok(()),
            failed => Err(format!("ip {line}: {failed:?}")),
        }
    }
}
