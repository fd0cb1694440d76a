//! The control sockets: the API over Unix sockets of their own, and the commands that are nowhere else.
//!
//! Who may connect is a matter of the file. The full socket is of mode 0600, so for the user that the reflector runs
//! as, and root. The one for readers is of mode 0660 and belongs to a group; it answers the same questions and no
//! command. Both are served on the thread that answers HTTP, by the same router, so there is one API; the commands
//! under `/control/v1/` are added here and only here. `socket` is the file, `group` whose it is, `commands` and `blocks` what can be
//! told, `audit` what the log says of it.

#[cfg(not(unix))]
mod absent;
mod audit;
mod blocks;
mod commands;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod socket;
#[cfg(not(unix))]
use absent as socket;

use axum::Router;

use super::reflector::stuck::given_up;
use crate::reflector::{Audience, Inspector};

#[cfg_attr(not(unix), allow(unreachable_pub))]
pub(crate) use socket::Socket;

/// Answers over a socket, for as long as it is polled. `pages` is what HTTP answers as well.
pub(super) async fn serve(socket: Socket, pages: Router, inspector: Inspector) {
    let commands = match socket.audience() {
        Audience::Owner => commands::router(),
        Audience::Readers { .. } => commands::router_for_readers(),
    };
    let commands = given_up(commands.with_state(inspector.clone()), inspector.clone());
    let pages = audit::audited(pages.nest("/control/v1", commands));
    socket.serve(pages, inspector).await;
}
