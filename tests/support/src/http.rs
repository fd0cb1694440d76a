//! Asks over HTTP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::PATIENCE;
use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The status line and the headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body, which must be declared as JSON and be JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert!(self.head.contains("content-type: application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Requests a page.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path)
}

/// Requests a page that must exist and be JSON.
#[track_caller]
pub fn get_json(address: SocketAddr, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()
}

/// Sends a request of HTTP/1.0, so that the body ends with the connection.
pub fn request(address: SocketAddr, method: &str, path: &str) -> Answer {
    send(address, &format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"))
}

/// Sends a request unchanged; it must make the server end the connection.
pub fn send(address: SocketAddr, request: &str) -> Answer {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}
