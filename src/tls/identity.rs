//! What a certificate proves. Call it only with one whose chain has been checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::TlsFault;
use crate::session::Identity;

const SPIFFE: &str = "spiffe://";

/// The identity in a certificate. The name is the SPIFFE ID, then the only URI (X.509-SVID, section 2), else the first
/// DNS name without a wildcard. The addresses are the IP addresses.
///
/// # Errors
/// [`TlsFault::Certificate`], if it can't be read, or has too many names.
pub(crate) fn identity(certificate: &CertificateDer<'_>) -> Result<Identity, TlsFault> {
    let wrong = |why: &str| TlsFault::Certificate(why.to_owned());
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| wrong("it cannot be read"))?;
    let names = parsed.subject_alternative_name().map_err(|_| wrong("its names cannot be read"))?;
    let names = names.map_or(&[][..], |names| &names.value.general_names);
    let uris = names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) => Some(*uri),
        _ => None,
    });
    let is_spiffe =
        |uri: &str| uri.get(..SPIFFE.len()).is_some_and(|it| it.eq_ignore_ascii_case(SPIFFE));
    let uris: Vec<_> = uris.collect();
    let name = match uris.as_slice() {
        [uri] if is_spiffe(uri) => Some(*uri),
        uris if uris.iter().any(|uri| is_spiffe(uri)) => {
            return Err(wrong("it has a SPIFFE ID and another URI"));
        }
        _ => names.iter().find_map(|name| match name {
            GeneralName::DNSName(name) if !name.contains('*') => Some(*name),
            _ => None,
        }),
    };
    let addresses = names.iter().filter_map(|name| match name {
        GeneralName::IPAddress(bytes) => Some(address(bytes)),
        _ => None,
    });
    let addresses: Option<Vec<_>> = addresses.collect();
    let addresses =
        addresses.ok_or_else(|| wrong("an IP address in it has neither 4 nor 16 bytes"))?;
    Identity::new(name, addresses).ok_or_else(|| {
        wrong("its name is longer than 255 characters or has invisible ones, or it has more than 256 addresses")
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).to_canonical())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn of(names: &[SanType]) -> Result<Identity, TlsFault> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        identity(certificate.der())
    }

    fn dns(name: &str) -> SanType {
        SanType::DnsName(name.try_into().unwrap())
    }

    fn uri(name: &str) -> SanType {
        SanType::URI(name.try_into().unwrap())
    }

    #[test]
    fn a_spiffe_id_goes_before_a_dns_name() {
        let found = of(&[dns("hv-17.example"), uri("spiffe://dc1/hv/17")]).unwrap();
        assert_eq!(found.name(), Some("spiffe://dc1/hv/17"));
        let found = of(&[uri("https://hv-17.example"), dns("*.example"), dns("hv-17.example")]);
        assert_eq!(found.unwrap().name(), Some("hv-17.example"));
        assert_eq!(of(&[]).unwrap(), Identity::default());
    }

    #[test]
    fn addresses_are_owned_next_hops() {
        let addresses = ["2001:db8::17", "192.0.2.17"].map(|it| it.parse::<IpAddr>().unwrap());
        let found = of(&addresses.map(SanType::IpAddress)).unwrap();
        assert_eq!((found.name(), found.addresses()), (None, &addresses[..]));
    }

    #[test]
    fn a_certificate_that_says_too_much_is_refused() {
        let two = of(&[uri("spiffe://dc1/hv/17"), uri("spiffe://dc1/hv/18")]);
        assert!(matches!(two, Err(TlsFault::Certificate(_))), "{two:?}");
        let many = [0; 257].map(|_| SanType::IpAddress([192, 0, 2, 1].into()));
        assert!(matches!(of(&many), Err(TlsFault::Certificate(_))));
        assert!(matches!(of(&[dns(&"n".repeat(256))]), Err(TlsFault::Certificate(_))));
        let nothing = identity(&CertificateDer::from(vec![0x30, 0x82]));
        assert!(matches!(nothing, Err(TlsFault::Certificate(_))), "{nothing:?}");
    }
}
