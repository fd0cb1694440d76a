//! Asks another reflector for its metrics, with a bound on time and on bytes.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::{self, Body};
use axum::http::header::HOST;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The most bytes of an answer: that of a reflector with a hundred shards has some 400 kB.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// The text of `/metrics`.
///
/// # Errors
/// A sentence that gives the reason.
pub(super) async fn metrics(address: SocketAddr) -> Result<String, String> {
    let late = |_| format!("no answer within {} s", PATIENCE.as_secs());
    timeout(PATIENCE, ask(address)).await.map_err(late)?
}

async fn ask(address: SocketAddr) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("cannot be asked: {error}");
    let socket = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
    let opened = handshake(TokioIo::new(socket)).await;
    let (mut sender, connection) = opened.map_err(|error| failed(&error))?;
    let request = axum::http::Request::get("/metrics").header(HOST, address.to_string());
    let request = request.body(Body::empty()).map_err(|error| failed(&error))?;
    let answer = async move {
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        if !answer.status().is_success() {
            return Err(format!("answers with status {}", answer.status().as_u16()));
        }
        let bytes = body::to_bytes(Body::new(answer.into_body()), BYTES_MAX).await;
        let bytes = bytes.map_err(|error| failed(&error))?;
        String::from_utf8(bytes.into()).map_err(|error| failed(&error))
    };
    // The connection ends with the answer, whose end drops the sender.
    tokio::join!(answer, connection).0
}
