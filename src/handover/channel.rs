//! A Unix socket between the two processes: messages, and descriptors that belong to them.
//!
//! State: bytes and descriptors that have come and are not a whole message yet. A message is at most
//! [`MESSAGE_MAX`] bytes and [`DESCRIPTORS_MAX`] descriptors.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use prost::Message;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Signal, pidfd_send_signal};

use super::message::form;
use crate::io::PeerProcess;

/// The largest number of descriptors that the kernel takes at once (SCM_MAX_FD).
pub(super) const DESCRIPTORS_MAX: usize = 253;
/// The largest length of a message that is read; written messages are far shorter.
const MESSAGE_MAX: usize = 8 << 20;
/// The number of bytes read at once.
const READ: usize = 256 << 10;
/// The pause while the kernel has too many descriptors under way.
const AGAIN: Duration = Duration::from_millis(1);
/// How long a process may take to die after its end has closed: a dying process closes its descriptors first.
const DIES: Duration = Duration::from_secs(5);

/// A message that may carry descriptors.
pub(super) trait Carried: Message + Default {
    /// The number of descriptors that belong to it.
    fn descriptors(&self) -> usize;
}

impl Carried for form::ToSuccessor {
    fn descriptors(&self) -> usize {
        usize::try_from(self.descriptors).unwrap_or(usize::MAX)
    }
}

impl Carried for form::ToPredecessor {
    fn descriptors(&self) -> usize {
        0
    }
}

/// A message, or the reason why none comes.
#[derive(Debug)]
pub(super) enum Received<T> {
    Message(T, Vec<OwnedFd>),
    /// The other process is dead. Everything that it had written has been read.
    Died,
    /// The other process has closed its end, or sent bytes that are no message, and is not known to be dead.
    Left,
    /// Nothing came in time.
    Late,
    /// Descriptors came for which this process has no room, so the kernel has closed them.
    Cut,
}

/// One end of a connection between two processes.
#[derive(Debug)]
pub(super) struct Channel {
    socket: UnixStream,
    peer: PeerProcess,
    bytes: Vec<u8>,
    taken: usize,
    descriptors: VecDeque<OwnedFd>,
    /// Whether the kernel has closed descriptors that came.
    is_cut: bool,
}

