//! One connection to the control socket, and what is said when there is none.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::screen::Failed;

/// What requests are sent by, one after the other.
pub(super) type Sender = SendRequest<Empty<Bytes>>;

/// Opens a connection.
pub(super) async fn open(path: &Path) -> Result<Sender, Failed> {
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

/// Whether there is a socket, or nothing that is not one.
fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).map_or(true, |file| file.file_type().is_socket())
}

/// Asks for `path`, without a body.
pub(super) fn request(method: &Method, path: &str) -> Result<Request<Empty<Bytes>>, Failed> {
    let request =
        Request::builder().method(method).uri(path).header("host", "metalbond").body(Empty::new());
    request.map_err(|error| format!("cannot ask for {path}: {error}").into())
}

/// Sends a request; its answer, whatever that says.
pub(super) async fn exchange(
    sender: &mut Sender,
    request: Request<Empty<Bytes>>,
) -> hyper::Result<Response<Incoming>> {
    sender.ready().await?;
    sender.send_request(request).await
}

/// What /livez says, and whether that is good.
pub(super) async fn health(path: &Path) -> Result<(bool, String), Failed> {
    let mut sender = open(path).await?;
    let answer = exchange(&mut sender, request(&Method::GET, "/livez")?).await;
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
        "the connection to the reflector was lost ({path}): {error}; has it been stopped?"
    ))
}
