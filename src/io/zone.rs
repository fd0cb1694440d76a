//! IPv6 addresses with a zone: the network interface that a link-local address is of (RFC 4007).
//!
//! The standard library reads a zone that is a number, but not a zone that is a name. Stateless; a name is looked up
//! each time, because interfaces come and go.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use thiserror::Error;

/// Why an address cannot have this zone, or lacks one.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// The address is not link-local, so it has no zone.
    #[error("{0} takes no zone, only a link-local address (fe80::/10) has one")]
    NotLinkLocal(Ipv6Addr),
    /// The zone is neither the name nor the number of an interface.
    #[error("there is no network interface {0:?}; ip link lists them")]
    NoInterface(String),
    /// Without a zone the kernel does not know where a link-local address is.
    #[error("{0} is link-local and needs its network interface, such as [{0}%eth0]")]
    Missing(Ipv6Addr),
}

/// Splits `ADDRESS%ZONE`, or `ADDRESS` without a zone. `None` if the text does not begin with an IPv6 address.
#[must_use]
pub fn split_zone(text: &str) -> Option<(Ipv6Addr, Option<&str>)> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let is_zone = |zone: &str| !zone.is_empty() && !zone.contains([':', '[', ']', '%', '/', ' ']);
    (zone.is_none_or(is_zone)).then_some(())?;
    Some((address.parse().ok()?, zone))
}

/// Parses `[ADDRESS%ZONE]:PORT` or `[ADDRESS]:PORT`; the zone is the name of an interface or its number. `None` if the
/// text has another form.
///
/// # Errors
/// [`ZoneError`] if the zone is missing, unknown or not allowed.
pub fn zoned(text: &str) -> Option<Result<SocketAddr, ZoneError>> {
    let (host, port) = text.rsplit_once(':')?;
    let (address, zone) = split_zone(host.strip_prefix('[')?.strip_suffix(']')?)?;
    let port = port.parse().ok()?;
    let scope = match zone {
        None if address.is_unicast_link_local() => Err(ZoneError::Missing(address)),
        None => Ok(0),
        Some(_) if !address.is_unicast_link_local() => Err(ZoneError::NotLinkLocal(address)),
        Some(zone) => index_of(zone).ok_or_else(|| ZoneError::NoInterface(zone.to_owned())),
    };
    Some(scope.map(|scope| SocketAddrV6::new(address, port, 0, scope).into()))
}

/// The number of an interface: by name, or as a number itself, which need not exist yet.
fn index_of(zone: &str) -> Option<u32> {
    by_name(zone).or_else(|| zone.parse().ok().filter(|index| *index != 0))
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "no safe wrapper of if_nametoindex on every Unix")]
fn by_name(name: &str) -> Option<u32> {
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: the pointer is to a string that ends with NUL and lives longer than the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

#[cfg(not(unix))]
fn by_name(_name: &str) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_zone_by_name_or_number() {
        let address =
            |scope| Ok(SocketAddrV6::new("fe80::1".parse().unwrap(), 47, 0, scope).into());
        assert_eq!(zoned("[fe80::1%7]:47"), Some(address(7)));
        if cfg!(target_os = "linux") {
            assert_eq!(zoned("[fe80::1%lo]:47"), Some(address(1)));
        }
        let plain = "[2001:db8::1]:47";
        assert_eq!(zoned(plain), Some(Ok(plain.parse().unwrap())));
    }

    #[test]
    fn what_is_wrong_with_a_zone_is_reported() {
        let error = |text| zoned(text).unwrap().unwrap_err().to_string();
        assert!(error("[fe80::1%none-such]:47").contains("\"none-such\""));
        assert!(error("[fe80::1%0]:47").contains("\"0\""));
        assert!(error("[fe80::1]:47").contains("[fe80::1%eth0]"));
        assert!(error("[2001:db8::1%lo]:47").contains("fe80::/10"));
    }

    #[test]
    fn everything_else_is_of_another_form() {
        let texts =
            ["fe80::1%lo", "[fe80::1%lo]", "[fe80::1%]:47", "[fe80::1%a%b]:47", "[x%lo]:47"];
        for text in texts.into_iter().chain(["192.0.2.1:47", "host:47", "[fe80::1%lo]:70000"]) {
            assert_eq!(zoned(text), None, "{text}");
        }
    }
}
