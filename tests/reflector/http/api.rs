//! The API.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::client::hello_of;
use crate::harness::http::{get, get_json, request, start_with_http};
use crate::harness::{
    Client, ReflectorConfig, Route, eventually, on_each_io, prefix, route, routes,
};

on_each_io!(
    pages_together_are_the_listing,
    peers_are_chosen_by_name_and_slowness,
    routes_are_filtered,
    routes_are_looked_up,
    explanations_are_sentences,
    peers_are_called_by_their_nodes,
    a_peer_that_has_left_was_last_seen,
    counters_and_shards_add_up,
    errors_are_sentences,
);

/// All rows of a listing, by pages of three.
fn rows(http: SocketAddr, path: &str) -> Vec<Value> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let mut rows = Vec::new();
    let mut path_of_page = format!("/api/v1/{path}{joint}limit=3");
    loop {
        let page = get_json(http, &path_of_page);
        let found = page["rows"].as_array().unwrap();
        assert!(found.len() <= 3);
        rows.extend(found.iter().cloned());
        let Some(next) = page["next"].as_str() else { return rows };
        path_of_page = format!("/api/v1/{path}{joint}limit=3&cursor={next}");
    }
}

/// Waits for as many rows as there should be.
fn expect_rows(http: SocketAddr, path: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} rows of {path}"), || rows(http, path).len() == count);
    rows(http, path)
}

fn destinations(rows: &[Value]) -> BTreeSet<String> {
    rows.iter().map(|row| row["destination"].as_str().unwrap().to_owned()).collect()
}

fn pages_together_are_the_listing(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut clients: Vec<_> = (0..8).map(|_| Client::establish(address)).collect();
    for vni in 1..=10 {
        clients[0].announce(&route(vni, 1, 1));
        clients[1].subscribe(vni);
        clients[1].expect_end_of_table(vni);
    }
    let peers = expect_rows(http, "peers", 8);
    let ids: BTreeSet<_> = peers.iter().map(|peer| peer["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=8).collect());
    assert!(peers.iter().all(|peer| peer["node"] == "test-node"));
    let vnis = expect_rows(http, "vnis", 10);
    let vnis: BTreeSet<_> = vnis.iter().map(|vni| vni["vni"].as_u64().unwrap()).collect();
    assert_eq!(vnis, (1..=10).collect());
    let subscriptions = expect_rows(http, "subscriptions", 10);
    assert!(subscriptions.iter().all(|s| s["peer"] == 2 && s["state"] == "in_sync"));
    assert_eq!(expect_rows(http, "subscriptions?vni=4", 1)[0]["vni"], 4);
    eventually("the peer's part in every VNI", || {
        let peer = get_json(http, "/api/v1/peers/1");
        peer["vnis"].as_array().unwrap().len() == 10
    });
    let peer = get_json(http, "/api/v1/peers/1");
    assert_eq!(peer["vnis"][3], json!({"vni": 4, "routes": 1, "subscription": null}));
    assert_eq!(get_json(http, "/api/v1/vnis/4")["subscribers"], 1);
}

fn peers_are_chosen_by_name_and_slowness(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let [one, _two] = [(); 2].map(|()| Client::establish(address));
    let found = |query: &str| {
        let rows = get_json(http, &format!("/api/v1/peers?{query}"));
        assert!(rows["next"].is_null());
        rows["rows"].as_array().unwrap().len()
    };
    assert_eq!(found("name=test-node"), 2);
    assert_eq!(found("name=2"), 1);
    assert_eq!(found(&format!("name={}", one.local_addr())), 1);
    assert_eq!(found("name=nobody"), 0);
    assert_eq!(found("slow=false"), 2);
    assert_eq!(found("slow=true"), 0);
}

fn routes_are_filtered(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    one.announce_all(&routes(7, 0..10, 1));
    two.announce_all(&routes(7, 256..260, 2));
    expect_rows(http, "vnis/7/routes", 14);
    let one = destinations(&expect_rows(http, "vnis/7/routes?announcer=1", 10));
    assert_eq!(destinations(&rows(http, "vnis/7/routes?next_hop=2001:db8::1")), one);
    assert_eq!(destinations(&rows(http, "vnis/7/routes?within=10.0.0.0/24")), one);
    let both = "vnis/7/routes?within=10.0.1.0/24&announcer=2&next_hop=2001:db8::2";
    let rows = rows(http, both);
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[0]["announcers"], &rows[0]["announcer_count"]), (&json!([2]), &json!(1)));
    assert_eq!(rows[0]["next_hop"]["type"], "standard");
    let nobody = get_json(http, "/api/v1/vnis/8/routes");
    assert_eq!(nobody, json!({"rows": [], "next": null}));
}

