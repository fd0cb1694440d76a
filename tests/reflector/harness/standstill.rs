//! A shard that really stands still, as it does when whoever listens to what it logs does not return.
//!
//! The library says what it has to say on the thread that does the work. Here what listens lets everything
//! go by except for the line about one session: whoever says that stays there until the test lets it go.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};

use metalbond::wire::Message;
use tracing::Event;
use tracing::field::{Field, Visit};

use super::client::{Client, PATIENCE, hello_of};

/// Nodes whose sessions stop the shard that takes them in, and whether one has.
static NODES: Mutex<Vec<(String, bool)>> = Mutex::new(Vec::new());
static CHANGED: Condvar = Condvar::new();

/// A shard stands still until this is dropped. It must be dropped before the reflector.
#[derive(Debug)]
pub(crate) struct Standstill {
    node: String,
    _client: Client,
}

impl Standstill {
    /// Connects a peer, and returns when the shard that has it stands still.
    pub(crate) fn begin(peers: SocketAddr) -> Self {
        static BEGUN: AtomicU32 = AtomicU32::new(0);
        let node = format!("standstill-{}", BEGUN.fetch_add(1, Ordering::Relaxed));
        NODES.lock().unwrap().push((node.clone(), false));
        let mut client = Client::connect(peers);
        // It may stand still before it has answered.
        client.say_hello(hello_of(&node));
        client.send(&Message::Keepalive);
        let standstill = Self { node, _client: client };
        let nodes = NODES.lock().unwrap();
        let waits =
            |nodes: &mut Vec<(String, bool)>| !nodes.contains(&(standstill.node.clone(), true));
        let (nodes, late) = CHANGED.wait_timeout_while(nodes, PATIENCE, waits).unwrap();
        drop(nodes);
        assert!(!late.timed_out(), "no shard stands still");
        standstill
    }
}

impl Drop for Standstill {
    fn drop(&mut self) {
        NODES.lock().unwrap().retain(|(node, _)| *node != self.node);
        CHANGED.notify_all();
    }
}

/// Stays where the session of a [`Standstill`]'s peer is said to be established. Hears of all that is logged in the
/// process.
pub(super) fn heed(event: &Event<'_>) {
    if event.metadata().fields().field("node").is_none() {
        return;
    }
    let mut line = Line { node: String::new(), is_established: false };
    event.record(&mut line);
    if line.is_established {
        stay(&line.node);
    }
}

/// Returns at once unless a test wants the shard of this node to stand still.
fn stay(node: &str) {
    let mut nodes = NODES.lock().unwrap();
    if let Some((_, stands)) = nodes.iter_mut().find(|(known, _)| known == node) {
        *stands = true;
        CHANGED.notify_all();
        let is_held =
            |nodes: &mut Vec<(String, bool)>| nodes.iter().any(|(known, _)| known == node);
        drop(CHANGED.wait_while(nodes, is_held).unwrap());
    }
}

/// What a line says.
struct Line {
    node: String,
    is_established: bool,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "node" {
            value.clone_into(&mut self.node);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.is_established = format!("{value:?}") == "session established";
        }
    }
}
