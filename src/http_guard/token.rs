//! A token that requests must bear (RFC 6750).

use std::fmt;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// The least bytes of a token: shorter ones can be guessed.
const LENGTH_MIN: usize = 16;
/// The most bytes of its file.
const FILE_MAX: u64 = 4096;
/// The beginning of the header, in any case.
const SCHEME: &[u8] = b"bearer ";

/// Why the file of a token is not usable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read the HTTP token of {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The file does not contain a valid token.
    #[error(
        "{0} holds no HTTP token: write one line of {LENGTH_MIN} to {FILE_MAX} visible ASCII characters, such as \
         openssl rand -hex 32 prints"
    )]
    NoToken(PathBuf),
}

/// See the module's documentation. Its text is never printed.
#[derive(Clone)]
pub(super) struct Token(Box<[u8]>);

impl Token {
    /// Reads the token of a file: its only line.
    pub(super) fn read(path: &Path) -> Result<Self, TokenError> {
        let mut text = Vec::new();
        let read = File::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut text));
        read.map_err(|source| TokenError::Read { path: path.to_owned(), source })?;
        let token = text.trim_ascii();
        let is_token = token.len() >= LENGTH_MIN
            && text.len() as u64 <= FILE_MAX
            && token.iter().all(u8::is_ascii_graphic);
        if is_token { Ok(Self(token.into())) } else { Err(TokenError::NoToken(path.to_owned())) }
    }

    /// Whether a request has this token. The time depends only on the length of the request's token.
    pub(super) fn is_said(&self, said: &[u8]) -> bool {
        let mut difference = u8::from(said.len() != self.0.len());
        for (said, own) in said.iter().zip(self.0.iter().cycle()) {
            difference = black_box(difference | (said ^ own));
        }
        difference == 0
    }

    /// Whether it equals another one.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.is_said(&other.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// The token in an `Authorization` header, if it has one.
pub(super) fn borne(authorization: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = authorization.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef";

    fn read(text: &[u8]) -> Result<Token, TokenError> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("metalbond-token-{}-{number}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        let token = Token::read(&path);
        std::fs::remove_file(&path).unwrap();
        token
    }

    #[test]
    fn a_token_is_one_line() {
        for text in [TEXT, &format!("{TEXT}\n"), &format!(" {TEXT}\r\n"), &"a".repeat(4096)] {
            assert!(read(text.as_bytes()).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "\n",
            &TEXT[1..],
            &format!("{TEXT}\n{TEXT}"),
            "0123456789 abcdef",
            &"a".repeat(4097),
        ] {
            assert!(matches!(read(text.as_bytes()), Err(TokenError::NoToken(_))), "{text:?}");
        }
        assert!(matches!(Token::read(Path::new("/nowhere")), Err(TokenError::Read { .. })));
    }

    #[test]
    fn only_the_same_text_is_the_token() {
        let token = read(TEXT.as_bytes()).unwrap();
        assert!(token.is_said(TEXT.as_bytes()));
        let longer = format!("{TEXT}{TEXT}");
        for text in ["", &TEXT[1..], &TEXT[..15], "0123456789abcdeF", "1123456789abcdef", &longer] {
            assert!(!token.is_said(text.as_bytes()), "{text}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn a_token_is_borne_by_its_scheme_alone() {
        assert_eq!(borne(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(borne(b"bearer  abc "), Some(&b"abc"[..]));
        assert_eq!(borne(b"Basic abc"), None);
        assert_eq!(borne(b"Bearer"), None);
    }
}
