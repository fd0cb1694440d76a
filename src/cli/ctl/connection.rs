//! One connection to the control socket, and the errors if there is none.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::screen::Failed;

/// What requests are sent by, one after the other.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Opens a connection.
pub(super) async fn open(path: &Path) -> Result<Sender, Failed> {
    match UnixStream::connect(path).await {
        Ok(stream) => speak(path, stream).await,
        Err(error) => Err(unreachable(path, &error)),
    }
}

/// The same, or one to the socket for readers beside it, where only that may be opened; and the path.
pub(super) async fn open_either(path: &Path) -> Result<(PathBuf, Sender), Failed> {
    let denied = match UnixStream::connect(path).await {
        Ok(stream) => return Ok((path.to_owned(), speak(path, stream).await?)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => error,
        Err(error) => return Err(unreachable(path, &error)),
    };
    let other = for_readers(path);
    match UnixStream::connect(&other).await {
        Ok(stream) => {
            let sender = speak(&other, stream).await?;
            Ok((other, sender))
        }
        Err(_) => Err(unreachable(path, &denied)),
    }
}

/// Where the socket for readers is: `control-ro.sock` beside `control.sock`.
fn for_readers(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push("-ro");
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Why there is no connection.
fn unreachable(path: &Path, error: &std::io::Error) -> Failed {
    let shown = path.display();
    let sentence = match error.kind() {
        ErrorKind::NotFound => format!(
            "there is no control socket {shown}: start the reflector or leaf with --control, or \
             say where its socket is (--socket, METALBOND_CONTROL)"
        ),
        ErrorKind::PermissionDenied => format!(
            "only root and the user of the process may use the control socket {shown}: use sudo, \
             or, to read only, join the group of the socket for readers, {}",
            for_readers(path).display()
        ),
        // A file or a folder refuses as well.
        ErrorKind::ConnectionRefused if !is_socket(path) => format!(
            "{shown} is not a socket: say where the control socket is (--socket, \
             METALBOND_CONTROL)"
        ),
        ErrorKind::ConnectionRefused => format!(
            "no process answers on the control socket {shown}: the process that made it has \
             ended; start it again"
        ),
        // The queue of its socket is full.
        ErrorKind::WouldBlock => format!(
            "the control socket {shown} accepts no connections: its process hangs or is stopped; see \
             the log of that process"
        ),
        _ => format!("cannot connect to the control socket {shown}: {error}"),
    };
    sentence.into()
}

async fn speak(path: &Path, stream: UnixStream) -> Result<Sender, Failed> {
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| lost(path, &error))?;
    // Ends with the sender; what goes wrong shows in the answer that does not come.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Whether there is a socket, or nothing that is not one.
fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |file| file.file_type().is_socket())
}

/// Asks for `path`, with a body that may be empty.
pub(super) fn request(
    method: &Method,
    path: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Failed> {
    let request = Request::builder().method(method).uri(path).header("host", "metalbond");
    let request = request.body(Full::new(body));
    request.map_err(|error| format!("cannot ask for {path}: {error}").into())
}

/// Sends a request; its answer, whatever that says.
pub(super) async fn exchange(
    sender: &mut Sender,
    request: Request<Full<Bytes>>,
) -> hyper::Result<Response<Incoming>> {
    sender.ready().await?;
    sender.send_request(request).await
}

/// What /livez says, and whether that is good.
pub(super) async fn health(path: &Path) -> Result<(bool, String), Failed> {
    let mut sender = open(path).await?;
    let answer = exchange(&mut sender, request(&Method::GET, "/livez", Bytes::new())?).await;
    let answer = answer.map_err(|error| lost(path, &error))?;
    let is_good = answer.status().is_success();
    let body = answer.into_body().collect().await;
    let body = body.map_err(|error| lost(path, &error))?.to_bytes();
    Ok((is_good, String::from_utf8_lossy(&body).into_owned()))
}

/// What is said when a connection breaks off.
pub(super) fn lost(path: &Path, error: &hyper::Error) -> Failed {
    let path = path.display();
    Failed::Sentence(format!(
        "the connection to {path} was lost: {error}; see whether its process still runs"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_for_readers_is_beside_the_other() {
        for (full, readers) in [
            ("/run/metalbond/control.sock", "/run/metalbond/control-ro.sock"),
            ("a.b.sock", "a.b-ro.sock"),
            ("/tmp/control", "/tmp/control-ro"),
        ] {
            assert_eq!(for_readers(Path::new(full)), Path::new(readers));
        }
    }
}
