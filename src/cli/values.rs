//! Values of flags that more than one subcommand takes.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use metalbond::io::zoned;

/// An address as the reference takes it: `[::]:4711`, `:4711`, `host:4711`; and `[fe80::1%eth0]:4711`.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    if let Some(address) = zoned(&full) {
        return address.map_err(|error| error.to_string());
    }
    let mut found = full
        .to_socket_addrs()
        .map_err(|_| "expected ADDRESS:PORT, such as [::]:4711 or 192.0.2.1:4711".to_owned())?;
    found.next().ok_or_else(|| "the name has no address".to_owned())
}

/// An address for what is nobody else's business: a port alone is on the loopback.
pub(super) fn local_address(text: &str) -> Result<SocketAddr, String> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let port = text.parse().map_err(|_| "expected a port from 0 to 65535".to_owned())?;
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    if let Some(Err(error)) = zoned(text) {
        return Err(error.to_string());
    }
    address(text).map_err(|_| {
        "expected PORT for this machine alone, or ADDRESS:PORT, such as 8080 or [::]:8080"
            .to_owned()
    })
}

/// A time with its unit; a bare 0 needs none.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "expected a number and a unit, such as 500us".to_owned())?;
    match unit {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        "" if number == 0 => Ok(Duration::ZERO),
        _ => Err("expected one of the units us, ms, s".to_owned()),
    }
}

/// A number of things, which have a plural in s.
pub(super) fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The name of this machine, told to peers that know our extensions; empty if it has none.
pub(super) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map(|name| name.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_the_reference_takes_them() {
        assert_eq!(address(":4711"), Ok(SocketAddr::from(([0u16; 8], 4711))));
        assert_eq!(address("127.0.0.1:80"), Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert_eq!(address("[fe80::1%7]:80"), Ok("[fe80::1%7]:80".parse().unwrap()));
        assert!(address("[fe80::1%none-such]:80").unwrap_err().contains("none-such"));
        assert!(local_address("[fe80::1]:80").unwrap_err().contains("fe80::1%eth0"));
        assert!(address("nonsense").is_err());
        assert!(address("[::]").is_err());
    }

    #[test]
    fn a_port_alone_is_on_the_loopback() {
        assert_eq!(local_address("8080"), Ok(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(local_address(":8080"), Ok(SocketAddr::from(([0u16; 8], 8080))));
        assert_eq!(local_address("192.0.2.1:80"), Ok(SocketAddr::from(([192, 0, 2, 1], 80))));
        for text in ["", "65536", "+80", "[::]"] {
            assert!(local_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn one_thing_is_no_plural() {
        let told = [0, 1, 2].map(|number| counted(number, "session"));
        assert_eq!(told, ["0 sessions", "1 session", "2 sessions"]);
    }

    #[test]
    fn times_need_a_unit_unless_zero() {
        assert_eq!(duration("500us"), Ok(Duration::from_micros(500)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert!(duration("5").is_err());
        assert!(duration("ms").is_err());
        assert!(duration("99999999999999999999s").is_err());
    }
}
