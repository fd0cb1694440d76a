//! [`Bus`]: the tasks that talk to a nats-server.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ahash::{AHashMap, AHashSet, RandomState};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use futures_util::StreamExt as _;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::super::hub::{Hub, Wish};
use super::subjects::{self, Subjects};
use crate::wire::Vni;

/// The most messages of one subscription that the client keeps; it drops further ones. It reads many before the task
/// that takes them has its turn: in bursts of small messages, 1024 were too few.
const KEPT: usize = 8192;
/// The most messages that wait in the client for its connection.
const OUT: usize = 64;
/// The time between pings. A server that does not answer is given up after two or three of them.
const PING: Duration = Duration::from_secs(2);
/// The least and the most time between two attempts to connect; doubled each time, each with a random part.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Above this many VNIs, one subscription covers every VNI, and the reflector drops the messages of VNIs that it does
/// not import: a subscription per VNI costs some 5 KB in the client and 1 KB in each server.
const SINGLY: usize = 2000;
const SINGLY_AGAIN: usize = 1000;
/// The time between two looks for a connection.
const LOOK: Duration = Duration::from_millis(100);
/// The time between two measurements of the round trip.
const ROUND_TRIP: Duration = Duration::from_secs(5);
/// The oldest server with `no_fast_producer_stall`, without which one slow site slows down all others.
const OLDEST: [u64; 3] = [2, 10, 26];

/// The settings of the connection to the engine.
#[derive(Clone, Debug)]
pub(crate) struct BusSettings {
    pub(crate) servers: Vec<String>,
    pub(crate) plane: u8,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    /// A hasher with the process's random seeds.
    pub(crate) hasher: RandomState,
}

/// Why the reflector cannot use NATS with these settings.
#[derive(Debug, Error)]
pub(crate) enum Unusable {
    /// The address of a server is invalid.
    #[error("{0:?} is not the address of a NATS server: {1}")]
    Address(String, String),
    /// The credentials can't be read.
    #[error("cannot read the credentials: {0}")]
    Credentials(std::io::Error),
    /// Another error of the client.
    #[error("cannot set up the NATS client: {0}")]
    Client(String),
}

/// See the module's documentation. Its tasks end when it is dropped.
#[derive(Debug)]
pub(crate) struct Bus {
    listeners: Rc<RefCell<Listeners>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Bus {
    /// Connects, now or when a server answers, and links a hub to the engine. Runs on the thread of that hub.
    ///
    /// # Errors
    /// [`Unusable`]
    pub(crate) async fn start(hub: Rc<Hub>, settings: &BusSettings) -> Result<Self, Unusable> {
        let site = hub.site();
        let (events, happened) = unbounded_channel();
        let (least, most) = RECONNECT;
        let hasher = settings.hasher.clone();
        let delay = move |attempts: usize| {
            let doubled = least * 2u32.pow(u32::try_from(attempts.min(6)).unwrap_or(6));
            let delay = doubled.min(most);
            let random = hasher.hash_one(attempts);
            delay / 2 + delay.mul_f64((random % 1000) as f64 / 2000.0)
        };
        let mut options = ConnectOptions::new()
            .name(format!("metalbond {site}"))
            .no_echo()
            .retry_on_initial_connect()
            .max_reconnects(None)
            .reconnect_delay_callback(delay)
            .ping_interval(PING)
            .subscription_capacity(KEPT)
            .client_capacity(OUT)
            .skip_subject_validation(true)
            .custom_inbox_prefix(format!("_INBOX.{site}"))
            .event_callback(move |event| {
                events.send(event).ok();
                std::future::ready(())
            });
        if let Some(path) = &settings.credentials {
            options = options.credentials_file(path).await.map_err(Unusable::Credentials)?;
        }
        if let Some(path) = &settings.ca {
            options = options.add_root_certificates(path.clone());
        }
        if let Some((certificate, key)) = &settings.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        let address = |text: &String| {
            let address: Result<ServerAddr, _> = text.parse();
            address.map_err(|error| Unusable::Address(text.clone(), error.to_string()))
        };
        let servers: Vec<ServerAddr> =
            settings.servers.iter().map(address).collect::<Result<_, _>>()?;
        let user = servers.iter().find_map(|it| Some((it.username()?, it.password()?)));
        if let Some((user, password)) = user {
            options = options.user_and_password(user.to_owned(), password.to_owned());
        }
        let client =
            options.connect(servers).await.map_err(|error| Unusable::Client(error.to_string()))?;
        let subjects = Subjects::new(settings.plane, &site, settings.hasher.clone());
        let listeners =
            Rc::new(RefCell::new(Listeners::new(client.clone(), Rc::clone(&hub), settings)));
        for subject in subjects.always() {
            listeners.borrow_mut().hear(subject);
        }
        let nobody = subjects.nobody();
        let tasks = vec![
            tokio::task::spawn_local(send(Rc::clone(&hub), client.clone(), subjects)),
            tokio::task::spawn_local(follow(Rc::clone(&hub), client.clone(), happened)),
            tokio::task::spawn_local(measure(hub, client, nobody)),
        ];
        Ok(Self { listeners, tasks })
    }

    /// Listens to a VNI, or ignores it, as the link wishes.
    pub(crate) fn grant(&self, wish: Wish) {
        self.listeners.borrow_mut().grant(wish);
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.listeners.borrow_mut().end();
    }
}

/// Sends the link's messages, as fast as the client takes them.
async fn send(hub: Rc<Hub>, client: Client, mut subjects: Subjects) {
    loop {
        let message = hub.next_message().await;
        let subject = subjects.of(&message.to);
        if let Err(error) = client.publish(subject, message.payload).await {
            hub.engine.borrow_mut().error = Some(error.to_string());
            // No loss is permanent: checks find the lost change.
            hub.overflowed();
            tokio::time::sleep(PING).await;
        }
    }
}

/// Tells the link about the state of the connection.
async fn follow(hub: Rc<Hub>, client: Client, mut events: UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Connected => {
                let info = client.server_info();
                let mut engine = hub.engine.borrow_mut();
                engine.connections += 1;
                engine.error = None;
                engine.address = format!("{}:{}", info.host, info.port);
                engine.server = Some((info.server_name.clone(), info.version.clone()));
                drop(engine);
                info!(server = info.server_name, version = info.version, "engine connected");
                if is_old(&info.version) {
                    warn!(
                        version = info.version,
                        "the nats-server is older than 2.10.26 and lets one slow site slow down all others: \
                         install a newer one and set no_fast_producer_stall"
                    );
                }
                hub.connected();
            }
            Event::Disconnected => {
                warn!("engine disconnected: this site works alone until a NATS server is back");
                hub.disconnected();
            }
            Event::SlowConsumer(_) => hub.overflowed(),
            Event::ServerError(error) => refused(&hub, &error.to_string()),
            Event::ClientError(error) => refused(&hub, &error.to_string()),
            Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
    }
}

