//! HTTP over the control socket.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::patience::Patience;
use super::screen::Failed;

/// Whether there is a socket, or nothing that is not one.
fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |file| file.file_type().is_socket())
}

/// One connection, asked one thing after the other.
pub(super) struct Client {
    sender: SendRequest<Empty<Bytes>>,
    path: PathBuf,
    pub(super) patience: Patience,
}

/// What went wrong, as the reflector says it.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

impl Client {
    pub(super) async fn connect(path: &Path, patience: Patience) -> Result<Self, Failed> {
        let path = path.to_owned();
        let sender = patience.wait(&path, "a connection", Self::open(&path)).await?;
        Ok(Self { sender, path, patience })
    }

    async fn open(path: &Path) -> Result<SendRequest<Empty<Bytes>>, Failed> {
        let shown = path.display();
        let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!(
                "there is no control socket {shown}: start the reflector with --control, or say where \
                 its socket is (--socket, METALBOND_CONTROL)"
            ),
            ErrorKind::PermissionDenied => format!(
                "the control socket {shown} is for the reflector's user and root only: use sudo"
            ),
            // A file or a folder refuses as well.
            ErrorKind::ConnectionRefused if !is_socket(path) => format!(
                "{shown} is not a socket: say where the reflector's control socket is (--socket, \
                 METALBOND_CONTROL)"
            ),
            ErrorKind::ConnectionRefused => format!(
                "nobody answers on the control socket {shown}: the reflector that made it is gone, \
                 start it again"
            ),
            // The queue of its socket is full.
            ErrorKind::WouldBlock => format!(
                "the reflector accepts no connections on its control socket {shown}: its thread \"http\" \
                 hangs or its process is stopped; see its log"
            ),
            _ => format!("cannot connect to the control socket {shown}: {error}"),
        })?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| lost(path, &error))?;
        // Ends with the sender; what goes wrong shows in the answer that does not come.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }

    /// Asks for a document.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failed> {
        let body = self.ask(Method::GET, path).await?;
        self.read(&body)
    }

    /// Asks for a document as it is.
    pub(super) async fn get_text(&mut self, path: &str) -> Result<String, Failed> {
        let body = self.ask(Method::GET, path).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Tells it to do something; its answer as it is.
    pub(super) async fn post(&mut self, path: &str) -> Result<String, Failed> {
        let body = self.ask(Method::POST, path).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// Asks for something without end, or of any size.
    pub(super) async fn stream(&mut self, path: &str) -> Result<Stream, Failed> {
        let (patience, own) = (self.patience, self.path.clone());
        let answer = patience.wait(&own, path, self.send(Method::GET, path)).await?;
        Ok(Stream { body: answer.into_body(), path: own, what: path.to_owned(), patience })
    }

    /// What /livez says, and whether that is good.
    pub(super) async fn health(&mut self) -> Result<(bool, String), Failed> {
        let answer = self.exchange(Self::request(&Method::GET, "/livez")?).await;
        let answer = answer.map_err(|error| lost(&self.path, &error))?;
        let is_good = answer.status().is_success();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| lost(&self.path, &error))?.to_bytes();
        Ok((is_good, String::from_utf8_lossy(&body).into_owned()))
    }

    async fn ask(&mut self, method: Method, path: &str) -> Result<Bytes, Failed> {
        let (patience, own) = (self.patience, self.path.clone());
        let asked = async {
            let answer = self.send(method, path).await?;
            let body = answer.into_body().collect().await;
            Ok(body.map_err(|error| lost(&own, &error))?.to_bytes())
        };
        patience.wait(&own, path, asked).await
    }

    fn request(method: &Method, path: &str) -> Result<Request<Empty<Bytes>>, Failed> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "metalbond")
            .body(Empty::new());
        request.map_err(|error| format!("cannot ask for {path}: {error}").into())
    }

    /// Sends a request; the head of the answer, if it is a good one.
    async fn send(&mut self, method: Method, path: &str) -> Result<Response<Incoming>, Failed> {
        let request = Self::request(&method, path)?;
        let answer = match self.exchange(request.clone()).await {
            // Hung up on: whoever reads what is shown here has taken a long pause.
            Err(_) if method == Method::GET => {
                self.sender = Self::open(&self.path).await?;
                self.exchange(request).await
            }
            answer => answer,
        };
        let answer = answer.map_err(|error| lost(&self.path, &error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| lost(&self.path, &error))?.to_bytes();
        Err(Failed::Sentence(match serde_json::from_slice(&body) {
            Ok(Refusal { error }) => error,
            Err(_) => format!("the reflector does not know {path} ({status}): is it an older one?"),
        }))
    }

    async fn exchange(
        &mut self,
        request: Request<Empty<Bytes>>,
    ) -> hyper::Result<Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Failed> {
        serde_json::from_slice(body).map_err(|error| {
            let path = self.path.display();
            format!("what answers on {path} says what no reflector says: {error}").into()
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

fn lost(path: &Path, error: &hyper::Error) -> Failed {
    let path = path.display();
    Failed::Sentence(format!(
        "the connection to the reflector was lost ({path}): {error}; has it been stopped?"
    ))
}

/// A text as part of a query.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
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
