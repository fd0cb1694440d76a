//! A peer to test a reflector with: blocking, and strict about what it is sent.
//!
//! An ADD of a route it has, a REMOVE of one it has not, or a message that a peer like it must
//! never see fails the test. Every wait has a deadline.

use std::collections::HashSet;
use std::fmt;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

pub use crate::PATIENCE;
use metalbond::wire::{
    Action, Capabilities, Destination, Extensions, HEADER_LEN, Hello, Message, NextHop, Update,
    Vni, split,
};
use socket2::SockRef;

/// A route, by its identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Route {
    /// Its network.
    pub vni: Vni,
    /// The prefix that is reached.
    pub destination: Destination,
    /// The next hop through which it is reached.
    pub next_hop: NextHop,
}

/// Route number `n` of a VNI, reached through underlay address number `hop`.
pub fn route(vni: u32, n: u32, hop: u16) -> Route {
    let [_, b, c, d] = n.to_be_bytes();
    prefix(vni, IpAddr::from([10, b, c, d]), 32, hop)
}

/// The route of any prefix.
pub fn prefix(vni: u32, address: IpAddr, length: u8, hop: u16) -> Route {
    let address_of_hop = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, hop);
    Route {
        vni: Vni(vni),
        destination: Destination::new(address, length).unwrap(),
        next_hop: NextHop::standard(address_of_hop.into()),
    }
}

/// The routes with these numbers.
pub fn routes(vni: u32, numbers: std::ops::Range<u32>, hop: u16) -> Vec<Route> {
    numbers.map(|n| route(vni, n, hop)).collect()
}

/// The message that announces or withdraws a route.
pub fn update(action: Action, route: &Route) -> Message {
    let Route { vni, destination, next_hop } = *route;
    Message::Update(Update { action, vni, destination, next_hop })
}

/// The frames of some messages in a row.
pub fn encode<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        message.encode_into(&mut bytes);
    }
    bytes
}

/// The frames that announce routes.
pub fn announcements(routes: &[Route]) -> Vec<u8> {
    let messages: Vec<_> = routes.iter().map(|route| update(Action::Add, route)).collect();
    encode(&messages)
}

/// The HELLO of a peer of this implementation.
pub fn modern_hello() -> Hello {
    let extensions = Some(Extensions::new(Capabilities::OURS, "test", "test-node"));
    Hello { keepalive_interval: 60, is_server: false, extensions }
}

/// The HELLO of a node.
pub fn hello_of(node: &str) -> Hello {
    let extensions = Some(Extensions::new(Capabilities::OURS, "test/1.0", node));
    Hello { extensions, ..modern_hello() }
}

/// The HELLO of a deployed peer.
pub fn plain_hello() -> Hello {
    Hello { extensions: None, ..modern_hello() }
}

/// The result of a wait.
#[derive(PartialEq, Debug)]
pub enum Received {
    /// The next message.
    Message(Message),
    /// The end of the connection: `None` for an end of stream, else the socket's error.
    Closed(Option<ErrorKind>),
    /// Nothing before the deadline.
    Nothing,
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => write!(f, "{message:?}"),
            Self::Closed(None) => f.write_str("the reflector closed the connection"),
            Self::Closed(Some(error)) => write!(f, "the connection ended: {error}"),
            Self::Nothing => write!(f, "nothing for {PATIENCE:?}"),
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Client {
    socket: TcpStream,
    received: Vec<u8>,
    split_at: usize,
    speaks: Hello,
    /// The reflector's HELLO.
    pub hello: Option<Hello>,
    /// KEEPALIVEs received.
    pub keepalives: usize,
    /// The routes of which the reflector has told it.
    pub view: HashSet<Route>,
    /// Every update, in order.
    pub updates: Vec<Update>,
    /// The END_OF_TABLEs, in order.
    pub ended: Vec<Vni>,
}

impl Client {
    /// A connection on which nothing has been sent.
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
    }

