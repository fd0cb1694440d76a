//! Changes, in batches.
//!
//! [`Kernel`] owns the request socket and nothing else. A batch is one system call of at most
//! [`BATCH`] messages and [`BATCH_BYTES`] bytes; a call with many requests makes many.

use std::io;

use super::encode;
use super::socket::RequestSocket;
use crate::netlink::model::{KernelError, Request};

/// The most messages of one batch: if all are refused, the receive buffer has room for the refusals.
const BATCH: usize = 256;

/// The most bytes of one batch: below the usual send buffer of 208 KiB.
const BATCH_BYTES: usize = 64 * 1024;

/// Asks the kernel, and waits for its answers.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(super) socket: RequestSocket,
    buffer: Vec<u8>,
}

impl Kernel {
    /// A socket in the network namespace of this thread.
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { socket: RequestSocket::open()?, buffer: Vec::with_capacity(2 * BATCH_BYTES) })
    }

    /// The port id that marks own changes for a [`super::KernelMonitor`].
    pub(crate) fn port(&self) -> u32 {
        self.socket.port()
    }

    /// Makes changes in their order and returns the result of each: as many results as
    /// requests.
    ///
    /// Does not wait: the kernel carries out a request while it is sent, so its answers are there
    /// when sending returns. An error means that the kernel could not be asked or that answers were lost:
    /// then everything must be queried again.
    pub(crate) fn apply(
        &mut self,
        requests: &[Request],
    ) -> io::Result<Vec<Result<(), KernelError>>> {
        let mut results = Vec::with_capacity(requests.len());
        let mut most = BATCH;
        while let Some(rest) = requests.get(results.len()..)
            && !rest.is_empty()
        {
            let mut batch = self.encode(rest, most);
            let sent = match batch.last {
                Some(_) => self.socket.send(&self.buffer),
                None => Ok(()),
            };
            match sent {
                Ok(()) => {}
                // The kernel carries out no request of a datagram that is too large for the socket or for the
                // kernel's memory.
                Err(error) if is_too_large(&error) && batch.results.len() > 1 => {
                    most = batch.results.len() / 2;
                    continue;
                }
                Err(error) => return Err(error),
            }
            self.collect(&mut batch)?;
            results.append(&mut batch.results);
        }
        Ok(results)
    }

    /// Fills the buffer from the first requests.
    fn encode(&mut self, requests: &[Request], most: usize) -> Batch {
        let first = self.socket.numbers(u32::try_from(BATCH).unwrap_or(u32::MAX));
        let mut batch = Batch { first, last: None, results: Vec::with_capacity(most) };
        let mut start_of_last = 0;
        self.buffer.clear();
        for (number, request) in (0..).map(|index| first.wrapping_add(index)).zip(requests) {
            let start = self.buffer.len();
            if batch.results.len() == most {
                break;
            }
            let result = encode::request(&mut self.buffer, number, request);
            if self.buffer.len() > BATCH_BYTES && start > 0 {
                self.buffer.truncate(start);
                break;
            }
            if result.is_ok() {
                batch.last = Some(number);
                start_of_last = start;
            }
            batch.results.push(result);
        }
        // The answer to the last message ends the batch. Of the others only refusals are answered: more
        // answers than the socket has room for would be lost.
        encode::ask_for_ack(&mut self.buffer, start_of_last);
        batch
    }

    /// Reads answers until that of the last message.
    fn collect(&mut self, batch: &mut Batch) -> io::Result<()> {
        let Some(last) = batch.last else { return Ok(()) };
        loop {
            let mut ended = false;
            for message in self.socket.receive()? {
                let Some((errno, words)) = message.answer() else { continue };
                let index = usize::try_from(message.sequence.wrapping_sub(batch.first));
                let result = index.ok().and_then(|index| batch.results.get_mut(index));
                // Ignores answers to an earlier call that was given up.
                let Some(result) = result else { continue };
                if errno != 0 {
                    *result = Err(refusal(errno, words));
                }
                ended |= message.sequence == last;
            }
            if ended {
                return Ok(());
            }
        }
    }
}

/// Requests sent together.
#[derive(Debug)]
struct Batch {
    /// The first request's sequence number; the others' follow.
    first: u32,
    /// The sequence number of the last message, if any was sent.
    last: Option<u32>,
    results: Vec<Result<(), KernelError>>,
}

fn is_too_large(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS))
}

fn refusal(errno: i32, words: Option<&str>) -> KernelError {
    let text = match words {
        Some(words) => words.to_owned(),
        None => io::Error::from_raw_os_error(errno).to_string(),
    };
    KernelError { errno, text }
}
