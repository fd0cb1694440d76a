//! Who may ask over HTTP: the host names that a request may give, and the token that it must carry.
//!
//! A foreign web page can make a browser on this network resolve the page's own host name to this machine (DNS
//! rebinding), and read the answers. The `Host` of such a request is the page's. So `Host` must be an address,
//! `localhost`, or a name that the operator has given. `host` reads names; `token` reads the token's file and compares
//! tokens.
//!
//! State: the rules in force, which [`HttpGuard::renew`] replaces as a whole. Each request reads them once.
//!
//! Imports: nothing.

mod host;
mod token;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::info;

pub use host::HostName;
pub(crate) use host::is_named;
use token::Token;
pub use token::TokenError;

/// The requirements of an HTTP endpoint for requests. By default a request must name an address or `localhost`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpRules {
    /// Further host names that requests may use for the endpoint.
    pub hosts: Vec<HostName>,
    /// The file with the token that requests need; `None` for no token.
    pub token_file: Option<PathBuf>,
}

/// The check of requests against [`HttpRules`]. Clones share one state.
#[derive(Clone, Debug)]
pub struct HttpGuard(Arc<watch::Sender<Arc<InForce>>>);

impl Default for HttpGuard {
    /// A guard with the default rules.
    fn default() -> Self {
        Self::of(InForce { hosts: Vec::new(), token: None })
    }
}

#[derive(Debug)]
struct InForce {
    hosts: Vec<HostName>,
    token: Option<Token>,
}

/// Why a request is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turned {
    /// It bears no token.
    NoToken,
    /// It bears another token.
    WrongToken,
}

impl HttpGuard {
    /// A guard with these rules. Reads the file of the token.
    ///
    /// # Errors
    /// [`TokenError`] if the file has no valid token.
    pub fn new(rules: &HttpRules) -> Result<Self, TokenError> {
        InForce::of(rules).map(Self::of)
    }

    /// Replaces the rules. Reads the file of the token again.
    ///
    /// # Errors
    /// [`TokenError`] if the file has no valid token. The rules do not change then.
    pub fn renew(&self, rules: &HttpRules) -> Result<(), TokenError> {
        let new = InForce::of(rules)?;
        let is_other = match (&self.in_force().token, &new.token) {
            (Some(old), Some(new)) => !old.is(new),
            // Adding or removing the file is logged as a change of the setting.
            _ => false,
        };
        self.0.send_replace(Arc::new(new));
        if is_other {
            info!("reloaded the token of http-token-file, which has changed");
        }
        Ok(())
    }

    /// Whether a request may use this name of the endpoint: the name or address of a `Host`, with or without a port.
    /// Cost: a comparison with each allowed name.
    pub(crate) fn takes_host(&self, host: &str) -> bool {
        is_named(&self.in_force().hosts, host)
    }

    /// Whether a request with this `Authorization` may be answered.
    pub(crate) fn takes_token(&self, authorization: Option<&[u8]>) -> Result<(), Turned> {
        let in_force = self.in_force();
        let Some(token) = &in_force.token else { return Ok(()) };
        match authorization.and_then(token::borne) {
            None => Err(Turned::NoToken),
            Some(borne) if token.is_said(borne) => Ok(()),
            Some(_) => Err(Turned::WrongToken),
        }
    }

    fn of(rules: InForce) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(rules))))
    }

    fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.0.borrow())
    }
}

impl InForce {
    fn of(rules: &HttpRules) -> Result<Self, TokenError> {
        let token = rules.token_file.as_deref().map(Token::read).transpose()?;
        Ok(Self { hosts: rules.hosts.clone(), token })
    }
}
