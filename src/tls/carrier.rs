//! Who carries sessions over TLS: as the operator wants it, and as the kernel can.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::session::TlsCarrier;

/// The carrier of TLS that an operator asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsCarrierChoice {
    /// The kernel where it has TLS, otherwise threads of the process.
    #[default]
    Auto,
    /// The kernel. Without TLS in the kernel the reflector does not start.
    Kernel,
    /// Threads of the process.
    Process,
}

/// Why the carrier of TLS that an operator asks for is not available.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CarrierError {
    /// The kernel has no TLS.
    #[error(
        "--tls-carrier kernel: the kernel has no TLS with ChaCha20-Poly1305 ({0}); load its module \
         (modprobe tls), or use --tls-carrier auto"
    )]
    NotInKernel(String),
    /// There is no such carrier.
    #[error("unknown carrier {0:?}; one of auto, kernel, process")]
    Unknown(String),
}

impl FromStr for TlsCarrierChoice {
    type Err = CarrierError;

    fn from_str(text: &str) -> Result<Self, CarrierError> {
        match text {
            "auto" => Ok(Self::Auto),
            "kernel" => Ok(Self::Kernel),
            "process" => Ok(Self::Process),
            _ => Err(CarrierError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for TlsCarrierChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Kernel => "kernel",
            Self::Process => "process",
        })
    }
}

/// Picks the carrier; `try_out` tells whether the kernel has TLS. With [`TlsCarrierChoice::Auto`] also returns why it
/// is not the kernel.
///
/// # Errors
/// [`CarrierError::NotInKernel`]
pub(crate) fn choose(
    choice: TlsCarrierChoice,
    try_out: impl FnOnce() -> std::io::Result<()>,
) -> Result<(TlsCarrier, Option<std::io::Error>), CarrierError> {
    if choice == TlsCarrierChoice::Process {
        return Ok((TlsCarrier::Process, None));
    }
    match (try_out(), choice) {
        (Ok(()), _) => Ok((TlsCarrier::Kernel, None)),
        (Err(error), TlsCarrierChoice::Kernel) => Err(CarrierError::NotInKernel(error.to_string())),
        (Err(error), _) => Ok((TlsCarrier::Process, Some(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_back_as_written() {
        for choice in ["auto", "kernel", "process"] {
            assert_eq!(choice.parse::<TlsCarrierChoice>().unwrap().to_string(), choice);
        }
        let error = "Kernel".parse::<TlsCarrierChoice>().unwrap_err().to_string();
        assert_eq!(error, "unknown carrier \"Kernel\"; one of auto, kernel, process");
    }

    #[test]
    fn a_kernel_without_tls_is_no_carrier() {
        let lacks = || Err(std::io::ErrorKind::NotFound.into());
        let (carrier, why) = choose(TlsCarrierChoice::Auto, lacks).unwrap();
        assert_eq!((carrier, why.is_some()), (TlsCarrier::Process, true));
        let error = choose(TlsCarrierChoice::Kernel, lacks).unwrap_err().to_string();
        assert!(error.contains("modprobe tls"), "{error}");
        let chosen = choose(TlsCarrierChoice::Auto, || Ok(())).unwrap().0;
        assert_eq!(chosen, TlsCarrier::Kernel);
        let asks_nobody = || panic!("nobody is asked");
        let chosen = choose(TlsCarrierChoice::Process, asks_nobody).unwrap().0;
        assert_eq!(chosen, TlsCarrier::Process);
    }
}
