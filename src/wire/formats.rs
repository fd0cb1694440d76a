//! Values of the wire in the formats of other crates, with the feature `serde`: destinations and types as text, VNIs as
//! numbers, next hops as structures, whose members are those of the reflector's API. Values that are read are checked
//! as received ones are.

use std::net::IpAddr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Destination, NextHop, NextHopType, Vni};

impl Serialize for Vni {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Vni {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self)
    }
}

impl Serialize for Destination {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Destination {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}

impl Serialize for NextHopType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for NextHopType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer)
    }
}

/// A next hop's members. Members that a plain route does not need may be missing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    address: IpAddr,
    #[serde(default)]
    target_vni: u32,
    #[serde(rename = "type", default = "standard")]
    kind: NextHopType,
    #[serde(default)]
    nat_from: u32,
    #[serde(default)]
    nat_to: u32,
}

fn standard() -> NextHopType {
    NextHopType::Standard
}

impl Serialize for NextHop {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (nat_from, nat_to) = self.nat_ports();
        let (address, target_vni, kind) = (self.address(), self.target_vni(), self.kind());
        Members { address, target_vni, kind, nat_from, nat_to }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for NextHop {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Members { address, target_vni, kind, nat_from, nat_to } =
            Members::deserialize(deserializer)?;
        Self::new(address, target_vni, kind, nat_from, nat_to).map_err(D::Error::custom)
    }
}

/// The value that a text parses to.
fn text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    struct Text<T>(std::marker::PhantomData<T>);

    impl<T: std::str::FromStr<Err: std::fmt::Display>> serde::de::Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(|error| E::custom(format_args!("{text:?}: {error}")))
        }
    }

    deserializer.deserialize_str(Text(std::marker::PhantomData))
}

#[cfg(test)]
#[cfg(feature = "server")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let destination: Destination = "10.0.23.0/24".parse().unwrap();
        let hop: NextHop = "2001:db8::1 target vni 7 nat 1024-2047".parse().unwrap();
        let value = serde_json::to_value((Vni(23), destination, hop)).unwrap();
        let expected = json!([23, "10.0.23.0/24", {
            "address": "2001:db8::1", "target_vni": 7, "type": "nat", "nat_from": 1024, "nat_to": 2047,
        }]);
        assert_eq!(value, expected);
        let read: (Vni, Destination, NextHop) = serde_json::from_value(value).unwrap();
        assert_eq!(read, (Vni(23), destination, hop));
        let plain: NextHop = serde_json::from_value(json!({ "address": "2001:db8::1" })).unwrap();
        assert_eq!(plain, "2001:db8::1".parse().unwrap());
    }

    #[test]
    fn what_no_message_could_carry_is_refused() {
        let hop = |value| serde_json::from_value::<NextHop>(value).unwrap_err().to_string();
        let ports = hop(json!({ "address": "::1", "type": "nat", "nat_from": 2, "nat_to": 1 }));
        assert!(ports.contains('2'), "{ports}");
        let kind = hop(json!({ "address": "::1", "type": "tunnel" }));
        assert!(kind.contains("expected standard, nat or lb"), "{kind}");
        let destination = serde_json::from_value::<Destination>(json!("10.0.0.0/33")).unwrap_err();
        assert!(destination.to_string().contains("10.0.0.0/33"), "{destination}");
    }
}
