//! Which backend a process uses: asked for by the operator, answered by the kernel.
//!
//! Stateless; called once at start, before any shard runs. It decides from a ring that was
//! really set up, never from a version number.

use std::fmt;
use std::str::FromStr;

use super::error::Unavailable;
use super::{IoError, uring};

/// The backend that the configuration asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IoChoice {
    /// io_uring where it works, otherwise epoll.
    #[default]
    Auto,
    /// io_uring; where it does not work, the reflector does not start.
    Uring,
    /// Readiness: epoll on Linux, a similar call on other systems.
    Epoll,
}

/// The backend that a process uses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backend {
    /// Operations through an io_uring.
    Uring,
    /// Readiness: epoll on Linux, a similar call on other systems.
    Epoll,
}

impl FromStr for IoChoice {
    type Err = IoError;

    fn from_str(text: &str) -> Result<Self, IoError> {
        match text {
            "auto" => Ok(Self::Auto),
            "uring" => Ok(Self::Uring),
            "epoll" => Ok(Self::Epoll),
            _ => Err(IoError::UnknownChoice(text.to_owned())),
        }
    }
}

impl fmt::Display for IoChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Uring => "uring",
            Self::Epoll => "epoll",
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uring => "uring",
            Self::Epoll => "epoll",
        })
    }
}

/// Picks the backend. If [`IoChoice::Auto`] leads to epoll, the text says why io_uring does not work and what would
/// help, in two clauses.
///
/// # Errors
///
/// [`IoError::UringUnavailable`] if [`IoChoice::Uring`] is chosen and io_uring does not work.
pub fn choose(choice: IoChoice) -> Result<(Backend, Option<String>), IoError> {
    decide(choice, uring::available)
}

fn decide(
    choice: IoChoice,
    available: impl FnOnce() -> Result<(), Unavailable>,
) -> Result<(Backend, Option<String>), IoError> {
    if choice == IoChoice::Epoll {
        return Ok((Backend::Epoll, None));
    }
    match (available(), choice) {
        (Ok(()), _) => Ok((Backend::Uring, None)),
        (Err(Unavailable { reason, remedy }), IoChoice::Uring) => {
            Err(IoError::UringUnavailable { reason, remedy })
        }
        (Err(Unavailable { reason, remedy }), _) => {
            Ok((Backend::Epoll, Some(format!("{reason}; {remedy}"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<(), Unavailable> {
        Err(Unavailable { reason: "the kernel refuses it".into(), remedy: "choose epoll" })
    }

    #[test]
    fn choices_read_back_as_written() {
        for choice in [IoChoice::Auto, IoChoice::Uring, IoChoice::Epoll] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!("Uring".parse::<IoChoice>(), Err(IoError::UnknownChoice("Uring".into())));
    }

    #[test]
    fn auto_falls_back_and_says_why() {
        assert_eq!(
            decide(IoChoice::Auto, refused),
            Ok((Backend::Epoll, Some("the kernel refuses it; choose epoll".into())))
        );
        assert_eq!(decide(IoChoice::Auto, || Ok(())), Ok((Backend::Uring, None)));
    }

    #[test]
    fn forced_uring_fails_with_a_remedy() {
        let error = decide(IoChoice::Uring, refused).unwrap_err().to_string();
        assert_eq!(error, "cannot use io_uring (--io uring): the kernel refuses it; choose epoll");
    }

    #[test]
    fn epoll_asks_nobody() {
        let asked = decide(IoChoice::Epoll, || unreachable!("epoll needs no probe"));
        assert_eq!(asked, Ok((Backend::Epoll, None)));
    }
}