fn routes_are_looked_up(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    let at = |address: &str, length| prefix(1, address.parse().unwrap(), length, 1);
    client.announce_all(&[at("10.0.0.0", 8), at("10.1.0.0", 16), at("0.0.0.0", 0)]);
    expect_rows(http, "vnis/1/routes", 3);
    let found = |query: &str| {
        let rows = get_json(http, &format!("/api/v1/routes/lookup?vni=1&{query}"));
        destinations(rows["rows"].as_array().unwrap())
    };
    for (query, expected) in [
        ("address=10.1.2.3", "10.1.0.0/16"),
        ("address=10.2.2.3", "10.0.0.0/8"),
        ("address=192.0.2.1", "0.0.0.0/0"),
        ("prefix=10.0.0.0/8", "10.0.0.0/8"),
    ] {
        assert_eq!(found(query), BTreeSet::from([expected.to_owned()]), "{query}");
    }
    assert!(found("prefix=10.0.0.0/9").is_empty());
    assert!(found("address=::1").is_empty());
}

fn explanations_are_sentences(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let [mut publisher, mut subscriber] = [(); 2].map(|()| Client::establish(address));
    let Route { destination, .. } = route(1, 1, 1);
    publisher.announce(&route(1, 1, 1));
    subscriber.subscribe(1);
    subscriber.expect_view(&[route(1, 1, 1)]);
    let explain = |peer: u32, more: &str| {
        let path = format!("/api/v1/explain?peer={peer}&vni=1&destination={destination}{more}");
        get_json(http, &path)
    };
    assert_eq!(explain(1, "")["verdict"], "not_owed");
    eventually("it is sent", || explain(2, "&next_hop=2001:db8::1")["verdict"] == "sent");
    assert_eq!(explain(2, "&next_hop=2001:db8::2")["verdict"], "not_owed");
    let nat = "&next_hop=2001:db8::1&type=nat&nat_from=1&nat_to=2&target_vni=4";
    assert_eq!(explain(2, nat)["verdict"], "not_owed");
}

fn peers_are_called_by_their_nodes(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let node = |name: &str| Client::connect(address).shake_hands(hello_of(name));
    let [mut one, mut two, _three] = ["host-1", "host-2", "host-2"].map(node);
    let _unnamed = Client::establish_plain(address);
    one.announce(&route(1, 1, 1));
    two.subscribe(1);
    two.expect_view(&[route(1, 1, 1)]);
    two.announce(&route(1, 1, 1));
    eventually("both announcers", || {
        get_json(http, "/api/v1/vnis/1/routes")["rows"][0]["announcer_count"] == 2
    });
    let names = |path: &str, member: &str| {
        let mut names: Vec<_> = rows(http, path).iter().map(|row| row[member].clone()).collect();
        names.sort_by_key(ToString::to_string);
        names
    };
    assert_eq!(names("peers", "name"), ["#4", "host-1", "host-2#2", "host-2#3"]);
    assert_eq!(names("subscriptions", "name"), ["host-2#2"]);
    let row = get_json(http, "/api/v1/routes?announcer=host-1")["rows"][0].clone();
    assert_eq!(row["announcers"], json!([1, 2]));
    assert_eq!(row["announcer_names"], json!(["host-1", "host-2#2"]));
    let explained = get_json(http, "/api/v1/explain?peer=host-2%232&vni=1&destination=10.0.0.1");
    assert_eq!(
        explained,
        json!({"verdict": "sent", "reasons": [
            "the route via 2001:db8::1 is announced by peers host-1, host-2#2",
            "peer host-2#2 is in sync with VNI 1"
        ]})
    );
    assert_eq!(get_json(http, "/api/v1/peers/host-1")["id"], 1);
    let several = get(http, "/api/v1/explain?peer=host-2&vni=1&destination=10.0.0.1");
    let sentence = several.json()["error"].as_str().unwrap().to_owned();
    assert!(several.status == 400 && sentence.starts_with("2 sessions are called"), "{sentence}");
    assert!(sentence.contains("host-2#2 ([::1]:") && sentence.contains("host-2#3 ("), "{sentence}");
}

