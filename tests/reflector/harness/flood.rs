//! A publisher that sends as fast as it can.

use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use metalbond::wire::{Action, Message};

use super::client::{encode, modern_hello, update};
use super::{Client, PATIENCE, routes};

/// Routes that each announces and withdraws again.
const WINDOW: u32 = 2000;

/// Sessions at line rate, each in one VNI. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Flood {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One of its sessions.
#[derive(Debug)]
struct Session {
    socket: TcpStream,
    window: Vec<u8>,
    at: usize,
}

impl Flood {
    /// One session for each of these VNIs, all written to by one thread.
    pub(crate) fn start(address: SocketAddr, vnis: impl IntoIterator<Item = u32>) -> Self {
        Self::of(vnis.into_iter().map(|vni| Session::start(address, vni)).collect())
    }

    /// Sessions that are there already, each in a VNI.
    pub(crate) fn over(clients: impl IntoIterator<Item = (Client, u32)>) -> Self {
        let session = |(client, vni): (Client, u32)| Session::over(client.into_socket(), vni);
        Self::of(clients.into_iter().map(session).collect())
    }

    fn of(sessions: Vec<Session>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&is_over);
        let thread = Some(std::thread::spawn(move || flood(sessions, &until)));
        Self { is_over, thread }
    }
}

impl Session {
    fn start(address: SocketAddr, vni: u32) -> Self {
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        socket.write_all(&encode(&[Message::Hello(modern_hello()), Message::Keepalive])).unwrap();
        Self::over(socket, vni)
    }

    fn over(socket: TcpStream, vni: u32) -> Self {
        socket.set_nonblocking(true).unwrap();
        let routes = routes(vni, 0..WINDOW, 0xf);
        let messages = [Action::Add, Action::Remove]
            .into_iter()
            .flat_map(|action| routes.iter().map(move |route| update(action, route)));
        let window = encode(&messages.collect::<Vec<_>>());
        Self { socket, window, at: 0 }
    }

    /// Writes the window again and again; `false` when the socket is full. The reflector pauses such a
    /// session, and never ends it.
    fn write(&mut self) -> bool {
        match self.socket.write(&self.window[self.at..]) {
            Ok(n) => {
                self.at = (self.at + n) % self.window.len();
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                false
            }
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn flood(mut sessions: Vec<Session>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let mut is_full = true;
        for session in &mut sessions {
            is_full &= !session.write();
        }
        if is_full {
            // All sockets are full: it takes the reflector longer than this to read them.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
