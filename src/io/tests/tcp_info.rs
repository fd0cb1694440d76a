//! The kernel's struct read at the right places: checked against what must be true of a peer
//! that doesn't read.

use std::io::Read as _;

use super::*;

#[test]
fn facts_of_a_peer_that_does_not_read() {
    on_each_backend(async |backend| {
        let (near, mut far) = sockets();
        let near = Stream::from_std(backend, near).unwrap();
        let start = near.tcp_info().unwrap();
        assert!((500..=65_536).contains(&start.mss), "{start:?}");
        let wide = start.window.unwrap();
        assert!(wide > 16_000, "{start:?}");
        assert_eq!(start.unacked, 0);
        // The side that connects counts its SYN.
        assert!(start.acked <= 1, "{start:?}");

        // Loopback acknowledges before a send returns, as long as the window is open.
        let mut sent = 0;
        while sent < 8000 {
            let chunk = OutBuf::from(pattern(1000));
            sent += near.send(chunk, 0, true).await.0.unwrap();
        }
        let some = acknowledged(&near, 8000 + start.acked).await;
        assert_eq!(some.acked - start.acked, 8000);

        // Until the window is shut and the kernel holds the rest.
        let mut unread = OutBuf::from(pattern(1 << 20));
        loop {
            let result;
            (result, unread) = near.send(unread, 0, false).await;
            let taken = result.unwrap();
            sent += taken;
            if taken < unread.len() {
                break;
            }
        }
        let full = settled(&near).await;
        assert!(full.unacked > 0, "{full:?}");
        assert!(full.window.unwrap() < wide, "{full:?}");
        assert_eq!(
            full.unacked + full.acked - start.acked,
            u64::try_from(sent).unwrap(),
            "{full:?}"
        );

        // And it opens again once the peer reads.
        let reader = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; sent];
            far.read_exact(&mut buffer).map(|()| far)
        });
        let _far = reader.await.unwrap().unwrap();
        let total = start.acked + u64::try_from(sent).unwrap();
        let end = acknowledged(&near, total).await;
        assert_eq!((end.unacked, end.acked), (0, total));
        assert!(end.window.unwrap() > full.window.unwrap(), "{end:?}");
    });
}

/// Of a write to a peer that does not read, the kernel takes 128 KiB more than it can send, and the rest of the last
/// piece.
#[cfg(all(target_os = "linux", not(metalbond_portable)))]
#[test]
fn so_much_unsent_is_with_the_kernel_and_the_rest_of_the_write_waits() {
    on_each_backend(async |backend| {
        let (near, _far) = sockets();
        let near = Stream::from_std(backend, near).unwrap();
        let mut unsent = OutBuf::from(pattern(16 << 20));
        loop {
            let result;
            (result, unsent) = near.send(unsent, 0, false).await;
            if result.unwrap() < unsent.len() {
                break;
            }
        }
        // The peer's kernel acknowledges all bytes that it has room for.
        let unsent = settled(&near).await.unacked;
        assert!((64 << 10..(128 << 10) + (128 << 10)).contains(&unsent), "{unsent} bytes");
    });
}

/// The facts as soon as this number of bytes is acknowledged.
async fn acknowledged(stream: &Stream, bytes: u64) -> crate::io::TcpInfo {
    loop {
        let tcp_info = stream.tcp_info().unwrap();
        if tcp_info.acked >= bytes && tcp_info.unacked == 0 {
            return tcp_info;
        }
        crate::io::yield_turn().await;
    }
}

/// The facts once they stay the same for a thousand turns.
async fn settled(stream: &Stream) -> crate::io::TcpInfo {
    let mut last = stream.tcp_info().unwrap();
    let mut same = 0;
    while same < 1000 {
        crate::io::yield_turn().await;
        let tcp_info = stream.tcp_info().unwrap();
        same = if tcp_info == last { same + 1 } else { 0 };
        last = tcp_info;
    }
    last
}
