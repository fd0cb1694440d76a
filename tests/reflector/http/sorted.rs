//! Listings that are sorted and searched.

use std::net::SocketAddr;

use serde_json::Value;

use crate::harness::client::hello_of;
use crate::harness::http::{get, get_json, start_with_http};
use crate::harness::{Client, ReflectorConfig, eventually, on_each_io, prefix, routes};

on_each_io!(
    peers_are_sorted_and_found,
    vnis_are_sorted_and_found,
    subscriptions_say_whose_they_are,
    sorted_pages_together_are_the_listing_in_order,
    pages_lead_back_to_the_first,
    what_comes_between_two_pages_moves_nothing,
    routes_of_all_vnis_are_searched,
    wrong_orders_are_refused,
);

/// A session of a node.
fn node(address: SocketAddr, name: &str) -> Client {
    Client::connect(address).shake_hands(hello_of(name))
}

/// One member of each row of a page.
fn column(page: &Value, name: &str) -> Vec<Value> {
    page["rows"].as_array().unwrap().iter().map(|row| row[name].clone()).collect()
}

/// One member of each row of a listing, page by page.
fn whole(http: SocketAddr, path: &str, name: &str) -> Vec<Value> {
    let (mut values, mut after) = (Vec::new(), String::new());
    loop {
        let page = get_json(http, &format!("/api/v1/{path}{after}"));
        values.extend(column(&page, name));
        let Some(next) = page["next"].as_str() else { return values };
        after = format!("&after={next}");
    }
}

fn expect_routes(http: SocketAddr, vni: u32, count: u64) {
    eventually("all routes", || {
        let answer = get(http, &format!("/api/v1/vnis/{vni}"));
        answer.status == 200 && answer.json()["routes"] == count
    });
}

fn peers_are_sorted_and_found(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut clients = ["b-1", "a-2", "B-3"].map(|name| node(address, name));
    clients[2].announce_all(&routes(1, 0..5, 1));
    clients[0].announce_all(&routes(1, 5..7, 1));
    expect_routes(http, 1, 7);
    let ids = |query: &str| column(&get_json(http, &format!("/api/v1/peers?{query}")), "id");
    for (query, expected) in [
        ("sort=node", vec![2, 1, 3]),
        ("sort=-node", vec![3, 1, 2]),
        ("sort=-routes", vec![3, 1, 2]),
        ("sort=routes", vec![2, 1, 3]),
        ("sort=uptime", vec![3, 2, 1]),
        ("sort=remote&limit=10", ids("sort=remote").iter().filter_map(Value::as_u64).collect()),
        ("match=B-", vec![1, 3]),
        ("match=b-&sort=-id", vec![3, 1]),
        ("match=%232", vec![2]),
        ("state=established", vec![1, 2, 3]),
        ("state=closing", vec![]),
    ] {
        assert_eq!(ids(query), expected, "{query}");
    }
    for name in ["agent", "state", "shard", "lag", "backlog", "subscriptions", "updates_sent"] {
        assert_eq!(ids(&format!("sort={name}")).len(), 3, "{name}");
    }
    let port = clients[1].local_addr().port();
    assert_eq!(ids(&format!("match=:{port}")), [2]);
    assert_eq!(get_json(http, "/api/v1/peers?sort=id&limit=1")["total"], 3);
}

fn vnis_are_sorted_and_found(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    for (vni, count) in [(10, 3), (101, 1), (11, 2)] {
        client.announce_all(&routes(vni, 0..count, 1));
        expect_routes(http, vni, count.into());
    }
    let vnis = |query: &str| column(&get_json(http, &format!("/api/v1/vnis?{query}")), "vni");
    assert_eq!(vnis("sort=vni"), [10, 11, 101]);
    assert_eq!(vnis("sort=-vni"), [101, 11, 10]);
    assert_eq!(vnis("sort=routes"), [101, 11, 10]);
    assert_eq!(vnis("match=10"), [10, 101]);
    for name in ["members", "subscribers", "behind", "shard"] {
        assert_eq!(vnis(&format!("sort={name}")).len(), 3, "{name}");
    }
}

