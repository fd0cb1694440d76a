use std::net::IpAddr;

use super::*;
use crate::wire::NextHopType;

fn destination(address: &str, length: u8) -> Destination {
    Destination::new(address.parse().unwrap(), length).unwrap()
}

fn hop(address: &str) -> NextHop {
    NextHop::standard(address.parse().unwrap())
}

/// The text of a small table in a format.
fn text<F: DumpFormat>(mut format: F) -> String {
    let nat: IpAddr = "2001:db8::".parse().unwrap();
    let nat = NextHop::new(nat, 7, NextHopType::Nat, 1024, 2047).unwrap();
    let rows = [
        (20, destination("10.0.0.1", 32), vec![hop("2001:db8::2"), nat, hop("10.0.0.9")]),
        (20, destination("2001:db8:1::", 48), vec![hop("2001:db8::1")]),
        (100, destination("0.0.0.0", 0), vec![hop("1:2:3:4:5:6:7:8")]),
    ];
    let mut out = String::new();
    format.begin(&mut out, "2006-01-02 15:04:05");
    for (vni, destination, next_hops) in rows {
        format.destination(&mut out, Vni(vni), &mut DestinationInfo { destination, next_hops });
    }
    format.end(&mut out);
    out
}

/// The text with the present version in place of the placeholder.
fn expected(text: &str) -> String {
    text.replace("VERSION", VERSION)
}

#[test]
fn json_is_the_references() {
    let expected = expected(include_str!("tests/routes.json"));
    assert_eq!(text(Json::default()), expected.trim_end());
}

#[test]
fn yaml_is_the_references() {
    assert_eq!(text(Yaml::default()), expected(include_str!("tests/routes.yaml")));
}

#[test]
fn an_empty_table_is_an_empty_object() {
    let (mut json, mut yaml) = (String::new(), String::new());
    Json::default().begin(&mut json, "today");
    Json::default().end(&mut json);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["vnet"], serde_json::json!({}));
    Yaml::default().begin(&mut yaml, "today");
    Yaml::default().end(&mut yaml);
    assert_eq!(yaml, expected("date: \"today\"\nvnet: {}\nmetalbondversion: VERSION\n"));
}
