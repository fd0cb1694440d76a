//! The table in the forms of the reference.

use std::net::SocketAddr;

use metalbond::wire::{NextHop, NextHopType, Vni};
use serde_json::{Map, Value, json};

use crate::harness::http::{get, get_json, start_with_http};
use crate::harness::{
    Client, ReflectorConfig, Route, eventually, on_each_io, prefix, route, routes,
};

on_each_io!(
    an_empty_table_is_an_empty_object,
    the_table_is_what_peers_announce,
    all_next_hops_of_a_destination_are_together,
    yaml_says_the_same,
);

fn vnet(http: SocketAddr, query: &str) -> Map<String, Value> {
    let json = get_json(http, &format!("/routes.json{query}"));
    assert_eq!(json["date"].as_str().unwrap().len(), "2006-01-02 15:04:05".len());
    assert_eq!(json["metalbondVersion"], env!("CARGO_PKG_VERSION"));
    json["vnet"].as_object().unwrap().clone()
}

/// Routes as an object of the reference has them.
fn expected<'a>(routes: impl IntoIterator<Item = &'a Route>) -> Map<String, Value> {
    let mut vnet = Map::new();
    for route in routes {
        let family = if route.destination.addr().is_ipv4() { 4 } else { 6 };
        let key = format!("{{\"IPVersion\":{family},\"Prefix\":\"{}\"}}", route.destination);
        let (from, to) = route.next_hop.nat_ports();
        let hop = json!({
            "TargetAddress": route.next_hop.address(),
            "TargetVNI": route.next_hop.target_vni(),
            "Type": route.next_hop.kind() as u8,
            "NATPortRangeFrom": from,
            "NATPortRangeTo": to,
        });
        let vni = vnet.entry(route.vni.to_string()).or_insert_with(|| json!({}));
        let hops = vni.as_object_mut().unwrap().entry(key).or_insert_with(|| json!([]));
        hops.as_array_mut().unwrap().push(hop);
    }
    vnet
}

/// Announces, and waits until all of it is in the tables.
fn publish(client: &mut Client, http: SocketAddr, routes: &[Route]) {
    client.announce_all(routes);
    eventually("all routes in the tables", || {
        let vnis = get_json(http, "/api/v1/vnis?limit=10000");
        let count = |row: &Value| row["routes"].as_u64().unwrap();
        vnis["rows"].as_array().unwrap().iter().map(count).sum::<u64>() == routes.len() as u64
    });
}

fn an_empty_table_is_an_empty_object(config: ReflectorConfig) {
    let (_reflector, _, http) = start_with_http(config);
    assert_eq!(vnet(http, ""), Map::new());
    assert_eq!(vnet(http, "?vni=7"), Map::new());
    let yaml = get(http, "/routes.yaml");
    assert_eq!(yaml.status, 200);
    assert!(yaml.body.contains("\nvnet: {}\nmetalbondversion: "), "{yaml:?}");
}

fn the_table_is_what_peers_announce(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    let mut table = routes(20, 0..5000, 1); // several slices
    table.extend(routes(100, 0..3, 2));
    table.push(prefix(3, "2001:db8:7::".parse().unwrap(), 48, 1));
    table.push(prefix(3, "0.0.0.0".parse().unwrap(), 0, 1));
    publish(&mut client, http, &table);
    assert_eq!(vnet(http, ""), expected(&table));
    assert_eq!(vnet(http, "?vni=100"), expected(table.iter().filter(|r| r.vni == Vni(100))));
    let text = get(http, "/routes.json").body;
    let places = ["\n    \"3\": {", "\n    \"20\": {", "\n    \"100\": {"];
    assert!(places.map(|vni| text.find(vni).unwrap()).is_sorted(), "VNIs are ascending");
    for (query, sentence) in [
        ("vni=x", "vni: expected a VNI, found \"x\""),
        ("vni=4294967296", "vni: expected a VNI, found \"4294967296\""),
    ] {
        let answer = get(http, &format!("/routes.json?{query}"));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]), (400, &sentence.into()), "{query}");
    }
    // A scraper's own parameters are nobody's business.
    assert_eq!(vnet(http, "?format=json&vni=100&vnis=3"), vnet(http, "?vni=100"));
}

fn all_next_hops_of_a_destination_are_together(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    // More than one slice may have.
    let mut table: Vec<_> = (0..1500).map(|hop| route(1, 7, hop)).collect();
    let nat = NextHop::new("10.0.0.9".parse().unwrap(), 5, NextHopType::Nat, 1, 2).unwrap();
    table.push(Route { next_hop: nat, ..route(1, 7, 0) });
    table.push(route(1, 8, 0));
    publish(&mut client, http, &table);
    table.sort_by_key(|route| match route.next_hop.target_vni() {
        0 => route.next_hop.address().to_string(),
        vni => format!("{} (VNI: {vni})", route.next_hop.address()),
    });
    assert_eq!(vnet(http, ""), expected(&table));
}

fn yaml_says_the_same(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    publish(&mut client, http, &[route(20, 1, 2), route(20, 1, 1)]);
    let yaml = get(http, "/routes.yaml");
    assert!(yaml.head.contains("content-type: text/yaml"), "{yaml:?}");
    let (date, rest) = yaml.body.split_once('\n').unwrap();
    assert!(date.starts_with("date: \"20"), "{date}");
    let expected = "vnet:
  20:
    '{\"IPVersion\":4,\"Prefix\":\"10.0.0.1/32\"}':
    - targetaddress: 2001:db8::1
      targetvni: 0
      type: 0
      natportrangefrom: 0
      natportrangeto: 0
    - targetaddress: 2001:db8::2
      targetvni: 0
      type: 0
      natportrangefrom: 0
      natportrangeto: 0
metalbondversion: VERSION
";
    assert_eq!(rest, expected.replace("VERSION", env!("CARGO_PKG_VERSION")));
}
