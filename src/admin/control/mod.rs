//! The control sockets: the APIs over Unix sockets, and the reflector's commands, which no other endpoint has.
//!
//! The mode of a socket's file says who may connect. The full socket has mode 0600: only the user of the process and
//! root may connect. The reflector's read-only socket has mode 0660 and belongs to a group; it answers the same
//! questions and takes no command. The router that answers HTTP also serves the sockets, so there is one API; only this
//! folder adds the commands, under `/control/v1/`.
//!
//! * `socket`: makes the file; `group`: finds its group.
//! * `commands` and `blocks`: carry out commands to a reflector.
//! * `audit`: logs requests.

#[cfg(not(unix))]
mod absent;
mod audit;
#[cfg(feature = "server")]
mod blocks;
#[cfg(feature = "server")]
mod commands;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
use absent as socket;

use std::future::pending;

use axum::Router;
use tracing::warn;

use super::server::entry::EntryRule;
use super::server::serve;

pub use socket::Socket;

/// Answers over a leaf's control socket while it is polled. `pages` are the pages that HTTP serves too. Must be called
/// within a runtime.
#[cfg(feature = "client")]
pub(super) async fn serve_leaf(socket: Socket, pages: Router) {
    match socket.into_listener(None) {
        Ok(listener) => serve::serve(listener, EntryRule::Anyone, audit::audited(pages)).await,
        Err(error) => cannot_serve(&error),
    }
    pending::<()>().await;
}

/// The same over a reflector's control socket, with the commands that its users may give.
#[cfg(feature = "server")]
pub(super) async fn serve(socket: Socket, pages: Router, inspector: crate::inspector::Inspector) {
    use super::reflector::gated::Gated;
    use super::reflector::stuck::given_up;
    use crate::control::Audience;
    use crate::threads::Phase;

    let commands = match socket.audience() {
        Audience::Owner => commands::router(),
        Audience::Readers { .. } => commands::router_for_readers(),
    };
    let commands = given_up(commands.with_state(inspector.clone()), inspector.clone());
    let pages = audit::audited(pages.nest("/control/v1", commands));
    let owner = inspector.clone();
    match socket.into_listener(Some(std::sync::Arc::new(move || owner.phase() == Phase::Gone))) {
        Ok(listener) => {
            serve::serve(Gated::new(listener, inspector), EntryRule::Anyone, pages).await;
        }
        Err(error) => cannot_serve(&error),
    }
    pending::<()>().await;
}

/// The process goes on without the socket.
fn cannot_serve(error: &std::io::Error) {
    warn!(%error, "the control socket cannot be served");
}
