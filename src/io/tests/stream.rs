//! What a session needs of a stream: bytes arrive whole and in order, and everything ends.

use std::cell::Cell;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Waker};

use bytes::Bytes;
use tokio::task::spawn_local;

use super::*;
use crate::io::Sending;

/// Sends until the peer's window and both kernels' buffers are full, so that a further
/// send stays pending. Returns the number of bytes sent.
async fn fill(stream: &Stream) -> usize {
    let mut buffer = OutBuf::from(pattern(1 << 20));
    let mut total = 0;
    let mut partial = false;
    loop {
        let length = buffer.len();
        let send = stream.send(buffer, 0, false);
        // The ring answers within a few turns; an operation that doesn't end in a hundred turns is pending.
        let Some((result, back)) = within_turns(100, send).await else {
            assert!(partial, "the last send that ends takes a part");
            return total;
        };
        let sent = result.unwrap();
        total += sent;
        partial = sent < length;
        buffer = back;
    }
}

/// The result of `future` if it comes within this number of turns of the event loop.
async fn within_turns<T>(turns: usize, future: impl Future<Output = T>) -> Option<T> {
    let limit = async {
        for _ in 0..turns {
            crate::io::yield_turn().await;
        }
    };
    tokio::select! {
        biased;
        result = future => Some(result),
        () = limit => None,
    }
}

#[test]
fn an_echo_returns_every_size_unchanged() {
    on_each_backend(async |backend| {
        let (near, far) = pair(backend);
        let echo = spawn_local(async move {
            let mut buffer = [0; 4096];
            loop {
                match read_some(&far, &mut buffer).await? {
                    0 => return io::Result::Ok(()),
                    n => drop(send_all(&far, OutBuf::from(buffer[..n].to_vec())).await?),
                }
            }
        });
        let near = Rc::new(near);
        for size in [1, 2, 38, 1399, 4096, 65_535, 65_536, 1 << 20] {
            let bytes = Bytes::from(pattern(size));
            let writer = spawn_local({
                let (near, bytes) = (Rc::clone(&near), bytes.clone());
                async move { send_all(&near, OutBuf::Shared(bytes)).await }
            });
            let back = read_up_to(&near, size).await.unwrap();
            assert_eq!(back, bytes, "{size} bytes");
            writer.await.unwrap().unwrap();
        }
        near.shutdown();
        echo.await.unwrap().unwrap();
    });
}

#[test]
fn a_peer_that_does_not_read_gets_parts_and_in_the_end_everything() {
    parts_arrive(&OutBuf::from(pattern(32 << 20)));
}

#[test]
fn a_write_of_many_slices_may_stop_within_any_of_them() {
    let bytes = Bytes::from(pattern(32 << 20));
    let (mut gather, mut at) = (Gather::default(), 0);
    // Slices of all sizes, copies and references in turn.
    while !gather.is_full() {
        let len = if gather.len() % 3 == 0 { 1 + at % 200 } else { 900_001 - at % 70_000 };
        let end = (at + len).min(bytes.len());
        match len {
            ..=200 => gather.copy(&bytes[at..end]),
            _ => gather.share(bytes.slice(at..end)),
        }
        at = end;
    }
    assert_eq!(OutBuf::Gathered(gather.clone()).to_vec(), bytes[..at]);
    parts_arrive(&OutBuf::Gathered(gather));
}

/// Sends to a peer that does not read at first.
fn parts_arrive(bytes: &OutBuf) {
    on_each_backend(async |backend| {
        let (near, mut far) = sockets();
        let near = Stream::from_std(backend, near).unwrap();
        let (bytes, expected) = (bytes.clone(), bytes);
        let reader = async {
            // The peer does not read before the first send has stopped short.
            tokio::task::spawn_blocking(move || {
                let mut all = Vec::new();
                far.read_to_end(&mut all).map(|_| all)
            })
            .await
            .unwrap()
        };
        let (result, bytes) = near.send(bytes, 0, true).await;
        let first = result.unwrap();
        assert!(0 < first && first < bytes.len(), "{first} bytes at once");
        let writer = async {
            let mut bytes = bytes;
            let mut sent = first;
            while sent < bytes.len() {
                let result;
                (result, bytes) = near.send(bytes, sent, true).await;
                sent += result.unwrap();
            }
            near.shutdown();
        };
        let (received, ()) = tokio::join!(reader, writer);
        assert_eq!(received.unwrap(), expected.to_vec());
    });
}

#[test]
fn the_end_of_the_peer_is_readable_and_reads_as_zero() {
    on_each_backend(async |backend| {
        let (near, mut far) = sockets();
        let near = Stream::from_std(backend, near).unwrap();
        far.write_all(b"last words").unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_up_to(&near, 100).await.unwrap(), b"last words");
        near.readable().await.unwrap();
        assert_eq!(near.try_read(&mut [0; 10]).unwrap(), 0);
        // The other direction still works.
        send_all(&near, OutBuf::from(b"noted".to_vec())).await.unwrap();
        drop(near);
        let mut rest = String::new();
        far.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "noted");
    });
}