    /// The same with a small receive buffer.
    pub fn connect_narrow(address: SocketAddr, buffer: usize) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(buffer).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::over(socket.into())
    }

    /// A session with all extensions of this implementation.
    pub fn establish(address: SocketAddr) -> Self {
        Self::connect(address).shake_hands(modern_hello())
    }

    /// A session without extensions.
    pub fn establish_plain(address: SocketAddr) -> Self {
        Self::connect(address).shake_hands(plain_hello())
    }

    fn over(socket: TcpStream) -> Self {
        socket.set_nodelay(true).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            socket,
            received: Vec::new(),
            split_at: 0,
            speaks: plain_hello(),
            hello: None,
            keepalives: 0,
            view: HashSet::new(),
            updates: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Goes through the handshake step by step.
    pub fn shake_hands(mut self, hello: Hello) -> Self {
        self.say_hello(hello);
        self.until("HELLO", |client| client.hello.is_some());
        self.send(&Message::Keepalive);
        self.until("KEEPALIVE", |client| client.keepalives > 0);
        self
    }

    /// Makes the handshake; `false` if the reflector ends the connection instead.
    pub fn try_to_shake_hands(&mut self) -> bool {
        let hello = modern_hello();
        self.speaks = hello.clone();
        self.write_anyway(&encode(&[Message::Hello(hello), Message::Keepalive]));
        let deadline = Instant::now() + PATIENCE;
        while self.keepalives == 0 {
            if !matches!(self.receive(deadline), Received::Message(_)) {
                return false;
            }
        }
        true
    }

    /// Sends HELLO, and then checks the reflector's messages against it.
    pub fn say_hello(&mut self, hello: Hello) {
        self.speaks = hello.clone();
        self.send(&Message::Hello(hello));
    }

    /// Sets the HELLO of a session whose bytes the test wrote itself.
    pub fn spoke(&mut self, hello: Hello) {
        self.speaks = hello;
    }

    /// Sends a message.
    pub fn send(&mut self, message: &Message) {
        self.write(&encode([message]));
    }

    /// Writes any bytes at once.
    pub fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Writes any bytes to a reflector that may have closed already.
    pub fn write_anyway(&mut self, bytes: &[u8]) {
        drop(self.socket.write_all(bytes));
    }

    /// The connection, for a test that continues on its own.
    pub fn into_socket(self) -> TcpStream {
        self.socket
    }

    /// The local address of the connection.
    pub fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Closes the sending side.
    pub fn finish(&self) {
        self.socket.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// Ends the connection by a reset, as the kernel may do for a killed program.
    pub fn reset(self) {
        SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Announces a route.
    pub fn announce(&mut self, route: &Route) {
        self.send(&update(Action::Add, route));
    }

    /// Withdraws a route.
    pub fn withdraw(&mut self, route: &Route) {
        self.send(&update(Action::Remove, route));
    }

    /// Announces routes, in one write.
    pub fn announce_all(&mut self, routes: &[Route]) {
        self.write(&announcements(routes));
    }

    /// Withdraws routes, in one write.
    pub fn withdraw_all(&mut self, routes: &[Route]) {
        let messages: Vec<_> = routes.iter().map(|route| update(Action::Remove, route)).collect();
        self.write(&encode(&messages));
    }

    /// Subscribes to a VNI.
    pub fn subscribe(&mut self, vni: u32) {
        self.send(&Message::Subscribe(Vni(vni)));
    }

    /// Ends the subscription to a VNI.
    pub fn unsubscribe(&mut self, vni: u32) {
        self.send(&Message::Unsubscribe(Vni(vni)));
    }

    /// Sends KEEPALIVE and waits for the answer.
    pub fn keepalive(&mut self) {
        let answered = self.keepalives + 1;
        self.send(&Message::Keepalive);
        self.until("an answer to KEEPALIVE", |client| client.keepalives >= answered);
    }

    /// Receives until it knows exactly these routes.
    pub fn expect_view<'a>(&mut self, routes: impl IntoIterator<Item = &'a Route>) {
        let expected: HashSet<Route> = routes.into_iter().copied().collect();
        let deadline = Instant::now() + PATIENCE;
        while self.view != expected {
            match self.receive(deadline) {
                Received::Message(_) => {}
                end => {
                    let first =
                        |routes: &[&Route]| format!("{:?}..", &routes[..routes.len().min(3)]);
                    let missing: Vec<_> = expected.difference(&self.view).collect();
                    let extra: Vec<_> = self.view.difference(&expected).collect();
                    panic!(
                        "{end} with {} routes missing ({}) and {} too many ({})",
                        missing.len(),
                        first(&missing),
                        extra.len(),
                        first(&extra)
                    );
                }
            }
        }
    }

    /// REMOVEs that it has received.
    pub fn removes(&self) -> usize {
        self.updates.iter().filter(|update| update.action == Action::Remove).count()
    }

    /// Receives until the dump of a VNI has ended.
    pub fn expect_end_of_table(&mut self, vni: u32) {
        self.until("END_OF_TABLE", |client| client.ended.contains(&Vni(vni)));
    }

    /// Receives until the reflector ends the session.
    pub fn expect_closed(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.receive(deadline) {
                Received::Message(_) => {}
                Received::Closed(_) => return,
                Received::Nothing => panic!("the session was not closed"),
            }
        }
    }

    /// Receives until `is_so` holds.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            match self.receive(deadline) {
                Received::Message(_) => {}
                end => panic!("{end} while waiting for {what}"),
            }
        }
    }

    /// Receives and takes in the next message.
    pub fn receive(&mut self, deadline: Instant) -> Received {
        loop {
            if let Some(frame) = split(&self.received[self.split_at..]).unwrap() {
                self.split_at += frame.len();
                let message = Message::decode(&frame).unwrap();
                self.take_in(&message);
                return Received::Message(message);
            }
            self.received.drain(..self.split_at);
            self.split_at = 0;
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Received::Nothing;
            }
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut buffer = [0; 64 * 1024];
            match self.socket.read(&mut buffer) {
                Ok(0) => {
                    assert!(self.received.is_empty(), "closed inside a message");
                    return Received::Closed(None);
                }
                Ok(n) => self.received.extend_from_slice(&buffer[..n]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Received::Nothing,
                    ErrorKind::Interrupted => {}
                    kind @ (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                        return Received::Closed(Some(kind));
                    }
                    kind => panic!("cannot read: {kind}"),
                },
            }
        }
    }

    fn take_in(&mut self, message: &Message) {
        match message {
            Message::Hello(hello) => {
                assert!(self.hello.is_none(), "second HELLO");
                assert!(hello.is_server);
                let knows = self.speaks.extensions.is_some();
                assert_eq!(hello.extensions.is_some(), knows, "{hello:?}");
                self.hello = Some(hello.clone());
            }
            Message::Keepalive => {
                assert!(self.hello.is_some(), "KEEPALIVE before HELLO");
                self.keepalives += 1;
            }
            Message::Update(update) => {
                assert!(self.keepalives > 0, "{update:?} before the session was established");
                let Update { action, vni, destination, next_hop } = *update;
                let route = Route { vni, destination, next_hop };
                match action {
                    Action::Add => assert!(self.view.insert(route), "repeated ADD of {route:?}"),
                    Action::Remove => {
                        assert!(self.view.remove(&route), "REMOVE of unknown {route:?}");
                    }
                }
                self.updates.push(*update);
            }
            Message::EndOfTable(vni) => {
                let extensions = self.speaks.extensions.as_ref().expect("no END_OF_TABLE");
                assert!(extensions.capabilities.contains(Capabilities::END_OF_TABLE));
                self.ended.push(*vni);
            }
            Message::Subscribe(_)
            | Message::Unsubscribe(_)
            | Message::Goodbye
            | Message::Report(_) => {
                panic!("{message:?}")
            }
        }
    }
}

/// A frame with any type and payload.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = Vec::with_capacity(HEADER_LEN + payload.len());
    frame.extend_from_slice(&[1, length[0], length[1], kind]);
    frame.extend_from_slice(payload);
    frame
}
