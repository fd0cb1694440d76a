//! Futures dropped in mid-flight: nothing crashes, nothing stays open.

use std::io::{Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;

/// Polls once, which starts an operation.
fn start<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

async fn turns(count: usize) {
    for _ in 0..count {
        crate::io::yield_turn().await;
    }
}

#[test]
fn a_dropped_wait_swallows_nothing_and_is_taken_up_again() {
    on_each_backend(async |backend| {
        let (near, mut far) = sockets();
        let near = Stream::from_std(backend, near).unwrap();
        for round in 0..1000_usize {
            {
                let mut wait = Box::pin(near.readable());
                // A wait may be over at once because of bytes that the last round left.
                drop(start(wait.as_mut()));
            }
            if round % 10 == 0 {
                turns(2).await;
            }
        }
        far.write_all(b"all there").unwrap();
        assert_eq!(read_up_to(&near, 9).await.unwrap(), b"all there");
    });
}

#[test]
fn a_dropped_stream_closes_even_with_a_wait_under_way() {
    on_each_backend(async |backend| {
        for submitted in [false, true] {
            let (near, mut far) = sockets();
            let near = Stream::from_std(backend, near).unwrap();
            {
                let mut wait = Box::pin(near.readable());
                assert!(start(wait.as_mut()).is_pending());
                if submitted {
                    turns(3).await;
                }
            }
            drop(near);
            let end = tokio::task::spawn_blocking(move || far.read(&mut [0; 1]));
            assert_eq!(end.await.unwrap().unwrap(), 0);
        }
    });
}

#[test]
fn a_dropped_send_leaves_whole_bytes_or_none() {
    on_each_backend(async |backend| {
        for submitted in [false, true] {
            let (near, mut far) = sockets();
            let near = Stream::from_std(backend, near).unwrap();
            {
                let mut send = Box::pin(near.send(OutBuf::from(pattern(10_000)), 0, true));
                drop(start(send.as_mut()));
                if submitted {
                    turns(3).await;
                }
            }
            // The allocator may hand the buffer's memory out again at once; overwrite it.
            let scribble = vec![0xff_u8; 10_000];
            turns(3).await;
            drop((near, scribble));
            let received = tokio::task::spawn_blocking(move || {
                let mut all = Vec::new();
                far.read_to_end(&mut all).map(|_| all)
            });
            let received = received.await.unwrap().unwrap();
            assert_eq!(received, pattern(received.len()));
        }
    });
}

#[test]
fn a_runtime_dropped_with_operations_in_flight_closes_them() {
    for backend in backends() {
        let (near, mut far) = sockets();
        let runtime = LocalRuntime::new(backend).unwrap();
        runtime.block_on(async {
            let near = std::rc::Rc::new(Stream::from_std(backend, near).unwrap());
            let other = std::rc::Rc::clone(&near);
            tokio::task::spawn_local(async move { near.readable().await });
            tokio::task::spawn_local(async move {
                let mut buffer = OutBuf::from(vec![7; 64 << 10]);
                loop {
                    (_, buffer) = other.send(buffer, 0, false).await;
                }
            });
            turns(100).await;
        });
        drop(runtime);
        let mut all = Vec::new();
        far.read_to_end(&mut all).unwrap();
        assert!(!all.is_empty() && all.iter().all(|&byte| byte == 7));
    }
}

/// Counts the descriptors that this file's tests leave open, in a process of its own, where no other test opens
/// any meanwhile.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
#[test]
fn no_descriptor_is_left_behind() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .arg("io::tests::lifetime::descriptors_in_a_process_of_its_own")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}{}", String::from_utf8_lossy(&child.stderr));
    assert!(output.contains("1 passed"), "{output}");
}

#[cfg(all(target_os = "linux", not(metalbond_portable)))]
#[test]
#[ignore = "run by no_descriptor_is_left_behind"]
fn descriptors_in_a_process_of_its_own() {
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let round = || {
        a_dropped_wait_swallows_nothing_and_is_taken_up_again();
        a_dropped_stream_closes_even_with_a_wait_under_way();
        a_dropped_send_leaves_whole_bytes_or_none();
        a_runtime_dropped_with_operations_in_flight_closes_them();
    };
    // The first round opens descriptors that the process keeps for good, such as the signal pipe.
    round();
    let before = open();
    for _ in 0..5 {
        round();
    }
    assert_eq!(open(), before);
}
