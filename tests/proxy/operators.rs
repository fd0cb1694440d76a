//! What operators are told.

use std::net::{Ipv6Addr, SocketAddr};

use metalbond::admin::ProxyHttp;
use support::http::{get, get_json, send};
use tokio::net::TcpListener;

use crate::harness::{Elsewhere, GoClient, World, eventually, routes};

/// Answers HTTP for a proxy, as long as it runs; where.
fn answer(world: &World) -> SocketAddr {
    let http = ProxyHttp::new(world.proxy());
    let listener = world.runtime().block_on(TcpListener::bind((Ipv6Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    world.runtime().spawn(http.serve(listener));
    address
}

#[test]
fn it_is_ready_while_reflectors_have_sent_what_agents_want() {
    let mut world = World::start();
    let http = answer(&world);
    let ready = |status| eventually("ready or not", || get(http, "/readyz").status == status);
    ready(200);
    let _agent = GoClient::establish(world.address, 1);
    world.until_in_sync(1, 2);
    ready(200);
    for upstream in &mut world.upstreams {
        upstream.die();
    }
    ready(503);
    assert_eq!(get(http, "/readyz").body, "no server is connected\n");
    // It lives, and goes on to serve what it has.
    assert_eq!(get(http, "/livez").status, 200);
    world.upstreams[1].come_back();
    ready(200);
}

#[test]
fn a_request_by_another_name_is_not_answered() {
    let world = World::start();
    let http = answer(&world);
    for path in ["/", "/upstream/", "/api/v1/proxy", "/metrics"] {
        let status = |host| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            send(http, &head).status
        };
        assert_eq!(status("localhost"), 200, "{path}");
        assert_eq!(status("rebound.example"), 421, "{path}");
    }
}

#[test]
fn agents_are_shown_beside_reflectors() {
    let world = World::start();
    let mut elsewhere = Elsewhere::connect(&world);
    elsewhere.announce_all(&routes(1, 0..10, 1));
    elsewhere.subscribe(1);
    let mut agent = GoClient::establish(world.address, 1);
    agent.expect_view(&routes(1, 0..10, 1));
    let ours = routes(1, 20..25, 2);
    agent.announce_all(&ours);
    elsewhere.expect_view(&ours);
    let http = answer(&world);
    world.until("counted", |status| (status.routes_learned, status.routes_announced) == (10, 5));
    let peers = get_json(http, "/api/v1/peers");
    assert_eq!(peers["rows"].as_array().unwrap().len(), 1, "{peers}");
    let routes = get_json(http, "/api/v1/vnis/1/routes");
    let rows = routes["rows"].as_array().unwrap();
    let of_upstream = rows.iter().filter(|row| row["sites"][0] == "upstream").count();
    assert_eq!((rows.len(), of_upstream), (15, 10), "{routes}");
    let proxy = get_json(http, "/api/v1/proxy");
    assert_eq!(
        (&proxy["routes_announced"], &proxy["fell_behind"]),
        (&5.into(), &0.into()),
        "{proxy}"
    );
    let servers = get_json(http, "/upstream/api/v1/servers");
    let states: Vec<_> =
        servers["rows"].as_array().unwrap().iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["established"; 2], "{servers}");
    let metrics = get(http, "/metrics").body;
    assert!(metrics.contains("\nmetalbond_proxy_routes_announced 5\n"), "{metrics}");
    let metrics = get(http, "/upstream/metrics").body;
    assert!(metrics.contains("metalbond_peers{state=\"established\"} 2\n"), "{metrics}");
}

#[test]
fn each_side_has_its_page() {
    let world = World::start();
    let http = answer(&world);
    assert!(get(http, "/").body.contains("<title>MetalBond</title>"));
    assert!(get(http, "/upstream/").body.contains("<title>MetalBond leaf</title>"));
    let bare = get(http, "/upstream");
    assert!(bare.status == 308 && bare.head.contains("location: /upstream/"), "{bare:?}");
    for script in ["/page/main.js", "/upstream/page/leaf.js", "/upstream/page/page.css"] {
        assert_eq!(get(http, script).status, 200, "{script}");
    }
    assert_eq!(get(http, "/upstream/nothing").status, 404);
    assert_eq!(get(http, "/nothing").status, 404);
}
