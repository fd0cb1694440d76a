//! Another server that is asked: by its control socket, or by its HTTP address.

use std::path::Path;

use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue};
use hyper::{Method, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::connection::{Sender, exchange, open_either, request};
use super::patience::Patience;
use super::screen::Failed;

/// See the module's documentation.
pub(super) struct Other {
    sender: Sender,
    /// How it is called in sentences: its path, or host and port.
    pub(super) name: String,
    /// Host and port, of one that is asked over TCP.
    host: Option<HeaderValue>,
    token: Option<HeaderValue>,
    patience: Patience,
}

impl Other {
    /// Connects to a socket if the text is a path, and else to `HOST:PORT`, also behind `http://`. The file has the token
    /// that it requires.
    pub(super) async fn connect(
        text: &str,
        token: Option<&Path>,
        patience: Patience,
    ) -> Result<Self, Failed> {
        let token = token.map(read_token).transpose()?;
        if let Some(host) = text.strip_prefix("http://") {
            return Self::connect_tcp(host.trim_end_matches('/'), token, patience).await;
        }
        if !text.contains('/') && text.contains(':') {
            return Self::connect_tcp(text, token, patience).await;
        }
        let path = Path::new(text);
        let (path, sender) = patience.wait(path, "a request to connect", open_either(path)).await?;
        Ok(Self { sender, name: path.display().to_string(), host: None, token, patience })
    }

    async fn connect_tcp(
        name: &str,
        token: Option<HeaderValue>,
        patience: Patience,
    ) -> Result<Self, Failed> {
        let connected = async {
            let stream = TcpStream::connect(name).await.map_err(|error| {
                format!("cannot connect to {name}: {error}; give HOST:PORT of its --http")
            })?;
            let spoken = handshake(TokioIo::new(stream)).await;
            let (sender, connection) = spoken.map_err(|error| lost(name, &error))?;
            tokio::spawn(async move { drop(connection.await) });
            Ok(sender)
        };
        let sender = patience.wait(Path::new(name), "a request to connect", connected).await?;
        let host = HeaderValue::from_str(name).map_err(|_| format!("{name:?} is not a host"))?;
        Ok(Self { sender, name: name.to_owned(), host: Some(host), token, patience })
    }

    /// A document; `None` when it knows no such page.
    pub(super) async fn get(&mut self, path: &str) -> Result<Option<Bytes>, Failed> {
        let mut request = request(&Method::GET, path, Bytes::new())?;
        if let Some(host) = &self.host {
            request.headers_mut().insert(HOST, host.clone());
        }
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let Self { sender, name, patience, .. } = self;
        let asked = async {
            let answer = exchange(sender, request).await.map_err(|error| lost(name, &error))?;
            let status = answer.status();
            let body = answer.into_body().collect().await.map_err(|error| lost(name, &error))?;
            match status {
                StatusCode::OK => Ok(Some(body.to_bytes())),
                StatusCode::NOT_FOUND => Ok(None),
                StatusCode::UNAUTHORIZED => Err(Failed::Sentence(format!(
                    "{name} requires a token: give the file that has it with --token-file"
                ))),
                _ => Err(Failed::Sentence(format!("{name} answers {path} with {status}"))),
            }
        };
        patience.wait(Path::new(name.as_str()), path, asked).await
    }
}

fn lost(name: &str, error: &hyper::Error) -> Failed {
    Failed::Sentence(format!("the connection to {name} was lost: {error}"))
}

fn read_token(path: &Path) -> Result<HeaderValue, Failed> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {shown}: {error}; give the file of the token"))?;
    let value = HeaderValue::from_str(&format!("Bearer {}", text.trim()));
    value.map_err(|_| format!("{shown} has no token in its first line").into())
}
