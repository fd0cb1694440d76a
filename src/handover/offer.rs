//! The serving process offers its sessions and routes to a successor that asks. Runs on a thread of its own.

use std::io::ErrorKind;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::channel::Channel;
use super::conversation::{Conversation, Host};
use super::path::Listener;
use crate::estate::Listening;
use crate::inspector::Inspector;
use crate::reflector::Reflector;

/// The time between two looks at whether the process is asked to end.
const LOOK: Duration = Duration::from_millis(100);

/// Why a handover cannot be offered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The process cannot start a thread.
    #[error("cannot start the thread that hands over: {0}; the limit on threads may be too low")]
    Thread(#[source] std::io::Error),
}

/// Offers a handover to other processes until it is dropped.
#[derive(Debug)]
pub struct Offer {
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The process that has taken over.
    successor: watch::Receiver<Option<u32>>,
}

impl Offer {
    /// Offers the sessions and routes of a reflector over this socket.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn begin(reflector: &Reflector, listener: Listener) -> Result<Self, OfferError> {
        let is_stopping = Arc::<AtomicBool>::default();
        let (tell, successor) = watch::channel(None);
        let listening = reflector.listening();
        let copies = listening.iter().map(|it| {
            let socket = it.socket.try_clone()?;
            Ok(Listening { is_for: it.is_for, configured: it.configured.clone(), socket })
        });
        let offering = Offering {
            inspector: reflector.inspector(),
            listening: copies.collect::<std::io::Result<_>>().map_err(OfferError::Thread)?,
            is_stopping: Arc::clone(&is_stopping),
        };
        let run = move || {
            if let Some(process) = offering.run(&listener) {
                listener.leave();
                tell.send_replace(Some(process));
            }
        };
        let thread = std::thread::Builder::new().name("handover".into()).spawn(run);
        Ok(Self { is_stopping, thread: Some(thread.map_err(OfferError::Thread)?), successor })
    }

    /// Waits until another process serves the sessions, and returns its process id. This process should end then.
    pub async fn handed_over(&mut self) -> u32 {
        match self.successor.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(process)) => *process,
            _ => std::future::pending().await,
        }
    }

    /// Ends the offer. Calls off a handover that is in progress, unless the successor may serve already, and blocks
    /// until that is known. Returns the id of the process that has taken over; `None` if none has.
    pub fn stop(mut self) -> Option<u32> {
        self.end();
        *self.successor.borrow()
    }

    fn end(&mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            error!("the thread that hands over panicked");
        }
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.end();
    }
}

/// The state of the thread that offers handovers.
struct Offering {
    inspector: Inspector,
    listening: Vec<Listening>,
    is_stopping: Arc<AtomicBool>,
}

impl Offering {
    /// Runs until it is stopped. Returns the process that has taken over, if one has.
    fn run(&self, listener: &Listener) -> Option<u32> {
        while !self.is_stopping() {
            match listener.socket().accept() {
                Ok((socket, _)) => {
                    let handed_over = match Channel::new(socket) {
                        Ok(channel) => self.answer(channel, listener),
                        Err(error) => {
                            warn!(%error, "cannot say which process asks to take over: the request is refused");
                            None
                        }
                    };
                    if handed_over.is_some() {
                        return handed_over;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    super::channel::await_input(listener.socket().as_fd(), LOOK);
                }
                Err(error) => {
                    warn!(%error, "cannot accept a process that asks to take over");
                    std::thread::sleep(LOOK);
                }
            }
        }
        None
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    fn answer(&self, channel: Channel, listener: &Listener) -> Option<u32> {
        let own = rustix::process::geteuid().as_raw();
        let (process, user) = (channel.process(), channel.user());
        if user != own && user != 0 {
            warn!(process, user, "a process of another user may not take over");
            return None;
        }
        info!(process, "a process asks to take over");
        self.inspector.handover_begins();
        let is_stopping = || self.is_stopping();
        let host = Host {
            inspector: &self.inspector,
            listening: &self.listening,
            listener,
            is_stopping: &is_stopping,
        };
        let is_handed_over = Conversation::new(host, channel).run();
        is_handed_over.then_some(process)
    }
}
