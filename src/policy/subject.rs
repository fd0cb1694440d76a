//! [`Subject`]: a peer, as a policy looks at it.

use std::net::IpAddr;

/// What a peer is known by when its class is found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    /// Where its connection comes from; `None` of a site.
    pub(crate) address: Option<IpAddr>,
    /// The node that it says it is.
    pub(crate) node: Option<&'a str>,
    /// The name that its certificate proves.
    pub(crate) name: Option<&'a str>,
    /// The addresses that its certificate proves.
    pub(crate) proven: &'a [IpAddr],
    /// The site of a federation that it is.
    pub(crate) site: Option<&'a str>,
}
