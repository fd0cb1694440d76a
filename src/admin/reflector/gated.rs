//! A listening socket that accepts nothing during a handover. The process that serves afterwards answers the
//! connections that have arrived meanwhile.

use std::io;

use crate::admin::server::serve::{Listener, Origin};
use crate::inspector::Inspector;

/// See the module's documentation.
#[derive(Debug)]
pub(in crate::admin) struct Gated<L> {
    listener: L,
    inspector: Inspector,
}

impl<L> Gated<L> {
    pub(in crate::admin) fn new(listener: L, inspector: Inspector) -> Self {
        Self { listener, inspector }
    }
}

impl<L: Listener> Listener for Gated<L> {
    type Socket = L::Socket;

    async fn accept(&self) -> io::Result<(Self::Socket, Origin)> {
        loop {
            self.inspector.serves().await;
            tokio::select! {
                biased;
                () = self.inspector.serves_no_more() => {}
                accepted = self.listener.accept() => return accepted,
            }
        }
    }
}
