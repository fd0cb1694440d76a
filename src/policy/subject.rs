//! [`Subject`]: a peer, as a policy looks at it.

use std::net::IpAddr;

/// The properties of a peer by which its class is found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    /// The address of its connection; `None` for a site.
    pub(crate) address: Option<IpAddr>,
    /// The node that it claims to be.
    pub(crate) node: Option<&'a str>,
    /// The name that its certificate proves.
    pub(crate) name: Option<&'a str>,
    /// The addresses that its certificate proves.
    pub(crate) proven: &'a [IpAddr],
    /// The federation site that it represents.
    pub(crate) site: Option<&'a str>,
}
