//! A server that repeats the bytes that it gets and does no routing: the limit of what is possible.
//!
//! One thread, one epoll. It reads up to 64 KiB, finds the type of each frame and the VNI of each UPDATE ([`vnis`]),
//! and sends the UPDATEs of a read unchanged to each subscriber of their VNI, with one write. It has no table: a
//! subscriber gets only later updates, and the end of a session withdraws nothing. A reflector that costs no more than
//! the repeater does its routing for nothing.

mod session;
mod vnis;

use std::io::{ErrorKind, IoSlice, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};

use metalbond::wire::{
    Capabilities, Extensions, Frame, Hello, MAX_FRAME, Message, MessageType, WireError, split,
};
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

use session::RepeaterSession;
use vnis::{Vnis, vni_of};

const READ_MAX: usize = 64 * 1024;
const EVENTS: usize = 1024;
/// The epoll datum that stands for the listener, and not for a session.
const LISTENER: u64 = u64::MAX;

/// Flags of the hidden subcommand.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
}

/// See the module's documentation.
#[derive(Debug)]
struct Repeater {
    epoll: OwnedFd,
    sessions: Vec<Option<RepeaterSession>>,
    vnis: Vnis,
    /// The answers to the messages of the present read.
    answers: Vec<u8>,
    /// Sessions that turned out to have ended while they were written to.
    over: Vec<usize>,
}

/// Runs until it is killed.
///
/// # Errors
/// An error when it can't listen, or the epoll fails.
pub(crate) fn run(options: &Options) -> std::io::Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    rustix::net::listen(&listener, 4096)?;
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let datum = epoll::EventData::new_u64(LISTENER);
    epoll::add(&epoll, &listener, datum, epoll::EventFlags::IN)?;
    eprintln!("repeater started listen={}", listener.local_addr()?);
    let mut repeater = Repeater {
        epoll,
        sessions: Vec::new(),
        vnis: Vnis::new(),
        answers: Vec::new(),
        over: Vec::new(),
    };
    let mut events = Vec::with_capacity(EVENTS);
    let mut buffer = vec![0; MAX_FRAME + READ_MAX];
    loop {
        match epoll::wait(&repeater.epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events.drain(..) {
            let (datum, flags) = (event.data.u64(), event.flags);
            if datum == LISTENER {
                repeater.accept(&listener)?;
                continue;
            }
            let index = usize::try_from(datum).unwrap_or(usize::MAX);
            if flags.contains(epoll::EventFlags::OUT) {
                repeater.flush(index)?;
            }
            if flags.intersects(!epoll::EventFlags::OUT) {
                repeater.read(index, &mut buffer)?;
            }
        }
    }
}

