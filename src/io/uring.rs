//! A stream on the ring: sends and readiness polls are queue entries, submitted in batches.
//!
//! Owns the socket and, per direction, at most one readiness poll in flight. Called by
//! [`Stream`](super::Stream) only, inside a [`UringRuntime`]. Polling before reading keeps idle
//! sessions free of pinned buffers; reads themselves are plain non-blocking calls.
//!
//! # Why this is sound
//!
//! `UnsubmittedOneshot` is a safe function that takes an entry with raw pointers, so the compiler
//! checks nothing here, and this file and `operation` have to be read as if they were `unsafe`. The kernel sees two
//! kinds of entries:
//!
//! * **SEND** (in `operation`), with a pointer into an [`OutBuf`], or **SENDMSG**, with one to a `Message` that
//!   points into it. The operation owns the buffer, whose bytes don't move or change with it, the
//!   message, which is in a place of its own, and a handle to the socket. If the future is dropped before the
//!   completion, tokio-uring keeps both until it arrives; if it is leaked, so are both. The flag
//!   MSG_DONTWAIT makes the kernel answer within the submission, with EAGAIN if need be: **no
//!   buffer is ever in the kernel's hands between two calls.** That matters because the driver's
//!   own drop (tokio-uring 0.5.0) releases what abandoned operations own *before* it cancels
//!   them; it first submits what is queued, though, and that ends every SEND.
//! * **ASYNC_CANCEL**, without memory, for a connection that goes to another thread, and then it owns a handle to the
//!   socket as well; or for all waits on the ring.
//! * **POLL_ADD**, without memory. It owns a handle to the socket, so that the descriptor can't
//!   be closed, and its number reused, while the entry waits in the queue. After submission the
//!   kernel holds the open file itself.

use std::cell::{Cell, RefCell};
use std::io::{self, Read as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use io_uring::{cqueue, opcode, types};
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot};

use super::operation::{Operation, outcome};
pub(super) use super::probe::available;
pub(super) use super::ring::UringRuntime;
use super::ring::note_queued;
use super::sending::SendingState;
use super::{Sending, Spare};

/// Ends of the stream that a peer's silence hides are events too: POLLERR and POLLHUP always
/// are, POLLRDHUP only on request.
const READABLE: i16 = libc::POLLIN | libc::POLLRDHUP;
const WRITABLE: i16 = libc::POLLOUT;
const ERROR: usize = libc::POLLERR.cast_unsigned() as usize;

pub(super) struct UringStream {
    socket: Rc<TcpStream>,
    /// Whether another thread has the connection.
    is_detached: Cell<bool>,
    readable: PollSlot,
    /// Rarely there.
    writable: RefCell<Option<Box<PollSlot>>>,
}

impl UringStream {
    pub(super) fn new(socket: TcpStream) -> io::Result<Self> {
        Ok(Self {
            socket: Rc::new(socket),
            is_detached: Cell::new(false),
            readable: PollSlot::default(),
            writable: RefCell::default(),
        })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.readable.poll(&self.socket, READABLE, cx)
    }

    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.socket).read(buffer)
    }

    pub(super) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        sending: &mut Sending,
    ) -> Poll<io::Result<usize>> {
        let Sending { state, from, eor } = sending;
        loop {
            let mut writable = self.writable.borrow_mut();
            if let Some(waits) = &*writable {
                let ready = ready!(waits.poll(&self.socket, WRITABLE, cx));
                *writable = None;
                ready?;
            }
            drop(writable);
            *state = match std::mem::replace(state, SendingState::Changing) {
                SendingState::Here(buffer) if *from >= buffer.len() => {
                    *state = SendingState::Here(buffer);
                    return Poll::Ready(Ok(0));
                }
                SendingState::Here(buffer) => {
                    SendingState::InFlight(Operation::submit(&self.socket, buffer, *from, *eor))
                }
                other => other,
            };
            let SendingState::InFlight(operation) = state else {
                return Poll::Ready(Err(io::ErrorKind::InvalidInput.into())); // no state but these
            };
            let (result, buffer) = ready!(operation.poll(cx));
            *state = SendingState::Here(buffer);
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    *self.writable.borrow_mut() = Some(Box::default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(n) => {
                    *from += n;
                    return Poll::Ready(Ok(n));
                }
            }
        }
    }

    /// A second descriptor of the connection. Cancels the waits for the first one on this ring; kernels before 5.19
    /// can't, and end these waits with the next news of the connection. With `with_others` it does not cancel them
    /// either: for each cancelled wait the kernel looks at all waits on the ring.
    pub(super) fn detach(&self, with_others: bool, spare: &mut Spare) -> io::Result<TcpStream> {
        let socket = spare.duplicate(&*self.socket)?;
        self.is_detached.set(true);
        if !with_others {
            drop(submit_cancel(&self.socket));
        }
        Ok(socket)
    }

    /// Cancels all waits on the ring of this thread, so that descriptors of detached streams close. Another stream
    /// repeats its wait when its task looks for it. Kernels before 5.19 cannot do this.
    #[expect(clippy::unused_self, reason = "a stream proves that the thread has a ring")]
    pub(super) fn end_waits(&self) {
        note_queued();
        let entry = opcode::AsyncCancel2::new(types::CancelBuilder::any()).build();
        drop(UnsubmittedOneshot::new(None, CancelDone, entry).submit());
    }

    pub(super) fn shutdown(&self) {
        // An error means that the connection is gone already, which is just as well.
        drop(self.socket.shutdown(Shutdown::Both));
    }
}