fn subscriptions_say_whose_they_are(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut clients = ["b-1", "a-2", "B-3"].map(|name| node(address, name));
    for client in &mut clients {
        client.subscribe(7);
        client.expect_end_of_table(7);
    }
    clients[1].subscribe(8);
    clients[1].expect_end_of_table(8);
    let page = |query: &str| get_json(http, &format!("/api/v1/subscriptions?{query}"));
    let of_second = |row: &&Value| row["peer"] == 2 && row["vni"] == 8;
    for query in ["", "sort=peer", "vni=8", "vni=8&match=A-"] {
        let page = page(query);
        let row = page["rows"].as_array().unwrap().iter().find(of_second).unwrap();
        assert_eq!(row["node"], "a-2", "{query}");
        assert_eq!(row["remote"], clients[1].local_addr().to_string(), "{query}");
        assert_eq!(row["peer_state"], "established", "{query}");
        assert_eq!((&row["is_slow"], &row["state"]), (&false.into(), &"in_sync".into()), "{query}");
    }
    for (query, expected) in [
        ("vni=7&sort=node", vec![2, 1, 3]),
        ("vni=7&sort=-node", vec![3, 1, 2]),
        ("vni=7&sort=-peer", vec![3, 2, 1]),
        ("sort=-vni", vec![2, 3, 2, 1]),
        ("vni=7&match=B-", vec![1, 3]),
        ("vni=7&match=%232", vec![2]),
        ("vni=9&sort=node", vec![]),
    ] {
        assert_eq!(column(&page(query), "peer"), expected, "{query}");
    }
    for name in ["remote", "peer_state", "lag", "shard"] {
        assert_eq!(page(&format!("sort={name}"))["total"], 4, "{name}");
    }
    let port = clients[2].local_addr().port();
    assert_eq!(column(&page(&format!("match=:{port}")), "peer"), [3]);
}

/// From the last page to the first, each shows what it showed on the way there.
fn pages_lead_back_to_the_first(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    client.announce_all(&routes(7, 0..500, 1));
    expect_routes(http, 7, 500);
    for sort in ["destination", "-destination", "next_hop"] {
        let page = |place: String| {
            get_json(http, &format!("/api/v1/vnis/7/routes?sort={sort}&limit=97{place}"))
        };
        let mut pages = vec![page(String::new())];
        while let Some(next) = pages[pages.len() - 1]["next"].as_str() {
            pages.push(page(format!("&after={next}")));
        }
        assert_eq!(pages.len(), 6);
        for (number, pair) in pages.windows(2).enumerate().rev() {
            assert_eq!(pair[1]["offset"], (number + 1) * 97, "{sort}");
            let back = page(format!("&before={}", pair[1]["previous"].as_str().unwrap()));
            let members = |page: &Value| {
                ["next", "previous", "offset", "total"].map(|name| page[name].clone())
            };
            assert_eq!(members(&back), members(&pair[0]), "{sort} {number}");
            assert_eq!(column(&back, "destination"), column(&pair[0], "destination"), "{sort}");
        }
        assert_eq!((&pages[0]["offset"], &pages[0]["previous"]), (&0.into(), &Value::Null));
    }
}

fn sorted_pages_together_are_the_listing_in_order(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    two.announce_all(&routes(7, 600..1300, 2));
    one.announce_all(&routes(7, 0..600, 1));
    expect_routes(http, 7, 1300);
    let expected: Vec<_> =
        routes(7, 0..1300, 1).iter().map(|route| route.destination.to_string()).collect();
    let found = whole(http, "vnis/7/routes?sort=destination&limit=97", "destination");
    assert_eq!(found, expected);
    let mut found = whole(http, "vnis/7/routes?sort=-destination&limit=97", "destination");
    found.reverse();
    assert_eq!(found, expected);
    let hops = whole(http, "vnis/7/routes?sort=next_hop&limit=500", "announcers");
    assert!(hops[..600].iter().all(|announcers| announcers[0] == 1));
    assert!(hops[600..].iter().all(|announcers| announcers[0] == 2));
    for name in ["age", "announcer", "announcer_count", "vni"] {
        let path = format!("vnis/7/routes?sort={name}&within=10.0.0.0/24&limit=50");
        assert!(whole(http, &path, "destination").len() >= 256, "{name}");
    }
}

