//! The same tests for both backends. A backend that this machine lacks is skipped.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use super::{Backend, Gather, IoChoice, LocalRuntime, OutBuf, Stream, choose};

mod alarm;
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod cost;
mod lifetime;
mod stream;
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
mod tcp_info;

/// The backends of this machine.
fn backends() -> Vec<Backend> {
    match choose(IoChoice::Uring) {
        Ok(_) => vec![Backend::Epoll, Backend::Uring],
        Err(error) => {
            support::skipped(error.to_string());
            vec![Backend::Epoll]
        }
    }
}

/// Runs `test` in an event loop of each backend.
fn on_each_backend(test: impl AsyncFn(Backend)) {
    for backend in backends() {
        println!("on {backend}");
        let runtime = LocalRuntime::new(backend).unwrap();
        runtime.block_on(test(backend));
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Two ends of a connection, plain sockets.
fn sockets() -> (TcpStream, TcpStream) {
    let (listener, addr) = listener();
    let near = TcpStream::connect(addr).unwrap();
    let (far, _) = listener.accept().unwrap();
    (near, far)
}

/// Two ends of a connection, both on `backend`.
fn pair(backend: Backend) -> (Stream, Stream) {
    let (near, far) = sockets();
    (Stream::from_std(backend, near).unwrap(), Stream::from_std(backend, far).unwrap())
}

/// Bytes that show where they belong.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251).to_le_bytes()[0]).collect()
}

/// Sends all of `buffer`. Returns the number of operations that it took, and the buffer.
async fn send_all(stream: &Stream, mut buffer: OutBuf) -> io::Result<(usize, OutBuf)> {
    let (mut sent, mut operations) = (0, 0);
    while sent < buffer.len() {
        let result;
        (result, buffer) = stream.send(buffer, sent, true).await;
        sent += result?;
        operations += 1;
    }
    Ok((operations, buffer))
}

/// Reads until `length` bytes are there, or the end.
async fn read_up_to(stream: &Stream, length: usize) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    while all.len() < length {
        match read_some(stream, &mut buffer).await? {
            0 => break,
            n => all.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(all)
}

/// Reads the available bytes, as soon as there are any.
async fn read_some(stream: &Stream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            result => return result,
        }
    }
}