/// Logs once what the server refuses, or why it can't be reached.
fn refused(hub: &Hub, error: &str) {
    let mut engine = hub.engine.borrow_mut();
    if engine.error.as_deref() != Some(error) {
        warn!(error, "the engine refuses something, or cannot be reached");
        engine.error = Some(error.into());
    }
}

/// Whether a server is older than [`OLDEST`].
fn is_old(version: &str) -> bool {
    let mut parts =
        version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    let version: [u64; 3] = std::array::from_fn(|_| parts.next().unwrap_or(0));
    version < OLDEST
}

/// Measures how long the server takes to answer.
async fn measure(hub: Rc<Hub>, client: Client, nobody: String) {
    loop {
        if !hub.is_connected() {
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let began = Instant::now();
        // No process subscribes to this subject, so the server itself answers "no responders".
        let answered = tokio::time::timeout(PING, client.request(nobody.clone(), "".into())).await;
        hub.engine.borrow_mut().round_trip = answered.is_ok().then(|| began.elapsed());
        tokio::time::sleep(ROUND_TRIP).await;
    }
}

/// The subscriptions, each with a task of its own.
#[derive(Debug)]
struct Listeners {
    client: Client,
    hub: Rc<Hub>,
    plane: u8,
    always: Vec<JoinHandle<()>>,
    wanted: AHashSet<Vni>,
    singly: AHashMap<Vni, JoinHandle<()>>,
    /// The task that receives messages of all VNIs, when there are many VNIs.
    all: Option<JoinHandle<()>>,
}

impl Listeners {
    fn new(client: Client, hub: Rc<Hub>, settings: &BusSettings) -> Self {
        let hasher = settings.hasher.clone();
        Self {
            client,
            hub,
            plane: settings.plane,
            always: Vec::new(),
            wanted: AHashSet::with_hasher(hasher.clone()),
            singly: AHashMap::with_hasher(hasher),
            all: None,
        }
    }

    fn hear(&mut self, subject: String) {
        let task = self.task(subject);
        self.always.push(task);
    }

    fn task(&self, subject: String) -> JoinHandle<()> {
        let (client, hub) = (self.client.clone(), Rc::clone(&self.hub));
        tokio::task::spawn_local(async move {
            let mut messages = match client.subscribe(subject).await {
                Ok(messages) => messages,
                Err(error) => return refused(&hub, &error.to_string()),
            };
            while let Some(message) = messages.next().await {
                hub.has_room().await;
                if let Some(source) = subjects::source(&message.subject) {
                    hub.received(source, message.payload);
                }
            }
        })
    }

    fn grant(&mut self, wish: Wish) {
        match wish {
            Wish::Listen(vni) => {
                self.wanted.insert(vni);
                if self.all.is_none() {
                    let task = self.task(subjects::of_vni(self.plane, vni));
                    self.singly.insert(vni, task);
                }
            }
            Wish::Ignore(vni) => {
                self.wanted.remove(&vni);
                if let Some(task) = self.singly.remove(&vni) {
                    task.abort();
                }
            }
        }
        if self.all.is_none() && self.wanted.len() > SINGLY {
            // Messages received twice meanwhile are recognised by their number.
            self.all = Some(self.task(subjects::of_all_vnis(self.plane)));
            let singly: Vec<_> = self.singly.drain().map(|(_, task)| task).collect();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(PING).await;
                singly.iter().for_each(JoinHandle::abort);
            });
        } else if self.wanted.len() < SINGLY_AGAIN
            && let Some(all) = self.all.take()
        {
            for vni in self.wanted.clone() {
                let task = self.task(subjects::of_vni(self.plane, vni));
                self.singly.insert(vni, task);
            }
            tokio::task::spawn_local(async move {
                tokio::time::sleep(PING).await;
                all.abort();
            });
        }
    }

    fn end(&mut self) {
        let Self { always, singly, all, .. } = self;
        always.iter().chain(singly.values()).chain(all.iter()).for_each(JoinHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_let_one_slow_site_slow_down_all_are_old() {
        for old in ["2.9.10", "2.10.25", "1.4.1", "", "nonsense"] {
            assert!(is_old(old), "{old}");
        }
        for good in ["2.10.26", "2.11.0", "2.15.1", "3.0.0-RC.1"] {
            assert!(!is_old(good), "{good}");
        }
    }
}