impl Repeater {
    fn accept(&mut self, listener: &TcpListener) -> std::io::Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let datum = epoll::EventData::new_u64(self.sessions.len() as u64);
            epoll::add(&self.epoll, stream.as_fd(), datum, epoll::EventFlags::IN)?;
            self.sessions.push(Some(RepeaterSession::new(stream)));
        }
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) -> std::io::Result<()> {
        let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        let carried = session.partial.len();
        buffer[..carried].copy_from_slice(&session.partial);
        let n = match session.stream.read(&mut buffer[carried..carried + READ_MAX]) {
            Ok(0) => return self.close(index),
            Ok(n) => n,
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::Interrupted => return Ok(()),
                _ => return self.close(index),
            },
        };
        let read = &buffer[..carried + n];
        let used = self.take(index, read);
        self.send_on(index, read)?;
        match (used, self.sessions[index].as_mut()) {
            (Ok(used), Some(session)) => {
                session.partial.clear();
                session.partial.extend_from_slice(&read[used..]);
            }
            _ => {
                self.over.push(index);
                return self.bury();
            }
        }
        if !self.answers.is_empty() {
            let answers = std::mem::take(&mut self.answers);
            self.send(index, &[IoSlice::new(&answers)])?;
            self.answers = answers;
        }
        self.bury()
    }

    /// Takes all whole frames of a read; returns their bytes.
    fn take(&mut self, index: usize, read: &[u8]) -> Result<usize, WireError> {
        self.answers.clear();
        let mut used = 0;
        while let Some(frame) = split(&read[used..])? {
            let end = used + frame.len();
            if frame.kind == MessageType::Update {
                self.vnis.take(read, used, end, vni_of(frame.payload)?);
            } else {
                self.answer(index, &frame)?;
            }
            used = end;
        }
        Ok(used)
    }

    /// Carries out a message other than an UPDATE.
    #[cold]
    fn answer(&mut self, index: usize, frame: &Frame<'_>) -> Result<(), WireError> {
        match frame.kind {
            MessageType::Hello => {
                let knows = Extensions::new(Capabilities::END_OF_TABLE, "repeater", "");
                let extensions = Some(knows);
                let hello = Hello { keepalive_interval: 5, is_server: true, extensions };
                Message::Hello(hello).encode_into(&mut self.answers);
            }
            MessageType::Keepalive => Message::Keepalive.encode_into(&mut self.answers),
            _ => match Message::decode(frame)? {
                Message::Subscribe(vni) => {
                    self.vnis.subscribe(index, vni.0);
                    Message::EndOfTable(vni).encode_into(&mut self.answers);
                }
                Message::Unsubscribe(vni) => self.vnis.unsubscribe(index, vni.0),
                _ => {}
            },
        }
        Ok(())
    }

    /// Sends the UPDATEs of a read to their subscribers.
    fn send_on(&mut self, from: usize, read: &[u8]) -> std::io::Result<()> {
        let Self { epoll, sessions, vnis, over, .. } = self;
        let mut result = Ok(());
        vnis.send(read, from, |to, slices| {
            if let Err(error) = send(epoll, sessions, over, to, slices) {
                result = Err(error);
            }
        });
        result
    }

    fn send(&mut self, to: usize, slices: &[IoSlice<'_>]) -> std::io::Result<()> {
        send(&self.epoll, &mut self.sessions, &mut self.over, to, slices)
    }

    fn flush(&mut self, index: usize) -> std::io::Result<()> {
        let Some(session) = self.sessions.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        if session.flush().is_err() {
            return self.close(index);
        }
        if session.has_pending() {
            return Ok(());
        }
        watch(&self.epoll, session, index, epoll::EventFlags::IN)
    }

    /// Closes sessions that have ended.
    fn bury(&mut self) -> std::io::Result<()> {
        while let Some(index) = self.over.pop() {
            self.close(index)?;
        }
        Ok(())
    }

    fn close(&mut self, index: usize) -> std::io::Result<()> {
        if let Some(session) = self.sessions.get_mut(index).and_then(Option::take) {
            epoll::delete(&self.epoll, session.stream.as_fd())?;
            self.vnis.remove(index);
        }
        Ok(())
    }
}

/// Writes to a session, and watches its room while bytes are left.
fn send(
    epoll: &OwnedFd,
    sessions: &mut [Option<RepeaterSession>],
    over: &mut Vec<usize>,
    to: usize,
    slices: &[IoSlice<'_>],
) -> std::io::Result<()> {
    let Some(session) = sessions[to].as_mut() else { return Ok(()) };
    let had_pending = session.has_pending();
    if session.send(slices).is_err() {
        over.push(to);
    } else if session.has_pending() && !had_pending {
        watch(epoll, session, to, epoll::EventFlags::IN | epoll::EventFlags::OUT)?;
    }
    Ok(())
}

fn watch(
    epoll: &OwnedFd,
    session: &RepeaterSession,
    index: usize,
    flags: epoll::EventFlags,
) -> std::io::Result<()> {
    let datum = epoll::EventData::new_u64(index as u64);
    Ok(epoll::modify(epoll, session.stream.as_fd(), datum, flags)?)
}
