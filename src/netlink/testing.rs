//! A network namespace of one's own for a test. Needs root and `ip`.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use super::kernel::Kernel;
use super::model::{ObjectBody, Request};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Runs a test on a thread in a namespace of its own, which is removed afterwards. Skips the test if
/// no namespace can be made.
///
/// Sockets opened in `test` are in that namespace; so are the sockets of a runtime that is made there and has
/// no other threads.
pub(crate) fn in_namespace(test: impl FnOnce(&Namespace) + Send) {
    let Some(namespace) = Namespace::new() else { return };
    std::thread::scope(|scope| {
        // The thread gets the name of the test, which a failure prints.
        let name = std::thread::current().name().unwrap_or_default().to_owned();
        let thread = std::thread::Builder::new().name(name).spawn_scoped(scope, || {
            let file = File::open(format!("/run/netns/{}", namespace.name)).unwrap();
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            let _emptied = Emptied;
            test(&namespace);
        });
        thread.unwrap().join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

/// Withdraws routes before their namespace goes: with many nexthop objects the kernel would hold the
/// lock of all networking for long.
struct Emptied;

impl Drop for Emptied {
    fn drop(&mut self) {
        if !support::namespace::stays() {
            // An error means no rights or no routes: then there is nothing to withdraw.
            drop(empty());
        }
    }
}

fn empty() -> std::io::Result<()> {
    const OWN: u8 = 254;
    let mut kernel = Kernel::open()?;
    let routes = kernel.routes_of_all_tables(OWN)?.into_iter();
    let routes: Vec<_> = routes
        .map(|route| Request::DeleteRoute { key: route.key, protocol: OWN, via: None })
        .collect();
    kernel.apply(&routes)?;
    let (groups, hops): (Vec<_>, Vec<_>) = kernel
        .objects()?
        .into_iter()
        .partition(|object| matches!(object.body, ObjectBody::Group(_)));
    let objects = groups.into_iter().chain(hops).filter(|object| object.protocol == OWN);
    let objects: Vec<_> = objects.map(|it| Request::DeleteObject { id: it.id }).collect();
    kernel.apply(&objects).map(drop)
}

/// See [`in_namespace`].
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Option<Self> {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("metalbond-{}-{serial}-leaf", std::process::id());
        if let Some(missing) = support::missing(&["ip"]) {
            support::skip!(missing);
        }
        if !rustix::process::geteuid().is_root() {
            support::skip!("a network namespace needs root");
        }
        match Command::new("ip").args(["netns", "add", &name]).output() {
            Ok(output) if output.status.success() => {}
            failed => support::skip!(format!("ip netns add: {failed:?}")),
        }
        Some(Self { name })
    }

    /// Runs `ip` in the namespace, with words separated by spaces; returns its output.
    pub(crate) fn ip(&self, words: &str) -> String {
        let output = self.try_ip(words);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "ip {words}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The same, but it may fail.
    pub(crate) fn try_ip(&self, words: &str) -> Output {
        Command::new("ip").args(["-n", &self.name]).args(words.split(' ')).output().unwrap()
    }

    /// Makes a suitable tunnel device and sets it up; returns its index.
    pub(crate) fn tunnel(&self, name: &str) -> u32 {
        self.tunnel_at(name, 4790)
    }

    /// The same, on a UDP port of its own.
    pub(crate) fn tunnel_at(&self, name: &str, port: u16) -> u32 {
        self.ip(&format!("link add {name} type vxlan external dstport {port} gpe udp6zerocsumrx"));
        self.ip(&format!("link set {name} up"));
        self.index(name)
    }

    /// The index of a device.
    pub(crate) fn index(&self, name: &str) -> u32 {
        let line = self.ip(&format!("-o link show dev {name}"));
        line.split(':').next().unwrap().parse().unwrap()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        support::namespace::end(&[&self.name]);
    }
}
