//! The control socket: the API over a Unix socket of its own, and the commands that are nowhere else.
//!
//! Who may connect is a matter of the file: mode 0600, so the user that the reflector runs as, and
//! root. It is served on the thread that answers HTTP, by the same router, so there is one API; the
//! commands under `/control/v1/` are added here and only here. `socket` is the file, `commands` what
//! can be told.

#[cfg(not(unix))]
mod absent;
mod commands;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
use absent as socket;

use axum::Router;

use super::reflector::stuck::given_up;
use crate::reflector::Inspector;

#[cfg_attr(not(unix), allow(unreachable_pub))]
pub(crate) use socket::Socket;

/// Answers over the socket, for as long as it is polled. `pages` is what HTTP answers as well.
pub(super) async fn serve(socket: Socket, pages: Router, inspector: Inspector) {
    let commands = commands::router().with_state(inspector.clone());
    let commands = given_up(commands, inspector.clone());
    socket.serve(pages.nest("/control/v1", commands), inspector).await;
}
