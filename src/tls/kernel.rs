//! Hands a connection that has shaken hands to the kernel's TLS.

use std::os::fd::AsFd;

use rustls::{Connection, ConnectionTrafficSecrets, ExtractedSecrets};

use super::TlsFault;
use super::files::lasts;
use crate::io::{self, Direction, TlsKeys};

/// Gives the keys of a connection to the kernel; returns the connection if it is not fit for that. It is fit if its
/// configuration lets keys out, its keys need no replacement, and rustls holds no received or unsent
/// bytes.
///
/// # Errors
/// [`TlsFault`]; then the connection is lost.
pub(crate) fn give_keys(
    tcp: &impl AsFd,
    mut tls: Connection,
) -> Result<Option<Connection>, TlsFault> {
    let holds_nothing =
        tls.process_new_packets()?.plaintext_bytes_to_read() == 0 && !tls.wants_write();
    if !holds_nothing
        || !tls.negotiated_cipher_suite().is_some_and(|it| lasts(&it))
        || io::prepare(tcp).is_err()
    {
        return Ok(Some(tls));
    }
    let ExtractedSecrets { tx, rx } = tls.dangerous_extract_secrets()?;
    for ((sequence, secrets), direction) in [(tx, Direction::Send), (rx, Direction::Receive)] {
        let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secrets else {
            return Err(TlsFault::Protocol(
                "the kernel cannot encrypt with the cipher of this session".to_owned(),
            ));
        };
        let wrong = |_| TlsFault::Protocol("its keys have an unexpected length".to_owned());
        let key = key.as_ref().try_into().map_err(wrong)?;
        let iv = iv.as_ref().try_into().map_err(wrong)?;
        io::set_keys(tcp, direction, &TlsKeys { key, iv, sequence })?;
    }
    Ok(None)
}
