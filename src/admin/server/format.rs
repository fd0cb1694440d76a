//! The reference's two formats, written piece by piece. serde_json does not serve here: it needs a whole value (here:
//! all routes) before it writes any of it, and has no YAML.
//!
//! A VNI is written with its first destination, so a VNI whose routes have gone meanwhile is left out. Destinations
//! come in no order: the reference sorts them, but members of a JSON object have no order.

use std::fmt::Write as _;

use crate::wire::{Destination, DestinationInfo, IpVersion, NextHop, Vni};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A format of the table. Called for all destinations of a VNI, then of the next VNI.
pub(crate) trait DumpFormat: Send + 'static {
    const CONTENT_TYPE: &'static str;

    fn begin(&mut self, out: &mut String, date: &str);
    fn destination(&mut self, out: &mut String, vni: Vni, row: &mut DestinationInfo);
    fn end(&mut self, out: &mut String);
}

/// The form of Go's `json.MarshalIndent`.
#[derive(Debug, Default)]
pub(crate) struct Json {
    vni: Option<Vni>,
}

impl DumpFormat for Json {
    const CONTENT_TYPE: &'static str = "application/json";

    fn begin(&mut self, out: &mut String, date: &str) {
        put(out, format_args!("{{\n  \"date\": \"{date}\",\n  \"vnet\": {{"));
    }

    fn destination(&mut self, out: &mut String, vni: Vni, row: &mut DestinationInfo) {
        if self.vni == Some(vni) {
            out.push(',');
        } else {
            out.push_str(if self.vni.is_some() { "\n    }," } else { "" });
            put(out, format_args!("\n    \"{vni}\": {{"));
            self.vni = Some(vni);
        }
        let (family, prefix) = (family(&row.destination), row.destination);
        put(
            out,
            format_args!(
                "\n      \"{{\\\"IPVersion\\\":{family},\\\"Prefix\\\":\\\"{prefix}\\\"}}\": ["
            ),
        );
        sort(&mut row.next_hops);
        for (place, hop) in row.next_hops.iter().enumerate() {
            let (from, to) = hop.nat_ports();
            let (address, vni, kind) = (hop.address(), hop.target_vni(), hop.kind() as u8);
            out.push_str(if place == 0 { "" } else { "," });
            put(
                out,
                format_args!(
                    "\n        {{\n          \"TargetAddress\": \"{address}\",\
                     \n          \"TargetVNI\": {vni},\n          \"Type\": {kind},\
                     \n          \"NATPortRangeFrom\": {from},\
                     \n          \"NATPortRangeTo\": {to}\n        }}"
                ),
            );
        }
        out.push_str("\n      ]");
    }

    fn end(&mut self, out: &mut String) {
        out.push_str(if self.vni.is_some() { "\n    }\n  }" } else { "}" });
        put(out, format_args!(",\n  \"metalbondVersion\": \"{VERSION}\"\n}}"));
    }
}

/// The form of Go's `yaml.v2`.
#[derive(Debug, Default)]
pub(crate) struct Yaml {
    vni: Option<Vni>,
}

impl DumpFormat for Yaml {
    const CONTENT_TYPE: &'static str = "text/yaml";

    fn begin(&mut self, out: &mut String, date: &str) {
        put(out, format_args!("date: \"{date}\"\nvnet:"));
    }

    fn destination(&mut self, out: &mut String, vni: Vni, row: &mut DestinationInfo) {
        if self.vni != Some(vni) {
            put(out, format_args!("\n  {vni}:"));
            self.vni = Some(vni);
        }
        let (family, prefix) = (family(&row.destination), row.destination);
        put(out, format_args!("\n    '{{\"IPVersion\":{family},\"Prefix\":\"{prefix}\"}}':"));
        sort(&mut row.next_hops);
        for hop in &row.next_hops {
            let (from, to) = hop.nat_ports();
            let address = quoted(hop.address().to_string());
            let (vni, kind) = (hop.target_vni(), hop.kind() as u8);
            put(
                out,
                format_args!(
                    "\n    - targetaddress: {address}\n      targetvni: {vni}\n      type: {kind}\
                     \n      natportrangefrom: {from}\n      natportrangeto: {to}"
                ),
            );
        }
    }

    fn end(&mut self, out: &mut String) {
        out.push_str(if self.vni.is_some() { "" } else { " {}" });
        put(out, format_args!("\nmetalbondversion: {VERSION}\n"));
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    out.write_fmt(text).unwrap_or_default();
}

fn family(destination: &Destination) -> u8 {
    match destination.version() {
        IpVersion::V4 => 4,
        IpVersion::V6 => 6,
    }
}

/// Sorts by the text by which the reference sorts, then by the fields.
fn sort(hops: &mut [NextHop]) {
    if hops.len() > 1 {
        hops.sort_by_cached_key(|hop| {
            let address = hop.address();
            let text = match hop.target_vni() {
                0 => address.to_string(),
                vni => format!("{address} (VNI: {vni})"),
            };
            (text, *hop)
        });
    }
}

/// An address as a YAML scalar. Unquoted, a text that ends in a colon would be a key, and an address of short
/// decimal groups only would be a number to the base of 60.
fn quoted(address: String) -> String {
    let is_sexagesimal = address.contains(':')
        && address.split(':').enumerate().all(|(place, group)| {
            let is_decimal = !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
            is_decimal && (place == 0 || group.parse::<u32>().is_ok_and(|group| group < 60))
        });
    if is_sexagesimal {
        format!("\"{address}\"")
    } else if address.ends_with(':') {
        format!("'{address}'")
    } else {
        address
    }
}

#[cfg(test)]
mod tests;