impl Channel {
    /// The end at a connected socket.
    ///
    /// # Errors
    /// If the system does not say which process is at the other end.
    pub(super) fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let peer = PeerProcess::of(&socket)?;
        let (bytes, descriptors) = (Vec::new(), VecDeque::new());
        Ok(Self { socket, peer, bytes, taken: 0, descriptors, is_cut: false })
    }

    /// The id of the other process; 0 if it has none in this namespace.
    pub(super) fn process(&self) -> u32 {
        self.peer.number.unwrap_or_default()
    }

    /// Sets the other process as it names itself: if it listens on an inherited socket, the kernel names an earlier
    /// process.
    pub(super) fn is_with(&mut self, process: u32, handle: OwnedFd) {
        (self.peer.number, self.peer.handle) = (Some(process), Some(handle));
    }

    /// The user as which the other process runs.
    pub(super) fn user(&self) -> u32 {
        self.peer.user
    }

    /// Sends a message. `patience` is the time for each part that the socket takes.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`], [`ErrorKind::BrokenPipe`], and other errors of the system.
    pub(super) fn send(
        &self,
        message: &impl Message,
        descriptors: &[BorrowedFd<'_>],
        patience: Duration,
    ) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(message.encoded_len() + 4);
        let length = u32::try_from(message.encoded_len()).map_err(|_| ErrorKind::InvalidInput)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        message.encode(&mut bytes).map_err(io::Error::other)?;
        let mut rest = &bytes[..];
        let mut descriptors = descriptors;
        let mut deadline = Instant::now() + patience;
        while !rest.is_empty() {
            match self.send_once(rest, descriptors) {
                Ok(sent) => {
                    (rest, descriptors) = (&rest[sent..], &[]);
                    deadline = Instant::now() + patience;
                }
                Err(Errno::AGAIN) => self.wait(PollFlags::OUT, deadline)?,
                Err(Errno::INTR) => {}
                Err(Errno::TOOMANYREFS) if Instant::now() < deadline => std::thread::sleep(AGAIN),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn send_once(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<usize, Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::INVAL);
        }
        sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)
    }

    /// Waits for the next message until `deadline`.
    pub(super) fn receive<T: Carried>(&mut self, deadline: Instant) -> Received<T> {
        loop {
            match self.next_message() {
                Ok(Some((message, descriptors))) => return Received::Message(message, descriptors),
                Ok(None) => {}
                Err(_) => return Received::Left,
            }
            match self.read() {
                _ if self.is_cut => return Received::Cut,
                Ok(0) => return self.after_end(),
                Ok(_) => {}
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if self.wait(PollFlags::IN, deadline).is_err() {
                        return Received::Late;
                    }
                }
                // The other process has died with unread bytes.
                Err(_) => return self.after_end(),
            }
        }
    }

    /// The next message, if it has come already.
    pub(super) fn pending<T: Carried>(&mut self) -> Option<T> {
        loop {
            match self.next_message() {
                Ok(Some((message, _))) => return Some(message),
                Ok(None) => {}
                Err(_) => return None,
            }
            if !self.read().is_ok_and(|read| read > 0) {
                return None;
            }
        }
    }

    fn next_message<T: Carried>(&mut self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let rest = &self.bytes[self.taken..];
        let Some((length, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > MESSAGE_MAX {
            return Err(ErrorKind::InvalidData.into());
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let message = T::decode(body).map_err(io::Error::other)?;
        let count = message.descriptors();
        if count > self.descriptors.len() {
            return Err(ErrorKind::InvalidData.into());
        }
        self.taken += 4 + length;
        Ok(Some((message, self.descriptors.drain(..count).collect())))
    }

    fn read(&mut self) -> Result<usize, Errno> {
        self.bytes.drain(..std::mem::take(&mut self.taken));
        let had = self.bytes.len();
        self.bytes.resize(had + READ, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let into = &mut [IoSliceMut::new(&mut self.bytes[had..])];
        let read = recvmsg(&self.socket, into, &mut control, flags);
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                self.descriptors.extend(descriptors);
            }
        }
        self.is_cut |= read.as_ref().is_ok_and(|it| it.flags.contains(ReturnFlags::CTRUNC));
        let read = read.map(|read| read.bytes);
        self.bytes.truncate(had + read.unwrap_or_default());
        read
    }

    /// The other end is closed: finds out whether that process is dead.
    fn after_end<T>(&self) -> Received<T> {
        match &self.peer.handle {
            Some(_) if self.is_dead_by(Instant::now() + DIES) => Received::Died,
            Some(_) => Received::Left,
            // A process closes its end only after CalledOff or Taken, so this is its death.
            None => Received::Died,
        }
    }

    /// Whether the other process is dead, or dies before `deadline`.
    fn is_dead_by(&self, deadline: Instant) -> bool {
        self.peer
            .handle
            .as_ref()
            .is_some_and(|peer| wait(peer.as_fd(), PollFlags::IN, deadline).is_ok())
    }

    /// Kills the other process and waits until it is dead. `false` if that cannot be done.
    pub(super) fn kill(&self) -> bool {
        let Some(peer) = &self.peer.handle else { return false };
        match pidfd_send_signal(peer, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => self.is_dead_by(Instant::now() + DIES),
            Err(_) => false,
        }
    }

    fn wait(&self, what: PollFlags, deadline: Instant) -> io::Result<()> {
        wait(self.socket.as_fd(), what, deadline)
    }
}

/// Waits until there is something to read, for at most `most`.
pub(super) fn await_input(descriptor: BorrowedFd<'_>, most: Duration) {
    wait(descriptor, PollFlags::IN, Instant::now() + most).ok();
}

/// Waits for an event of a descriptor; [`ErrorKind::TimedOut`] at the deadline.
fn wait(descriptor: BorrowedFd<'_>, what: PollFlags, deadline: Instant) -> io::Result<()> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
        match poll(&mut [PollFd::from_borrowed_fd(descriptor, what)], Some(&timeout)) {
            Ok(0) => return Err(ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
