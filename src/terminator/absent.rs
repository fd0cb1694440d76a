//! Replaces the listener for TLS in a program without TLS.
#![expect(clippy::needless_pass_by_ref_mut, reason = "as those of a build with TLS")]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::sync::watch;

use super::{News, Waiting};
use crate::config::{ReflectorConfig, StartError};
use crate::threads::Control;

/// Never there.
#[derive(Debug)]
pub(crate) enum Terminator {}

impl Terminator {
    pub(crate) fn start(
        _: Option<(SocketAddr, TcpListener)>,
        _: watch::Receiver<ReflectorConfig>,
        _: (bool, usize),
        _: &Arc<Control>,
    ) -> Result<Option<(Self, std::thread::JoinHandle<()>)>, StartError> {
        Ok(None)
    }

    pub(crate) fn watch(&mut self) -> std::io::Result<()> {
        match *self {}
    }

    pub(crate) fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        match *self {}
    }

    pub(crate) async fn next(&mut self) -> News {
        match *self {}
    }

    pub(crate) fn shake_hands(&mut self, _: Waiting) {
        match *self {}
    }
}
