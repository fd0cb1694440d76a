//! A SEND or SENDMSG in flight on the ring, with all memory that the kernel may read meanwhile.
//!
//! Review this file as if it were `unsafe`; `uring` says why it is sound.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll};

use io_uring::{cqueue, opcode, squeue, types};
use tokio_uring::{InFlightOneshot, OneshotOutputTransform, UnsubmittedOneshot};

use super::flags::send_flags;
use super::ring::note_queued;
use super::{OutBuf, SLICES_MAX};

/// See the module's documentation.
pub(super) struct Operation(InFlightOneshot<SendData, SendDone>);

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation").finish_non_exhaustive()
    }
}

impl Operation {
    /// Queues a send of `buffer[from..]`; see [`Sending::new`](super::Sending::new) for `eor`.
    pub(super) fn submit(socket: &Rc<TcpStream>, buffer: OutBuf, from: usize, eor: bool) -> Self {
        note_queued();
        let (entry, message) = {
            let mut slices = buffer.slices(from);
            match (slices.next(), slices.next()) {
                (Some(slice), None) => (send_entry(socket, slice, eor), None),
                _ => {
                    let message = MessageHeader::new(&buffer, from);
                    (message_entry(socket, &message, eor), Some(message))
                }
            }
        };
        let data = SendData { _socket: Rc::clone(socket), _message: message, buffer };
        Self(UnsubmittedOneshot::new(data, SendDone, entry).submit())
    }

    /// The number of bytes that the kernel has taken, and the buffer.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(io::Result<usize>, OutBuf)> {
        Pin::new(&mut self.0).poll(cx)
    }
}

/// The entry points at `bytes`: submit it only together with their owner.
fn send_entry(socket: &TcpStream, bytes: &[u8], eor: bool) -> squeue::Entry {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    opcode::Send::new(types::Fd(socket.as_raw_fd()), bytes.as_ptr(), length)
        .flags(send_flags(eor) | libc::MSG_DONTWAIT)
        .build()
}

/// The entry points at `message`: submit it only together with `message` and everything that this points at.
fn message_entry(socket: &TcpStream, message: &MessageHeader, eor: bool) -> squeue::Entry {
    opcode::SendMsg::new(types::Fd(socket.as_raw_fd()), &raw const message.header)
        .flags((send_flags(eor) | libc::MSG_DONTWAIT).cast_unsigned())
        .build()
}

/// The addresses of a buffer's slices. In a box, because the header points at the other fields.
struct MessageHeader {
    header: libc::msghdr,
    slices: [libc::iovec; SLICES_MAX],
}

impl MessageHeader {
    fn new(buffer: &OutBuf, from: usize) -> Box<Self> {
        let none = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let header = libc::msghdr {
            msg_name: ptr::null_mut(),
            msg_namelen: 0,
            msg_iov: ptr::null_mut(),
            msg_iovlen: 0,
            msg_control: ptr::null_mut(),
            msg_controllen: 0,
            msg_flags: 0,
        };
        let mut message = Box::new(Self { header, slices: [none; SLICES_MAX] });
        for (place, slice) in message.slices.iter_mut().zip(buffer.slices(from)) {
            *place =
                libc::iovec { iov_base: slice.as_ptr().cast_mut().cast(), iov_len: slice.len() };
            message.header.msg_iovlen += 1;
        }
        message.header.msg_iov = message.slices.as_mut_ptr();
        message
    }
}

/// The data of a SEND, kept for as long as the kernel may look at it.
struct SendData {
    _socket: Rc<TcpStream>,
    _message: Option<Box<MessageHeader>>,
    buffer: OutBuf,
}

struct SendDone;

impl OneshotOutputTransform for SendDone {
    type Output = (io::Result<usize>, OutBuf);
    type StoredData = SendData;

    fn transform_oneshot_output(self, data: SendData, entry: cqueue::Entry) -> Self::Output {
        (outcome(&entry), data.buffer)
    }
}

/// The result of an entry of the ring: a count, or an error.
pub(super) fn outcome(entry: &cqueue::Entry) -> io::Result<usize> {
    let result = entry.result();
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
}