#[test]
fn nothing_to_read_would_block() {
    on_each_backend(async |backend| {
        let (near, _far) = pair(backend);
        let error = near.try_read(&mut [0; 10]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_wait_after_everything_was_read_is_for_what_comes_then() {
    on_each_backend(async |backend| {
        let (near, mut far) = sockets();
        let near = Stream::from_std(backend, near).unwrap();
        for _ in 0..100 {
            far.write_all(b"all of it").unwrap();
            near.readable().await.unwrap();
            assert_eq!(near.try_read(&mut [0; 100]).unwrap(), 9);
            near.note_drained();
            let pending = within_turns(10, near.readable()).await;
            assert!(pending.is_none(), "{pending:?}");
        }
        // Neither news nor the end of the stream is missed.
        far.write_all(b"news").unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        near.readable().await.unwrap();
        assert_eq!(near.try_read(&mut [0; 100]).unwrap(), 4);
        near.note_drained();
        near.readable().await.unwrap();
        assert_eq!(near.try_read(&mut [0; 100]).unwrap(), 0);
    });
}

#[test]
fn a_send_is_over_at_once_where_it_is_a_system_call() {
    on_each_backend(async |backend| {
        let (near, far) = pair(backend);
        // The reactor must have seen the socket once.
        within_turns(10, std::future::pending::<()>()).await;
        let mut sending = Sending::new(OutBuf::from(b"hello".to_vec()), 0, true);
        let first = near.poll_send(&mut Context::from_waker(Waker::noop()), &mut sending);
        assert_eq!(first.is_ready(), backend == Backend::Epoll);
        // On the ring the send goes out with others, and its result comes later.
        if first.is_pending() {
            assert!(!sending.is_done());
            poll_fn(|cx| near.poll_send(cx, &mut sending)).await.unwrap();
        }
        assert!(sending.is_done());
        assert_eq!(sending.into_buffer().unwrap().to_vec(), b"hello");
        assert_eq!(read_up_to(&far, 5).await.unwrap(), b"hello");
    });
}

#[test]
fn there_is_nothing_to_do_for_no_bytes() {
    on_each_backend(async |backend| {
        let (near, _far) = pair(backend);
        let (result, buffer) = near.send(OutBuf::from(b"abc".to_vec()), 3, true).await;
        assert_eq!(result.unwrap(), 0);
        let (result, _) = near.send(buffer, 100, true).await;
        assert_eq!(result.unwrap(), 0);
    });
}

#[test]
fn a_shutdown_ends_a_pending_wait_for_bytes() {
    on_each_backend(async |backend| {
        let (near, _far) = pair(backend);
        let near = Rc::new(near);
        let waits = Rc::new(Cell::new(false));
        let reader = spawn_local({
            let (near, waits) = (Rc::clone(&near), Rc::clone(&waits));
            async move {
                waits.set(true);
                read_some(&near, &mut [0; 10]).await
            }
        });
        while !waits.get() {
            crate::io::yield_turn().await;
        }
        near.shutdown();
        assert_eq!(reader.await.unwrap().unwrap(), 0);
    });
}

#[test]
fn a_shutdown_ends_a_pending_send() {
    on_each_backend(async |backend| {
        let (near, _far) = pair(backend);
        let near = Rc::new(near);
        fill(&near).await;
        let writer = spawn_local({
            let near = Rc::clone(&near);
            async move { near.send(OutBuf::from(pattern(100_000)), 0, true).await }
        });
        assert!(
            within_turns(100, async {
                while !writer.is_finished() {
                    crate::io::yield_turn().await;
                }
            })
            .await
            .is_none()
        );
        near.shutdown();
        let (result, buffer) = writer.await.unwrap();
        assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(buffer.to_vec(), pattern(100_000));
    });
}

#[test]
fn a_reset_is_an_error_and_not_an_end() {
    on_each_backend(async |backend| {
        let (near, far) = sockets();
        let near = Stream::from_std(backend, near).unwrap();
        socket2::SockRef::from(&far).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(far);
        let error = read_some(&near, &mut [0; 10]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let (result, _) = near.send(OutBuf::from(vec![1]), 0, true).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
        near.shutdown();
    });
}

#[test]
fn five_hundred_connections_at_once() {
    // Two descriptors each, and the usual soft limit is 1024.
    drop(crate::io::raise_nofile());
    on_each_backend(async |backend| {
        let (listener, addr) = listener();
        let mut clients = Vec::new();
        for i in 0..500_usize {
            let near = TcpStream::connect(addr).unwrap();
            let (far, _) = listener.accept().unwrap();
            let near = Stream::from_std(backend, near).unwrap();
            let far = Stream::from_std(backend, far).unwrap();
            spawn_local(async move {
                let received = read_up_to(&far, i + 1).await.unwrap();
                send_all(&far, OutBuf::from(received)).await.unwrap();
                // Stays until the client leaves.
                read_up_to(&far, 1).await.unwrap();
            });
            clients.push(spawn_local(async move {
                for _ in 0..10 {
                    crate::io::yield_turn().await;
                }
                let bytes = Bytes::from(pattern(i + 1));
                send_all(&near, OutBuf::Shared(bytes.clone())).await.unwrap();
                assert_eq!(read_up_to(&near, i + 1).await.unwrap(), bytes);
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
    });
}

#[test]
fn a_task_that_is_always_ready_does_not_hold_the_others_up() {
    on_each_backend(async |backend| {
        let (near, far) = pair(backend);
        let busy = [
            spawn_local(async {
                loop {
                    crate::io::yield_turn().await;
                }
            }),
            spawn_local(async {
                loop {
                    tokio::task::yield_now().await;
                }
            }),
        ];
        send_all(&near, OutBuf::from(b"through".to_vec())).await.unwrap();
        assert_eq!(read_up_to(&far, 7).await.unwrap(), b"through");
        for task in busy {
            task.abort();
        }
    });
}