fn a_peer_that_has_left_was_last_seen(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let node = |name: &str| Client::connect(address).shake_hands(hello_of(name));
    let mut leaves = node("host-1");
    let remote = leaves.local_addr();
    leaves.announce_all(&routes(1, 0..5, 1));
    leaves.subscribe(2);
    leaves.expect_end_of_table(2);
    drop(leaves);
    let stays = node("host-2");
    let closed = expect_rows(http, "closed", 1);
    let row = &closed[0];
    assert_eq!((&row["peer"], &row["node"]), (&1.into(), &"host-1".into()));
    assert_eq!((&row["reason"], &row["detail"]), (&"peer_closed".into(), &"closed by peer".into()));
    assert_eq!((&row["updates_received"], &row["subscriptions"]), (&5.into(), &1.into()));
    assert!(row["lasted_seconds"].as_f64() >= row["established_seconds"].as_f64(), "{row}");
    assert_eq!(row["remote"], remote.to_string());
    for name in ["host-1", "1", "%231", &remote.ip().to_string(), &remote.to_string()] {
        let path = format!("/api/v1/explain?peer={name}&vni=1&destination=10.0.0.1");
        if name.starts_with("::") {
            continue; // that of the other, too
        }
        let answer = get(http, &path);
        let sentence = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(answer.status == 404 && sentence.starts_with("no such peer: "), "{sentence}");
        let is_told = ["last seen 20", " ago, when session #1 from ", ": closed by peer"];
        assert!(is_told.iter().all(|part| sentence.contains(part)), "{sentence}");
    }
    // The latest first, page by page, and by name.
    drop((stays, node("host-1"), node("host-3")));
    let all = expect_rows(http, "closed", 4);
    let ended: Vec<_> = all.iter().map(|row| row["ended_at"].as_str().unwrap()).collect();
    assert!(ended.is_sorted_by(|later, earlier| later >= earlier), "{ended:?}");
    assert_eq!(rows(http, "closed?peer=host-1").len(), 2);
    assert!(rows(http, "closed?peer=host").is_empty());
    // The recorder has them in the order in which they happened.
    let recorded = get_json(http, "/api/v1/recorder");
    let recorded = recorded["rows"].as_array().unwrap();
    let count = |kind: &str| recorded.iter().filter(|row| row["event"] == kind).count();
    assert_eq!((count("established"), count("closed")), (4, 4), "{recorded:?}");
    let first = (&recorded[0]["event"], &recorded[0]["node"], &recorded[0]["peer"]);
    assert_eq!(first, (&"established".into(), &"host-1".into(), &1.into()));
    assert_eq!(get_json(http, "/api/v1/recorder?limit=1")["rows"][0], recorded[7]);
}

fn counters_and_shards_add_up(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut clients: Vec<_> = (0..4).map(|_| Client::establish(address)).collect();
    for client in &mut clients {
        client.announce_all(&routes(1, 0..5, 1));
    }
    let received = |row: &Value| row["updates_received"]["adds"].as_u64().unwrap();
    eventually("20 updates", || received(&get_json(http, "/api/v1/counters")) == 20);
    let shards = get_json(http, "/api/v1/shards");
    let shards = shards.as_array().unwrap();
    assert_eq!(shards.len(), 2);
    assert_eq!(shards.iter().map(received).sum::<u64>(), 20);
    assert!(shards.iter().all(|shard| shard["is_stuck"] == false));
}

fn errors_are_sentences(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let _client = Client::establish(address);
    let wrong = [
        (400, "peers?limit=many", "limit: expected a number, found \"many\""),
        (400, "peers?limits=1", "unknown field `limits`"),
        (400, "peers?slow=very", "slow: expected true or false, found \"very\""),
        (400, "peers?name=x&limit=1", "name cannot be combined"),
        (400, "peers?cursor=x", "cursor: expected the value next of an earlier page"),
        (404, "peers/x", "no such peer: no session is called \"x\""),
        (404, "peers/77", "no such peer: no session is called \"77\""),
        (404, "explain?peer=9&vni=1&destination=::", "no such peer: no session is called \"9\""),
        (404, "routes?announcer=nobody", "no such peer: no session is called \"nobody\""),
        (400, "closed?cursor=x", "cursor: expected the value next of an earlier page"),
        (400, "recorder?limit=x", "limit: expected a number, found \"x\""),
        (400, "vnis/-1", "vni: expected a VNI, found \"-1\""),
        (404, "vnis/77", "no peer announces in VNI 77"),
        (400, "vnis/7/routes?within=10.0.0.0/33", "within: expected a prefix"),
        (400, "routes/lookup?address=10.0.0.1", "vni must be given"),
        (400, "routes/lookup?vni=1", "either address or prefix must be given"),
        (400, "explain?vni=1&destination=10.0.0.1", "peer must be given"),
        (400, "explain?peer=1&vni=1&destination=::&type=nat", "nat_to need next_hop"),
        (404, "nonsense", "there is no such page"),
        (404, "", "there is no such page"),
        (404, "../../page/nothing", "there is no such file"),
        (404, "../../page/%ff", "there is no such file"),
        (400, "peers/%ff", "UTF-8"),
        (400, "vnis/%ff/routes", "UTF-8"),
    ];
    for (status, path, sentence) in wrong {
        let path =
            path.strip_prefix("../..").map_or_else(|| format!("/api/v1/{path}"), str::to_owned);
        let answer = get(http, &path);
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        let json = answer.json();
        assert!(json["error"].as_str().unwrap().contains(sentence), "{path}: {json}");
    }
    for path in ["/api/v1/peers/1", "/metrics", "/routes.json", "/livez", "/"] {
        let answer = request(http, "DELETE", path);
        assert_eq!(answer.status, 405);
        assert_eq!(answer.json(), json!({"error": "only GET and HEAD are allowed"}));
    }
    assert_eq!(get_json(http, "/api/v1/peers/1")["state"], "established");
}
