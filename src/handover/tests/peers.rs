//! Peers that see whether their sessions go on, and that nothing is sent twice or lost.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::wire::{Action, Hello, Message, NextHop, Reassembly, Update, Vni};

/// How long peers wait for expected updates.
const PATIENCE: Duration = Duration::from_secs(40);

/// A session.
#[derive(Debug)]
struct Session {
    stream: TcpStream,
    input: Reassembly,
}

impl Session {
    fn new(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut session = Self { stream, input: Reassembly::default() };
        let hello = Hello { keepalive_interval: 60, is_server: false, extensions: None };
        session.say(&Message::Hello(hello));
        session.say(&Message::Keepalive);
        session
    }

    fn say(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    /// Updates that have arrived; `None` when the session is over.
    fn read(&mut self) -> Option<Vec<Update>> {
        let mut buffer = [0; 4096];
        let read = self.stream.read(&mut buffer).ok().filter(|&read| read > 0)?;
        let mut frames = self.input.feed(&buffer[..read]);
        let mut updates = Vec::new();
        while let Some(frame) = frames.next().expect("whole messages, each once") {
            if let Message::Update(update) = Message::decode(&frame).unwrap() {
                updates.push(update);
            }
        }
        Some(updates)
    }
}

/// A peer that announces and a peer that subscribes.
#[derive(Debug)]
pub(super) struct Pair {
    vni: Vni,
    publisher: Session,
    subscriber: Session,
    announced: u16,
    seen: BTreeSet<String>,
}

impl Pair {
    pub(super) fn new(server: SocketAddr) -> Self {
        Self::in_vni(server, 7)
    }

    pub(super) fn in_vni(server: SocketAddr, vni: u32) -> Self {
        let (vni, publisher, mut subscriber) =
            (Vni(vni), Session::new(server), Session::new(server));
        subscriber.say(&Message::Subscribe(vni));
        let mut pair = Self { vni, publisher, subscriber, announced: 0, seen: BTreeSet::new() };
        pair.goes_on();
        pair
    }

    fn announce(&mut self) {
        let [high, low] = self.announced.to_be_bytes();
        self.announced += 1;
        let update = Update {
            action: Action::Add,
            vni: self.vni,
            destination: format!("10.{high}.{low}.0/24").parse().unwrap(),
            next_hop: NextHop::standard("2001:db8::1".parse().unwrap()),
        };
        self.publisher.say(&Message::Update(update));
    }

    /// Announces a route without looking whether it arrives.
    pub(super) fn announces(&mut self) {
        (0..50).for_each(|_| self.announce());
    }

    /// Checks that announced routes arrive, each of them once.
    pub(super) fn goes_on(&mut self) {
        self.announces();
        while self.seen.len() < usize::from(self.announced) {
            let updates = self.subscriber.read().expect("the session goes on");
            for update in updates {
                assert_eq!(update.action, Action::Add);
                let destination = update.destination.to_string();
                assert!(self.seen.insert(destination.clone()), "{destination} came twice");
            }
        }
    }

    /// Waits until the session has ended.
    pub(super) fn is_over(&mut self) {
        while self.subscriber.read().is_some() {}
    }
}
