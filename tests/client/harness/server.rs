//! A server by hand, for what a real one would not do.

use std::net::{Ipv6Addr, SocketAddr};

use metalbond::wire::{Capabilities, Extensions, Hello, Message, Vni, split};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub(crate) async fn accept(&self) -> Session {
        let (stream, _) = self.listener.accept().await.unwrap();
        Session { stream, unread: Vec::new() }
    }

    /// Accepts, and shakes hands as the reference does: no extensions.
    pub(crate) async fn establish(&self) -> Session {
        self.shake_hands(hello(60)).await
    }

    /// The same as a server that says when a table is complete, and that has served for an hour.
    pub(crate) async fn establish_with_end_of_table(&self) -> Session {
        let extensions = Extensions::new(Capabilities::END_OF_TABLE, "", "").serving(3600);
        self.shake_hands(Hello { extensions: Some(extensions), ..hello(60) }).await
    }

    pub(crate) async fn shake_hands(&self, hello: Hello) -> Session {
        let mut session = self.accept().await;
        assert!(matches!(session.read().await, Some(Message::Hello(_))));
        session.write(&[Message::Hello(hello), Message::Keepalive]).await;
        assert_eq!(session.read().await, Some(Message::Keepalive));
        session
    }
}

pub(crate) fn hello(keepalive_interval: u32) -> Hello {
    Hello { keepalive_interval, is_server: true, extensions: None }
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) stream: TcpStream,
    unread: Vec<u8>,
}

impl Session {
    /// The next message; `None` at the connection's end.
    pub(crate) async fn read(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = split(&self.unread).unwrap() {
                let (message, length) = (Message::decode(&frame).unwrap(), frame.len());
                self.unread.drain(..length);
                return Some(message);
            }
            // Not into an array: that would be a part of every future that awaits this one.
            self.unread.reserve(65_535);
            match self.stream.read_buf(&mut self.unread).await {
                Ok(count) if count > 0 => {}
                _ => return None,
            }
        }
    }

    /// What was read behind the last message.
    pub(crate) fn take_unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unread)
    }

    /// Reads until the leaf asks for a VNI.
    pub(crate) async fn expect_subscribe(&mut self, vni: u32) {
        while self.read().await.unwrap() != Message::Subscribe(Vni(vni)) {}
    }

    pub(crate) async fn write(&mut self, messages: &[Message]) {
        let mut bytes = Vec::new();
        messages.iter().for_each(|message| message.encode_into(&mut bytes));
        self.write_bytes(&bytes).await;
    }

    /// The leaf may have closed, which what is read then tells.
    pub(crate) async fn write_bytes(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes).await);
    }

    /// Waits until the leaf closes.
    pub(crate) async fn expect_closed(mut self) {
        while self.read().await.is_some() {}
    }
}
