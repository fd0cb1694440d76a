//! A listening socket that waits while everything is on its way to another process: what connects then is
//! answered by whichever process serves afterwards.

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
