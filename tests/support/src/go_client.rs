//! The deployed Go client as far as its reading goes (`docs/protocol.md`, "Pacing").
//!
//! Each read is taken for a run of whole messages: one that returns 65,535 bytes, or that ends
//! inside a message, ends the client. It installs what one read brought before it reads again, and
//! says KEEPALIVE from another thread meanwhile.

use std::collections::HashSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use metalbond::wire::{Action, Hello, Message, Vni, split};

use crate::PATIENCE;
use crate::client::{Route, encode, update};

/// The size of its read buffer; a read that fills it ends the session.
const READ: usize = 65_535;
/// Its interval in seconds, the one of metalnet.
const INTERVAL: u32 = 3;
/// How long it waits for an answer to a KEEPALIVE.
const HOLD: Duration = Duration::from_millis(INTERVAL as u64 * 2500);

/// See the module's documentation.
#[derive(Debug)]
pub struct GoClient {
    socket: TcpStream,
    buffer: Vec<u8>,
    /// How long it takes to install or remove one route.
    pub per_route: Duration,
    /// The routes of which the reflector has told it.
    pub view: HashSet<Route>,
    /// REMOVEs that it has received.
    pub removes: usize,
    /// The most bytes that one read returned.
    pub longest_read: usize,
    answered: Instant,
    is_gone: Arc<AtomicBool>,
    keepalives: Option<JoinHandle<()>>,
}

impl GoClient {
    /// A session established in the way of the Go client, subscribed to one VNI.
    pub fn establish(address: SocketAddr, vni: u32) -> Self {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE).unwrap(), vni)
    }

    /// The same over an existing connection.
    pub fn over(socket: TcpStream, vni: u32) -> Self {
        socket.set_nodelay(true).unwrap();
        let mut client = Self {
            socket,
            buffer: vec![0; READ],
            per_route: Duration::ZERO,
            view: HashSet::new(),
            removes: 0,
            longest_read: 0,
            answered: Instant::now(),
            is_gone: Arc::default(),
            keepalives: None,
        };
        let hello = Hello { keepalive_interval: INTERVAL, is_server: false, extensions: None };
        client.socket.write_all(&encode([&Message::Hello(hello)])).unwrap();
        assert!(matches!(client.read_once(PATIENCE)[..], [Message::Hello(_)]));
        client.socket.write_all(&encode([&Message::Keepalive])).unwrap();
        assert_eq!(client.read_once(PATIENCE), [Message::Keepalive]);
        client.socket.write_all(&encode([&Message::Subscribe(Vni(vni))])).unwrap();
        let (mut socket, is_gone) =
            (client.socket.try_clone().unwrap(), Arc::clone(&client.is_gone));
        client.keepalives = Some(std::thread::spawn(move || {
            let mut next = Instant::now() + Duration::from_secs(INTERVAL.into());
            while !is_gone.load(Ordering::Relaxed) {
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                if Instant::now() >= next {
                    next += Duration::from_secs(INTERVAL.into());
                    if socket.write_all(&encode([&Message::Keepalive])).is_err() {
                        return;
                    }
                }
            }
        }));
        client
    }

    /// Subscribes to one more VNI.
    pub fn subscribe(&mut self, vni: u32) {
        self.socket.write_all(&encode([&Message::Subscribe(Vni(vni))])).unwrap();
    }

    /// Announces routes, in one write.
    pub fn announce_all(&mut self, routes: &[Route]) {
        let messages: Vec<_> = routes.iter().map(|route| update(Action::Add, route)).collect();
        self.socket.write_all(&encode(&messages)).unwrap();
    }

    /// Withdraws routes, in one write.
    pub fn withdraw_all(&mut self, routes: &[Route]) {
        let messages: Vec<_> = routes.iter().map(|route| update(Action::Remove, route)).collect();
        self.socket.write_all(&encode(&messages)).unwrap();
    }

    /// Reads and installs until the answer to its next KEEPALIVE has come, which takes up to three seconds.
    pub fn until_answered(&mut self) {
        let before = self.answered;
        while self.answered == before {
            self.install_once();
        }
    }

    /// Reads and installs until it has exactly these routes.
    pub fn expect_view(&mut self, routes: &[Route]) {
        let expected: HashSet<Route> = routes.iter().copied().collect();
        let deadline = Instant::now() + 2 * PATIENCE;
        while self.view != expected {
            assert!(Instant::now() < deadline, "{} of {}", self.view.len(), expected.len());
            self.install_once();
        }
    }

    /// Reads and installs until it has at least `routes` routes.
    pub fn expect_count(&mut self, routes: usize) {
        while self.view.len() < routes {
            self.install_once();
        }
    }

    fn install_once(&mut self) {
        let updates = self.read_once(HOLD).iter().map(|message| self.take_in(message)).sum();
        // One long sleep is more precise than many short ones.
        std::thread::sleep(self.per_route * updates);
    }

    /// The messages of one read.
    fn read_once(&mut self, wait: Duration) -> Vec<Message> {
        self.socket.set_read_timeout(Some(wait)).unwrap();
        let read = loop {
            match self.socket.read(&mut self.buffer) {
                Ok(read) => break read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("with {} routes: {error}", self.view.len()),
            }
        };
        assert_ne!(read, 0, "the session ended with {} routes", self.view.len());
        self.longest_read = self.longest_read.max(read);
        assert!(read < READ, "a read returned {read} bytes, with {} routes", self.view.len());
        let mut bytes = &self.buffer[..read];
        let mut messages = Vec::new();
        while let Some(frame) = split(bytes).unwrap() {
            bytes = &bytes[frame.len()..];
            messages.push(Message::decode(&frame).unwrap());
        }
        assert!(bytes.is_empty(), "a read of {read} bytes ends inside a message");
        if messages.contains(&Message::Keepalive) {
            self.answered = Instant::now();
        }
        assert!(self.answered.elapsed() < HOLD, "no KEEPALIVE for {:?}", self.answered.elapsed());
        messages
    }

    /// Installs or removes routes; returns their number.
    fn take_in(&mut self, message: &Message) -> u32 {
        match message {
            Message::Keepalive => 0,
            Message::Update(update) => {
                let (vni, destination, next_hop) =
                    (update.vni, update.destination, update.next_hop);
                let route = Route { vni, destination, next_hop };
                match update.action {
                    Action::Add => assert!(self.view.insert(route), "repeated {route:?}"),
                    Action::Remove => {
                        self.removes += 1;
                        assert!(self.view.remove(&route), "unknown {route:?}");
                    }
                }
                1
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for GoClient {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::Relaxed);
        if let Some(keepalives) = self.keepalives.take() {
            keepalives.thread().unpark();
            drop(keepalives.join());
        }
    }
}
