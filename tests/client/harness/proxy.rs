//! A cable between leaves and a server that can be pulled, frozen and put elsewhere.

use std::net::{Ipv6Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;

/// What it does with what is sent through it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Carries bytes both ways to a server.
    To(SocketAddr),
    /// Carries nothing, closes nothing.
    Frozen,
    /// Closes what there is, and whatever connects.
    Cut,
}

#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    mode: watch::Sender<Mode>,
}

impl Proxy {
    /// Its port is taken as long as the test runs, whatever happens to the server behind it.
    pub(crate) async fn start(mode: Mode) -> Self {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, receiver) = watch::channel(mode);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, receiver.clone()));
            }
        });
        Self { address, mode: sender }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn carry(leaf: TcpStream, mode: watch::Receiver<Mode>) {
    let Mode::To(server) = *mode.borrow() else { return };
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((leaf_in, leaf_out), (server_in, server_out)) = (leaf.into_split(), server.into_split());
    tokio::select! {
        () = copy(leaf_in, server_out, mode.clone()) => {}
        () = copy(server_in, leaf_out, mode) => {}
    }
}

/// Until either side closes, or the cable is cut.
async fn copy(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let now = *mode.borrow_and_update();
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            read = from.read(&mut bytes), if matches!(now, Mode::To(_)) => match read {
                Ok(count) if count > 0 => {
                    if to.write_all(&bytes[..count]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
        if *mode.borrow() == Mode::Cut {
            return;
        }
    }
}
