//! The leaf's API, asked over HTTP while it talks to real reflectors.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use metalbond::client::{PeerState, Route};
use metalbond::io::IoChoice;
use metalbond::wire::{Destination, Message, NextHop, NextHopType, Vni};
use serde_json::{Value, json};

use crate::harness::ask::{get, get_json, request};
use crate::harness::proxy::{Mode, Proxy};
use crate::harness::server::Server;
use crate::harness::*;

on_each_io!(
    servers_say_how_it_stands_with_them,
    a_vni_says_from_whom_it_is_whole,
    routes_are_paged_in_order,
    the_whole_table_comes_in_the_forms_of_the_reference,
    an_address_finds_the_longest_prefix,
    all_of_a_next_hop_is_shown,
    what_is_asked_wrongly_is_answered_by_a_sentence,
    the_documentation_shows_what_is_answered,
);

/// Asks until an answer is as wanted, and returns it.
fn until(http: SocketAddr, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = get_json(http, path);
        if is_so(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path}: {answer}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn destinations(listing: &Value) -> Vec<&str> {
    let rows = listing["rows"].as_array().unwrap().iter();
    rows.map(|row| row["destination"].as_str().unwrap()).collect()
}

fn prefix(vni: u32, address: &str, length: u8, hop: u16) -> Route {
    let destination = Destination::new(address.parse().unwrap(), length).unwrap();
    Route { destination, ..route(vni, 0, hop) }
}

async fn servers_say_how_it_stands_with_them(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let proxy = Proxy::start(Mode::To(address)).await;
    let down = Proxy::start(Mode::Cut).await;
    let leaf = leaf(proxy.address).await;
    leaf.add_peer(down.address.to_string(), None).await.unwrap();
    for vni in [7, 8] {
        leaf.subscribe(Vni(vni)).await.unwrap();
        until_in_sync(&leaf, proxy.address, vni).await;
    }
    until_peer(&leaf, down.address, |status| status.state == PeerState::Retry).await;
    let http = answer_http(&leaf).await;
    let up = |answer: &Value| answer["rows"][0].clone();
    let row = up(&get_json(http, "/api/v1/servers"));
    assert_eq!(row["address"], proxy.address.to_string());
    assert_eq!((&row["state"], &row["sessions"]), (&json!("established"), &json!(1)));
    assert_eq!((&row["whole"], &row["whole_count"]), (&json!([7, 8]), &json!(2)));
    assert_eq!((&row["keepalive_seconds"], &row["last_error"]), (&json!(5.0), &Value::Null));
    assert!(row["agent"].as_str().unwrap().starts_with("metalbond/"), "{row}");
    assert!((0.0..60.0).contains(&row["since_seconds"].as_f64().unwrap()), "{row}");
    let down = &get_json(http, "/api/v1/servers")["rows"][1];
    assert_ne!(down["state"], "established");
    assert!(!down["last_error"].as_str().unwrap().is_empty());
    // Lost, and back.
    proxy.set(Mode::Cut);
    // What is whole is asked before how the sessions are: one may end in between.
    let is_lost =
        |answer: &Value| up(answer)["state"] != "established" && up(answer)["whole_count"] == 0;
    let lost = up(&until(http, "/api/v1/servers", is_lost));
    assert_eq!(lost["whole"], json!([]));
    assert!(lost["last_error"].is_string(), "{lost}");
    proxy.set(Mode::To(address));
    let is_back = |answer: &Value| up(answer)["whole_count"] == 2;
    assert_eq!(up(&until(http, "/api/v1/servers", is_back))["sessions"], 2);
}

async fn a_vni_says_from_whom_it_is_whole(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let publisher = leaf(address).await;
    announce_all(&publisher, &routes(7, 0..30, 1)).await;
    let proxy = Proxy::start(Mode::To(address)).await;
    let leaf = leaf(proxy.address).await;
    let http = answer_http(&leaf).await;
    leaf.subscribe(Vni(7)).await.unwrap();
    expect_routes(&leaf, 7, &routes(7, 0..30, 1)).await;
    until_in_sync(&leaf, proxy.address, 7).await;
    let row = |answer: &Value| answer["rows"][0].clone();
    let whole = get_json(http, "/api/v1/vnis");
    assert_eq!(row(&whole)["is_whole"], true);
    assert_eq!((&row(&whole)["vni"], &row(&whole)["routes"]), (&json!(7), &json!(30)));
    assert_eq!(row(&whole)["missing"], Value::Null);
    assert_eq!(row(&whole)["in_sync"], json!([proxy.address.to_string()]));
    assert_eq!(
        [&whole["total"], &whole["routes"], &whole["not_whole"], &whole["next"]],
        [&json!(1), &json!(30), &json!(0), &Value::Null],
    );
    // Nobody is left: what is known stays, and is said to be stale.
    proxy.set(Mode::Cut);
    // Who is connected is asked before what is whole: the session may end in between.
    let is_lost = |all: &Value| row(all)["missing"] == "no server is connected";
    let lost = row(&until(http, "/api/v1/vnis?whole=false", is_lost));
    assert_eq!((&lost["routes"], &lost["stale"]), (&json!(30), &json!(30)));
    assert_eq!((&lost["is_whole"], &lost["in_sync"]), (&json!(false), &json!([])));
    assert_eq!(get_json(http, "/api/v1/vnis?whole=true")["rows"], json!([]));
    let stale = get_json(http, "/api/v1/routes?vni=7&limit=1");
    assert_eq!(stale["rows"][0]["is_stale"], true);
    assert_eq!(stale["rows"][0]["servers"], json!([]));
}

#[test]
fn a_table_that_is_on_its_way_is_said_to_be_missing() {
    alone(async {
        let server = Server::start().await;
        let leaf = leaf(server.address).await;
        let http = answer_http(&leaf).await;
        for vni in [1, 2, 3] {
            leaf.subscribe(Vni(vni)).await.unwrap();
        }
        let mut session = server.establish_with_end_of_table().await;
        session.expect_subscribe(3).await;
        session.write(&[Message::EndOfTable(Vni(2))]).await;
        until_in_sync(&leaf, server.address, 2).await;
        let all = get_json(http, "/api/v1/vnis");
        assert_eq!((&all["total"], &all["not_whole"]), (&json!(3), &json!(2)));
        let missing = format!("the table has not come from {} yet", server.address);
        assert_eq!(all["rows"][0]["missing"], missing);
        assert_eq!(all["rows"][0]["awaited"], json!([server.address.to_string()]));
        // Pages, and one alone.
        let first = get_json(http, "/api/v1/vnis?whole=false&limit=1");
        assert_eq!((&first["rows"][0]["vni"], &first["next"]), (&json!(1), &json!("1")));
        let second = get_json(http, "/api/v1/vnis?whole=false&limit=1&after=1");
        assert_eq!((&second["rows"][0]["vni"], &second["next"]), (&json!(3), &Value::Null));
        let alone = get_json(http, "/api/v1/vnis?vni=2");
        assert_eq!(alone["rows"].as_array().unwrap().len(), 1);
        assert_eq!((&alone["rows"][0]["vni"], &alone["total"]), (&json!(2), &json!(3)));
    });
}

async fn routes_are_paged_in_order(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (publisher, leaf) = (leaf(address).await, leaf(address).await);
    leaf.subscribe(Vni(7)).await.unwrap();
    let mut all = routes(7, 0..700, 1);
    all.extend(routes(7, 100..200, 2));
    announce_all(&publisher, &all).await;
    expect_routes(&leaf, 7, &all).await;
    let http = answer_http(&leaf).await;
    let known: Vec<_> = leaf.routes(Vni(7)).await.unwrap();
    let expected: Vec<_> = known
        .iter()
        .map(|r| (r.destination.to_string(), r.next_hop.address().to_string()))
        .collect();
    for limit in [1, 99, 512, 800, 5000] {
        let (mut found, mut path) = (Vec::new(), format!("/api/v1/routes?vni=7&limit={limit}"));
        loop {
            let page = get_json(http, &path);
            let rows = page["rows"].as_array().unwrap();
            assert!(rows.len() <= limit && !rows.is_empty());
            found.extend(rows.iter().map(|row| {
                let hop = row["next_hop"]["address"].as_str().unwrap();
                (row["destination"].as_str().unwrap().to_owned(), hop.to_owned())
            }));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/v1/routes?vni=7&limit={limit}&after={next}");
        }
        assert_eq!(found, expected, "pages of {limit}");
    }
    let usual = get_json(http, "/api/v1/routes?vni=7");
    assert_eq!(usual["rows"].as_array().unwrap().len(), 100);
    assert_eq!(usual["rows"][0]["servers"], json!([address.to_string()]));
}

async fn the_whole_table_comes_in_the_forms_of_the_reference(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (publisher, leaf) = (leaf(address).await, leaf(address).await);
    let http = answer_http(&leaf).await;
    assert_eq!(get_json(http, "/routes.json")["vnet"], json!({}));
    // More destinations than the leaf is asked for at once, and more next hops of one; a VNI has none.
    let mut all = routes(7, 0..1300, 1);
    all.extend((2..1000).map(|hop| route(7, 600, hop)));
    let (seven, nine) = (all.clone(), routes(9, 0..3, 1));
    all.extend(nine.clone());
    for vni in [7, 8, 9] {
        leaf.subscribe(Vni(vni)).await.unwrap();
    }
    announce_all(&publisher, &all).await;
    expect_routes(&leaf, 7, &seven).await;
    expect_routes(&leaf, 9, &nine).await;
    let vnet = get_json(http, "/routes.json?format=json")["vnet"].clone();
    let counts = |vni: &str| -> Vec<usize> {
        let rows = vnet[vni].as_object().unwrap().values();
        let mut counts: Vec<_> = rows.map(|row| row.as_array().unwrap().len()).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(vnet.as_object().unwrap().len(), 2);
    assert_eq!((counts("7").len(), counts("7")[1298], counts("7")[1299]), (1300, 1, 999));
    assert_eq!(counts("9"), [1, 1, 1]);
    assert_eq!(get_json(http, "/routes.json?vni=9")["vnet"], json!({"9": vnet["9"]}));
    for none in ["0", "8", "10"] {
        assert_eq!(get_json(http, &format!("/routes.json?vni={none}"))["vnet"], json!({}));
    }
    let yaml = get(http, "/routes.yaml").body;
    assert_eq!(yaml.matches("targetaddress: ").count(), all.len());
    // The listing of VNIs comes in parts as well.
    let vnis = get_json(http, "/api/v1/vnis?limit=2");
    assert_eq!((&vnis["rows"][1]["vni"], &vnis["next"]), (&json!(8), &json!("8")));
    assert_eq!((&vnis["total"], &vnis["routes"]), (&json!(3), &json!(all.len())));
}

async fn an_address_finds_the_longest_prefix(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (publisher, leaf) = (leaf(address).await, leaf(address).await);
    leaf.subscribe(Vni(7)).await.unwrap();
    let all = [
        prefix(7, "0.0.0.0", 0, 1),
        prefix(7, "10.0.0.0", 8, 1),
        prefix(7, "10.1.0.0", 16, 1),
        // Host bits are a part of a route's identity, and hide it from nobody.
        prefix(7, "10.2.3.4", 16, 1),
        prefix(7, "10.1.2.3", 32, 1),
        prefix(7, "10.1.2.3", 32, 2),
        prefix(7, "2001:db8::", 32, 1),
        prefix(7, "2001:db8::1", 128, 1),
    ];
    announce_all(&publisher, &all).await;
    expect_routes(&leaf, 7, &all).await;
    let http = answer_http(&leaf).await;
    let found = |asked: &str| {
        let listing = get_json(http, &format!("/api/v1/routes?vni=7&{asked}"));
        destinations(&listing).join(" ")
    };
    for (asked, expected) in [
        ("address=10.1.2.3", "10.1.2.3/32 10.1.2.3/32"),
        ("address=10.1.2.4", "10.1.0.0/16"),
        ("address=10.2.255.255", "10.2.3.4/16"),
        ("address=10.3.0.0", "10.0.0.0/8"),
        ("address=255.255.255.255", "0.0.0.0/0"),
        ("address=2001:db8::1", "2001:db8::1/128"),
        ("address=2001:db8:ffff::", "2001:db8::/32"),
        ("address=2001:db9::", ""),
        ("prefix=10.0.0.0/8", "10.0.0.0/8"),
        ("prefix=10.0.0.0/9", ""),
        ("prefix=10.1.2.3", "10.1.2.3/32 10.1.2.3/32"),
    ] {
        assert_eq!(found(asked), expected, "{asked}");
    }
    // What is found is paged as well, and a place outside of it does no harm.
    let first = get_json(http, "/api/v1/routes?vni=7&address=10.1.2.3&limit=1");
    let next = first["next"].as_str().unwrap();
    assert_eq!(found(&format!("address=10.1.2.3&after={next}")), "10.1.2.3/32");
    assert_eq!(found(&format!("address=10.1.2.4&after={next}")), "");
    assert_eq!(found("prefix=10.0.0.0/8&after=0.0.0.0/0-::-0-0-0-0"), "10.0.0.0/8");
}

async fn all_of_a_next_hop_is_shown(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (publisher, leaf) = (leaf(address).await, leaf(address).await);
    leaf.subscribe(Vni(7)).await.unwrap();
    let hop = "2001:db8::1".parse().unwrap();
    let nat = NextHop::new(hop, 9, NextHopType::Nat, 1024, 2047).unwrap();
    let nat = Route { next_hop: nat, ..route(7, 1, 1) };
    let all = [nat, target(7, 2, 1), route(7, 3, 1)];
    announce_all(&publisher, &all).await;
    expect_routes(&leaf, 7, &all).await;
    let http = answer_http(&leaf).await;
    let listing = get_json(http, "/api/v1/routes?vni=7");
    let age = &listing["rows"][0]["age_seconds"];
    assert!(age.as_f64().is_some_and(|age| age < PATIENCE.as_secs_f64()), "{listing}");
    let expected = json!({
        "vni": 7, "destination": "10.0.0.1/32", "is_stale": false, "servers": [address.to_string()],
        "next_hop": {
            "address": "2001:db8::1", "target_vni": 9, "type": "nat", "nat_from": 1024, "nat_to": 2047
        },
        "stale_seconds": null, "age_seconds": age,
    });
    assert_eq!(listing["rows"][0], expected);
    assert_eq!(listing["rows"][1]["next_hop"]["type"], "lb");
    assert_eq!(listing["rows"][2]["next_hop"]["type"], "standard");
    // Each kind is a place to go on from.
    let mut after = String::new();
    for number in 1..=3 {
        let page = get_json(http, &format!("/api/v1/routes?vni=7&limit=1{after}"));
        assert_eq!(destinations(&page), [format!("10.0.0.{number}/32")]);
        after = format!("&after={}", page["next"].as_str().unwrap_or_default());
    }
}

async fn what_is_asked_wrongly_is_answered_by_a_sentence(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let leaf = leaf(address).await;
    leaf.subscribe(Vni(7)).await.unwrap();
    let http = answer_http(&leaf).await;
    for (status, path, sentence) in [
        (400, "/api/v1/routes", "vni must be given"),
        (400, "/api/v1/routes?vni=x", "vni: expected a VNI, found \"x\""),
        (400, "/api/v1/routes?vni=7&address=10.0.0.0/8", "address: expected an address"),
        (400, "/api/v1/routes?vni=7&prefix=10.0.0.0/33", "prefix: expected a prefix"),
        (400, "/api/v1/routes?vni=7&prefix=::/0&address=::", "only one of address and prefix"),
        (400, "/api/v1/routes?vni=7&limit=many", "limit: expected a number, found \"many\""),
        (
            400,
            "/api/v1/routes?vni=7&after=there",
            "after: expected the value next of an earlier page",
        ),
        (400, "/api/v1/routes?vni=7&sort=age", "sort: unknown field `sort`"),
        (404, "/api/v1/routes?vni=8", "not subscribed to VNI 8"),
        (400, "/api/v1/vnis?whole=maybe", "whole: expected true or false"),
        (400, "/api/v1/servers?x=1", "x: unknown field `x`"),
        (400, "/api/v1/explain?vni=7", "destination must be given"),
        (400, "/api/v1/explain?vni=7&destination=::/0&peer=1", "a leaf explains routes of its own"),
        (400, "/api/v1/routes?vni=7&within=10", "within: expected a prefix, found \"10\""),
        (400, "/api/v1/kernel?x=1", "x: unknown field `x`"),
        (404, "/api/v1/peers", "there is no such page"),
        (404, "/nothing", "there is no such page"),
        (404, "/page/nothing", "there is no such file"),
        (404, "/page/%ff", "there is no such file"),
        (400, "/routes.json?vni=x", "vni: expected a VNI, found \"x\""),
        (400, "/routes.yaml?vni=4294967296", "vni: expected a VNI"),
    ] {
        let answer = get(http, path);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, status, "{path}: {error}");
        assert!(error.starts_with(sentence), "{path}: {error}");
    }
    for path in ["/api/v1/servers", "/metrics", "/routes.json", "/livez", "/"] {
        let answer = request(http, "POST", path);
        assert_eq!(answer.status, 405);
        assert_eq!(answer.json()["error"], "only GET and HEAD are allowed");
    }
    assert_eq!(get(http, "/metrics?format=prometheus").status, 200);
    // Routes are not installed here.
    assert_eq!(get_json(http, "/api/v1/kernel"), Value::Null);
}

const DOCUMENT: &str = include_str!("../../docs/http.md");

/// Names and kinds of all members, of the first row of a list.
fn shape(path: &str, value: &Value, shapes: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, value)| shape(&format!("{path}.{name}"), value, shapes));
        }
        Value::Array(rows) => rows.iter().for_each(|row| shape(&format!("{path}[]"), row, shapes)),
        Value::Null => {}
        value => {
            let kind = ["text", "number"][usize::from(value.is_number())];
            let kind = if value.is_boolean() { "boolean" } else { kind };
            shapes.insert(format!("{path}: {kind}"));
        }
    }
}

async fn the_documentation_shows_what_is_answered(io: IoChoice) {
    let (_reflector, address) = reflector(io);
    let (publisher, leaf) = (leaf(address).await, leaf(address).await);
    let add = [route(100, 1, 1)];
    announce_all(&publisher, &add).await;
    for vni in [100, 200] {
        leaf.subscribe(Vni(vni)).await.unwrap();
        until_in_sync(&leaf, address, vni).await;
    }
    expect_routes(&leaf, 100, &add).await;
    let http = answer_http(&leaf).await;
    let examples: Vec<_> = DOCUMENT.split("\nOf a leaf, `GET ").skip(1).collect();
    assert_eq!(examples.len(), 6);
    for example in examples {
        let (path, rest) = example.split_once('`').unwrap();
        let json = rest.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
        let (real, shown) = (get_json(http, path), serde_json::from_str(json).unwrap());
        let [mut left, mut right] = [BTreeSet::new(), BTreeSet::new()];
        shape("", &real, &mut left);
        shape("", &shown, &mut right);
        // There is no kernel here, and an example may show more than there is.
        assert!(left.is_subset(&right), "{path}: {left:?} and in the example {right:?}");
    }
}
