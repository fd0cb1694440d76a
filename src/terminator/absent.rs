//! Replaces the listener for TLS in a program without TLS.
#![expect(clippy::needless_pass_by_ref_mut, reason = "as those of a build with TLS")]

use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::watch;

use super::{News, Waiting};
use crate::config::{ReflectorConfig, StartError, TlsConfig};
use crate::threads::Control;

/// Never there.
#[derive(Debug)]
pub(crate) enum Unstarted {}

impl Unstarted {
    pub(crate) fn new(_: &TlsConfig, _: bool) -> Result<Option<Self>, StartError> {
        Ok(None)
    }

    pub(crate) fn start(
        self,
        _: TcpListener,
        _: watch::Receiver<ReflectorConfig>,
        _: usize,
        _: &Arc<Control>,
    ) -> (Terminator, std::thread::JoinHandle<()>) {
        match self {}
    }
}

/// Never there.
#[derive(Debug)]
pub(crate) enum Terminator {}

impl Terminator {
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
