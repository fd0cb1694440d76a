//! HTTP over the control socket.

use std::path::{Path, PathBuf};

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Response, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::connection::{Sender, exchange, lost, open, open_either, request};
use super::patience::Patience;
use super::screen::Failed;

/// One connection, asked one thing after the other.
pub(super) struct Client {
    sender: Sender,
    path: PathBuf,
    pub(super) patience: Patience,
}

/// What went wrong, as the process says it.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Client {
    pub(super) async fn connect(path: &Path, patience: Patience) -> Result<Self, Failed> {
        let (path, sender) = patience.wait(path, "a request to connect", open_either(path)).await?;
        Ok(Self { sender, path, patience })
    }

    /// The socket that it is connected to.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Asks for a document.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failed> {
        let body = self.ask(Method::GET, path, Bytes::new()).await?;
        self.read(&body)
    }

    /// Asks for a document as it is.
    pub(super) async fn get_text(&mut self, path: &str) -> Result<String, Failed> {
        let body = self.ask(Method::GET, path, Bytes::new()).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Whether there is such a page.
    pub(super) async fn has(&mut self, path: &str) -> Result<bool, Failed> {
        let (patience, own) = (self.patience, self.path.clone());
        let asked = self.answer(Method::HEAD, path, Bytes::new());
        let answer = patience.wait(&own, path, asked).await?;
        Ok(answer.status() != StatusCode::NOT_FOUND)
    }

    /// Tells it to do something; its answer as it is.
    pub(super) async fn post(&mut self, path: &str) -> Result<String, Failed> {
        self.post_body(path, Bytes::new()).await
    }

    /// The same, with a body.
    pub(super) async fn post_body(&mut self, path: &str, body: Bytes) -> Result<String, Failed> {
        let body = self.ask(Method::POST, path, body).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Asks for something without end, or of any size.
    pub(super) async fn stream(&mut self, path: &str) -> Result<Stream, Failed> {
        let (patience, own) = (self.patience, self.path.clone());
        let answer = patience.wait(&own, path, self.send(Method::GET, path, Bytes::new())).await?;
        Ok(Stream { body: answer.into_body(), path: own, what: path.to_owned(), patience })
    }

    async fn ask(&mut self, method: Method, path: &str, body: Bytes) -> Result<Bytes, Failed> {
        let (patience, own) = (self.patience, self.path.clone());
        let asked = async {
            let answer = self.send(method, path, body).await?;
            let body = answer.into_body().collect().await;
            Ok(body.map_err(|error| lost(&own, &error))?.to_bytes())
        };
        patience.wait(&own, path, asked).await
    }

    /// Sends a request; the head of the answer, if it is a good one.
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failed> {
        let answer = self.answer(method, path, body).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| lost(&self.path, &error))?.to_bytes();
        Err(Failed::Sentence(match serde_json::from_slice(&body) {
            Ok(Refusal { error }) => error,
            Err(_) => {
                format!(
                    "the process that answers does not know {path} ({status}): it may be of an \
                     older version"
                )
            }
        }))
    }

    /// Sends a request; the head of the answer, whatever it is.
    async fn answer(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failed> {
        let request = request(&method, path, body)?;
        let answer = match exchange(&mut self.sender, request.clone()).await {
            // Hung up on: whoever reads what is shown here has taken a long pause.
            Err(_) if method != Method::POST => {
                self.sender = open(&self.path).await?;
                exchange(&mut self.sender, request).await
            }
            answer => answer,
        };
        answer.map_err(|error| lost(&self.path, &error))
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failed> {
        serde_json::from_slice(body).map_err(|error| {
            let path = self.path.display();
            format!("the answer on {path} is not one that this ctl knows: {error}").into()
        })
    }
}

/// An answer that comes piece by piece.
pub(super) struct Stream {
    body: Incoming,
    path: PathBuf,
    what: String,
    patience: Patience,
}

impl Stream {
    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failed> {
        let Self { body, path, what, patience } = self;
        let piece = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| lost(path, &error))?;
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Ok(None)
        };
        patience.wait(path, what, piece).await
    }
}

/// An answer that came as text.
pub(super) fn parsed<T: DeserializeOwned>(text: &str) -> Result<T, Failed> {
    serde_json::from_str(text).map_err(|error| format!("no answer: {error}").into())
}

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A text as part of a query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_ends_a_query() {
        assert_eq!(escaped("a-1.b"), "a-1.b");
        assert_eq!(escaped("[::1]:5&x=#\r\n é"), "%5B%3A%3A1%5D%3A5%26x%3D%23%0D%0A%20%C3%A9");
    }
}
