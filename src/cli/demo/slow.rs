//! A peer that stops reading for a while, again and again. Meanwhile the reflector keeps a cursor for it, and no other
//! peer notices.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use metalbond::wire::{Capabilities, Extensions, Hello, Message};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, interval, sleep};

use super::fleet::{BUSY, NETWORKS};

/// What it calls itself.
pub(super) const NAME: &str = "slow-reader";

/// For how long it reads, and for how long it does not.
const READS: Duration = Duration::from_secs(8);
const RESTS: Duration = Duration::from_secs(12);
/// A small window, so that a pause shows soon.
const WINDOW: u32 = 4096;

/// Holds sessions until it is aborted.
pub(super) async fn run(server: SocketAddr) {
    loop {
        drop(session(server).await);
        sleep(Duration::from_secs(1)).await;
    }
}

async fn session(server: SocketAddr) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(WINDOW)?;
    let mut stream = socket.connect(server).await?;
    let extensions = Some(Extensions::new(Capabilities::OURS, "demo", NAME));
    send(
        &mut stream,
        &Message::Hello(Hello { keepalive_interval: 5, is_server: false, extensions }),
    )
    .await?;
    send(&mut stream, &Message::Keepalive).await?;
    let mut buffer = vec![0; 64 * 1024];
    // The session is established once the reflector has answered.
    if stream.read(&mut buffer).await? == 0 {
        return Ok(());
    }
    for vni in NETWORKS.iter().chain([&BUSY]) {
        send(&mut stream, &Message::Subscribe(*vni)).await?;
    }
    let mut keepalive = interval(Duration::from_secs(4));
    let mut until = Instant::now() + READS;
    let mut reads = true;
    loop {
        tokio::select! {
            _ = keepalive.tick() => send(&mut stream, &Message::Keepalive).await?,
            read = stream.read(&mut buffer), if reads => {
                if read? == 0 {
                    return Ok(());
                }
            }
            () = tokio::time::sleep_until(until) => {
                reads = !reads;
                until = Instant::now() + if reads { READS } else { RESTS };
                let does = if reads { "reads again and catches up" } else { "stops reading" };
                println!("{NAME} {does}");
            }
        }
    }
}

async fn send(stream: &mut TcpStream, message: &Message) -> io::Result<()> {
    let mut bytes = Vec::new();
    message.encode_into(&mut bytes);
    stream.write_all(&bytes).await
}