/// A page goes on after a row and not at a number: what comes before it shifts nothing.
fn what_comes_between_two_pages_moves_nothing(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let mut client = Client::establish(address);
    client.announce_all(&routes(7, 100..110, 1));
    expect_routes(http, 7, 10);
    let first = get_json(http, "/api/v1/vnis/7/routes?sort=destination&limit=5");
    client.announce_all(&routes(7, 0..50, 1));
    client.withdraw_all(&routes(7, 104..105, 1));
    expect_routes(http, 7, 59);
    let after = first["next"].as_str().unwrap();
    let path = format!("/api/v1/vnis/7/routes?sort=destination&limit=5&after={after}");
    let second = get_json(http, &path);
    let expected: Vec<_> =
        routes(7, 105..110, 1).iter().map(|route| route.destination.to_string()).collect();
    assert_eq!(column(&second, "destination"), expected);
    assert_eq!((&second["next"], &second["total"]), (&Value::Null, &Value::from(59)));
}

fn routes_of_all_vnis_are_searched(config: ReflectorConfig) {
    let (_reflector, address, http) = start_with_http(config);
    let [mut one, mut two] = [(); 2].map(|()| Client::establish(address));
    let at = |vni, address: &str, length, hop| prefix(vni, address.parse().unwrap(), length, hop);
    one.announce_all(&[at(1, "10.0.0.0", 8, 1), at(1, "10.1.0.0", 16, 1), at(2, "::", 0, 1)]);
    two.announce_all(&[at(2, "10.0.0.0", 8, 2), at(3, "10.1.0.0", 16, 2)]);
    for (vni, count) in [(1, 2), (2, 2), (3, 1)] {
        expect_routes(http, vni, count);
    }
    let found = |query: &str| {
        let page = get_json(http, &format!("/api/v1/routes?{query}"));
        let vnis = column(&page, "vni").into_iter();
        let names = column(&page, "destination").into_iter();
        let row = |(vni, name): (Value, Value)| format!("{vni} {}", name.as_str().unwrap());
        assert_eq!(page["total"], vnis.len());
        vnis.zip(names).map(row).collect::<Vec<_>>()
    };
    assert_eq!(found("address=10.1.2.3"), ["1 10.1.0.0/16", "2 10.0.0.0/8", "3 10.1.0.0/16"]);
    assert_eq!(found("prefix=10.0.0.0/8"), ["1 10.0.0.0/8", "2 10.0.0.0/8"]);
    assert_eq!(found("within=10.1.0.0/16"), ["1 10.1.0.0/16", "3 10.1.0.0/16"]);
    assert_eq!(found("next_hop=2001:db8::2"), ["2 10.0.0.0/8", "3 10.1.0.0/16"]);
    assert_eq!(found("announcer=1"), ["1 10.0.0.0/8", "1 10.1.0.0/16", "2 ::/0"]);
    assert_eq!(found("announcer=1&address=10.1.2.3"), ["1 10.1.0.0/16"]);
    assert!(found("announcer=99").is_empty());
    assert_eq!(found("sort=-destination")[0], "2 ::/0");
    assert_eq!(whole(http, "routes?sort=destination&limit=1", "vni"), [1, 2, 1, 3, 2]);
}

fn wrong_orders_are_refused(config: ReflectorConfig) {
    let (_reflector, _address, http) = start_with_http(config);
    let wrong = [
        ("peers?sort=size", "sort: expected a column's name, found \"size\""),
        ("peers?sort=id&after=xyz", "after: expected the value next of an earlier page"),
        ("vnis?before=0", "before: expected the value previous of a page of the same order"),
        ("peers?after=00&before=00", "only one of after and before may be given"),
        ("subscriptions?sort=routes", "sort: expected a column's name"),
        ("peers?sort=id&cursor=0-0-0", "continues with after, not with cursor"),
        ("peers?state=asleep", "state: expected connecting, established or closing"),
        ("vnis?sort=node", "sort: expected a column's name"),
        ("routes?cursor=0-0-0", "continues with after, not with cursor"),
        ("routes?address=::1&prefix=::1", "only one of address, prefix and within may be given"),
        ("routes?address=10", "address: expected an address, found \"10\""),
        ("vnis/1/routes?sort=", "sort: expected a column's name, found \"\""),
    ];
    for (path, sentence) in wrong {
        let answer = get(http, &format!("/api/v1/{path}"));
        assert_eq!(answer.status, 400, "{path}");
        let json = answer.json();
        assert!(json["error"].as_str().unwrap().contains(sentence), "{path}: {json}");
    }
}
