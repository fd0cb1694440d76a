//! A handshake over a socket. It reads nothing beyond the handshake, so the code that carries the connection next finds
//! each later record whole in the socket.

use std::io::{self, Read, Write};

use rustls::Connection;
use tokio::net::TcpStream;

use super::TlsFault;

/// Makes the handshake. Waits for as long as the peer likes: the caller sets a time limit. The future may be dropped.
///
/// # Errors
/// [`TlsFault`]; the peer has been told the reason, if the socket took it.
pub(crate) async fn shake_hands(tcp: &TcpStream, tls: &mut Connection) -> Result<(), TlsFault> {
    let mut records = Records { tcp, header: [0; HEADER], have: 0, left: 0 };
    loop {
        while tls.wants_write() {
            match tls.write_tls(&mut Socket(tcp)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tcp.writable().await?,
                result => drop(result?),
            }
        }
        if !tls.is_handshaking() {
            return Ok(());
        }
        match tls.read_tls(&mut records) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tcp.readable().await?;
                continue;
            }
            Ok(0) => return Err(TlsFault::Connection(io::ErrorKind::UnexpectedEof)),
            result => drop(result?),
        }
        if let Err(error) = tls.process_new_packets() {
            tls.write_tls(&mut Socket(tcp)).ok();
            return Err(error.into());
        }
    }
}

/// A socket for rustls that never waits.
pub(super) struct Socket<'a>(pub(super) &'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        retried(|| self.0.try_read(buffer))
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        retried(|| self.0.try_write(bytes))
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        retried(|| self.0.try_write_vectored(parts))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn retried<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Bytes of a record's header; its last two bytes are the length of the rest.
const HEADER: usize = 5;

/// Reads no further than the end of a record.
struct Records<'a> {
    tcp: &'a TcpStream,
    header: [u8; HEADER],
    /// How many bytes of the header have come.
    have: usize,
    /// How many bytes of the record are still to come, after its header.
    left: usize,
}

impl Read for Records<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_header = self.left == 0;
        let most = if is_header { HEADER - self.have } else { self.left };
        let room = buffer.len().min(most);
        let count = Socket(self.tcp).read(&mut buffer[..room])?;
        if is_header {
            self.header[self.have..self.have + count].copy_from_slice(&buffer[..count]);
            self.have += count;
            if self.have == HEADER {
                self.left = u16::from_be_bytes([self.header[3], self.header[4]]).into();
                self.have = 0;
            }
        } else {
            self.left -= count;
        }
        Ok(count)
    }
}
