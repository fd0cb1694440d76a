//! Accepts connections and hands each to the shard with the fewest.
//!
//! Runs on the control thread. Nothing that accepting returns ends the loop: a connection that is
//! gone before it was accepted is forgotten, and without descriptors or memory it waits a little,
//! while the kernel's queue holds what comes. The kernel's own spreading (SO_REUSEPORT) is not
//! used: it hashes addresses, and a few connections would crowd one shard.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

use super::driver::{Gauge, Order};
use super::inspector::Control;
use super::report::Limiter;
use crate::ids::PeerId;
use crate::session::CloseReason;

/// How long to wait when the system can't give another connection.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) max_peers: u64,
    pub(super) shards: Vec<(Sender<Order>, Arc<Gauge>)>,
    pub(super) control: Arc<Control>,
}

impl Acceptor {
    /// Accepts until dropped, or until the shards are gone.
    pub(super) async fn run(self) {
        let limiter = Limiter::new();
        let mut serial = 0;
        loop {
            match self.listener.accept().await {
                Ok((socket, remote)) => {
                    serial += 1;
                    let Ok(socket) = socket.into_std() else { continue };
                    if !self.hand_over(PeerId(serial), remote, socket, &limiter).await {
                        return;
                    }
                }
                Err(error) if is_passing(error.kind()) => {}
                Err(error) => {
                    if let Some(left_out) = limiter.allow() {
                        warn!(
                            %error,
                            left_out,
                            "cannot accept connections for now; raise LimitNOFILE if descriptors are short"
                        );
                    }
                    tokio::time::sleep(EXHAUSTED).await;
                }
            }
        }
    }

    /// `false` when there is no shard left to take it.
    async fn hand_over(
        &self,
        peer: PeerId,
        remote: SocketAddr,
        socket: std::net::TcpStream,
        limiter: &Limiter,
    ) -> bool {
        if self.control.is_draining() {
            self.control.refused_draining.fetch_add(1, Ordering::Relaxed);
            if let Some(left_out) = limiter.allow() {
                let reason = CloseReason::Draining;
                info!(%peer, %remote, %reason, left_out, "connection refused");
            }
            return true;
        }
        let load = |gauge: &Gauge| gauge.connections.load(Ordering::Relaxed);
        let total: u64 = self.shards.iter().map(|(_, gauge)| u64::from(load(gauge))).sum();
        if total >= self.max_peers {
            self.control.refused_full.fetch_add(1, Ordering::Relaxed);
            if let Some(left_out) = limiter.allow() {
                let reason = CloseReason::MaxPeers(self.max_peers);
                warn!(%peer, %remote, %reason, left_out, "connection refused");
            }
            return true;
        }
        let Some((shard, gauge)) = self.shards.iter().min_by_key(|(_, gauge)| load(gauge)) else {
            return false;
        };
        gauge.connections.fetch_add(1, Ordering::Relaxed);
        shard.send(Order::Serve { peer, remote, socket }).await.is_ok()
    }
}

/// Whether an error is about one connection that is already gone.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::WouldBlock
    )
}