impl Drop for UringStream {
    /// Closing a descriptor doesn't end a poll on it: the file would stay open, and the peer
    /// would see no FIN, until the peer says something. A shutdown ends it.
    fn drop(&mut self) {
        if Rc::strong_count(&self.socket) > 1 && !self.is_detached.get() {
            self.shutdown();
        }
    }
}

impl std::fmt::Debug for UringStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UringStream").field("socket", &self.socket).finish_non_exhaustive()
    }
}

/// A place for one readiness poll in flight.
///
/// The operation stays here when the future that waits for it is dropped, and the next wait takes
/// it up again; otherwise each dropped wait on an idle socket would leave one more entry in the
/// kernel.
#[derive(Default)]
struct PollSlot(RefCell<Option<InFlightOneshot<Rc<TcpStream>, PollDone>>>);

impl PollSlot {
    fn poll(
        &self,
        socket: &Rc<TcpStream>,
        events: i16,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut slot = self.0.borrow_mut();
        loop {
            let operation = slot.get_or_insert_with(|| submit_poll(socket, events));
            let result = ready!(Pin::new(operation).poll(cx));
            *slot = None;
            if result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ECANCELED)) {
                continue; // with all waits of the ring
            }
            return Poll::Ready(result);
        }
    }
}

fn submit_poll(socket: &Rc<TcpStream>, events: i16) -> InFlightOneshot<Rc<TcpStream>, PollDone> {
    note_queued();
    let entry =
        opcode::PollAdd::new(types::Fd(socket.as_raw_fd()), u32::from(events.cast_unsigned()));
    UnsubmittedOneshot::new(Rc::clone(socket), PollDone, entry.build()).submit()
}

/// Ends all waits for a descriptor.
fn submit_cancel(socket: &Rc<TcpStream>) -> InFlightOneshot<Option<Rc<TcpStream>>, CancelDone> {
    note_queued();
    let what = types::CancelBuilder::fd(types::Fd(socket.as_raw_fd())).all();
    let entry = opcode::AsyncCancel2::new(what).build();
    UnsubmittedOneshot::new(Some(Rc::clone(socket)), CancelDone, entry).submit()
}

struct CancelDone;

impl OneshotOutputTransform for CancelDone {
    type Output = ();
    type StoredData = Option<Rc<TcpStream>>;

    fn transform_oneshot_output(self, _socket: Self::StoredData, _entry: cqueue::Entry) {}
}

struct PollDone;

impl OneshotOutputTransform for PollDone {
    type Output = io::Result<()>;
    type StoredData = Rc<TcpStream>;

    fn transform_oneshot_output(self, socket: Rc<TcpStream>, entry: cqueue::Entry) -> Self::Output {
        let events = outcome(&entry)?;
        if events & ERROR != 0 {
            return socket.take_error()?.map_or(Ok(()), Err);
        }
        Ok(())
    }
}
