//! The namespaces, and who lives in them. See the parent module for how they are joined.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use support::namespace;

use super::shell::{batch, try_ip};
use super::{PATIENCE, Process, ip, wait_until};

/// The tunnel device of every leaf.
pub(crate) const TUNNEL: &str = "overlay-tun";

/// Of the route in each VNI's table that keeps its packets from the main table: worse than any.
const UNREACHABLE_METRIC: u32 = 4_278_198_272;

/// Where the reflector listens.
pub(crate) const REFLECTOR: &str = "[2001:db8::1]:4711";

/// The routing table of a VNI, on every leaf.
pub(crate) fn table(vni: u32) -> u32 {
    1000 + vni
}

/// The binary under test; elsewhere than where it was built when the tests were moved as well.
pub(crate) fn binary() -> String {
    std::env::var("METALBOND_TEST_BINARY")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_metalbond").to_owned())
}

/// What makes the tunnel device: the one that carries VNIs, and that every kernel has; or ip6tnl,
/// which leaves have in production.
fn tunnel_kind() -> &'static str {
    match std::env::var("METALBOND_TEST_TUNNEL").as_deref() {
        Ok("ip6tnl") => "ip6tnl mode any external",
        _ => "vxlan external dstport 4790 gpe udp6zerocsumrx",
    }
}

/// See the parent module. Removed with what it holds when dropped.
pub(crate) struct Lab {
    prefix: String,
    leaves: Vec<Leaf>,
}

impl Lab {
    /// Leaves `a`, `b` and `c`. `None`, and the test is skipped, where they can't be had.
    pub(crate) fn new() -> Option<Self> {
        if let Some(missing) = support::missing(&["ip", "ping"]) {
            support::skip!(missing);
        }
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut lab =
            Self { prefix: format!("mb{}-{serial}", std::process::id()), leaves: Vec::new() };
        let hub = lab.hub();
        if let Err(why) = try_ip(&format!("netns add {hub}")) {
            support::skip!(why);
        }
        batch(
            &hub,
            "link set lo up
            link add br0 type bridge mcast_snooping 0
            address add 2001:db8::1/64 dev br0 nodad
            link set br0 up",
        );
        for (name, underlay) in [("a", 0xa), ("b", 0xb), ("c", 0xc)] {
            let underlay = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, underlay);
            let namespace = format!("{}-{name}", lab.prefix);
            ip(&format!("netns add {namespace}"));
            lab.leaves.push(Leaf { name, namespace, underlay });
            lab.leaf(name).wire_up(&hub);
        }
        Some(lab)
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.prefix)
    }

    pub(crate) fn leaf(&self, name: &str) -> &Leaf {
        self.leaves.iter().find(|leaf| leaf.name == name).unwrap()
    }

    /// A reflector that listens. A process that stalls keeps its sessions: no test
    /// waits for a hold time to pass.
    pub(crate) fn start_server(&self) -> Process {
        self.start_server_at(4711, "")
    }

    /// The same with further flags.
    pub(crate) fn start_server_with(&self, flags: &str) -> Process {
        self.start_server_at(4711, flags)
    }

    /// The same at another port.
    pub(crate) fn start_server_at(&self, port: u16, flags: &str) -> Process {
        let listen = REFLECTOR.replace("4711", &port.to_string());
        let arguments = format!("server --listen {listen} --shards 2 --keepalive 60 {flags}");
        let server = Process::start(&self.hub(), &binary(), &arguments);
        server.wait_for_log("listen=");
        server
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !namespace::stays() {
            for leaf in &self.leaves {
                // Else the kernel would do so, object by object, with the lock of all networking.
                drop(leaf.withdraw());
            }
        }
        let Ok(list) = try_ip("netns list") else { return };
        // A line may go on with an id.
        let names = list.lines().filter_map(|line| line.split(' ').next());
        let prefix = format!("{}-", self.prefix);
        let names: Vec<_> = names.filter(|name| name.starts_with(&prefix)).collect();
        namespace::end(&names);
    }
}

/// A hypervisor.
pub(crate) struct Leaf {
    name: &'static str,
    namespace: String,
    underlay: Ipv6Addr,
}

impl Leaf {
    fn wire_up(&self, hub: &str) {
        let Self { name, namespace, underlay } = self;
        ip(&format!("link add eth0 netns {namespace} type veth peer name {name} netns {hub}"));
        batch(hub, &format!("link set dev {name} master br0 up"));
        batch(
            namespace,
            &format!(
                "link set lo up
            address add {underlay}/64 dev eth0 nodad
            link set eth0 up"
            ),
        );
        for (file, value) in [
            ("net/ipv4/ip_forward", "1"),
            ("net/ipv4/conf/all/rp_filter", "0"),
            ("net/ipv4/conf/default/rp_filter", "0"),
            ("net/ipv6/conf/all/forwarding", "1"),
            // By ports, so that one pair of guests uses all next hops.
            ("net/ipv4/fib_multipath_hash_policy", "1"),
            ("net/ipv6/fib_multipath_hash_policy", "1"),
        ] {
            super::at(namespace, || std::fs::write(format!("/proc/sys/{file}"), value))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        self.add_tunnel();
    }

    pub(crate) fn add_tunnel(&self) {
        batch(
            &self.namespace,
            &format!(
                "link add {TUNNEL} type {}
            link set {TUNNEL} up",
                tunnel_kind()
            ),
        );
    }

    pub(crate) fn underlay(&self) -> Ipv6Addr {
        self.underlay
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// `ip` in this leaf's namespace.
    pub(crate) fn ip(&self, line: &str) -> String {
        ip(&format!("-n {} {line}", self.namespace))
    }

    /// A guest of this leaf, the `number`th of its VNI: 10.0.0.NUMBER and fd00::NUMBER.
    pub(crate) fn add_guest(&self, vni: u32, number: u8) -> Guest {
        let link = format!("g{vni}-{number}");
        let guest = Guest { namespace: format!("{}-{link}", self.namespace), vni, number };
        let Guest { namespace, .. } = &guest;
        let (v4, v6) = (guest.v4(), guest.v6());
        ip(&format!("netns add {namespace}"));
        ip(&format!(
            "link add {link} netns {} type veth peer name eth0 netns {namespace}",
            self.namespace
        ));
        // Link-local addresses on both sides lead both families.
        batch(
            namespace,
            &format!(
                "link set lo up
            link set eth0 up
            address add fe80::2/64 dev eth0 nodad
            address add {v4}/32 dev eth0
            address add {v6}/128 dev eth0 nodad
            -4 route add default via inet6 fe80::1 dev eth0
            -6 route add default via fe80::1 dev eth0"
            ),
        );
        let table = table(vni);
        batch(
            &self.namespace,
            &format!(
                "link set {link} up
            address add fe80::1/64 dev {link} nodad
            -4 route add {v4}/32 via inet6 fe80::2 dev {link}
            route add {v6}/128 via fe80::2 dev {link}
            rule add iif {link} lookup {table}
            -6 rule add iif {link} lookup {table}
            route replace unreachable default table {table} metric {UNREACHABLE_METRIC}
            -6 route replace unreachable default table {table} metric {UNREACHABLE_METRIC}"
            ),
        );
        guest
    }

    /// A leaf process that learns and installs the routes of `vnis`.
    pub(crate) fn install(&self, vnis: &[u32], flags: &str) -> Process {
        let mut arguments = format!("--tun {TUNNEL} {flags}");
        for vni in vnis {
            write!(arguments, " --subscribe {vni} --install-routes {vni}#{}", table(*vni)).unwrap();
        }
        self.client(&arguments)
    }

    /// A leaf process of its own that announces guests, so that the one that installs routes can
    /// die without taking them along.
    pub(crate) fn announce(&self, guests: &[&Guest]) -> Process {
        self.announce_to(guests, "")
    }

    /// The same with further flags, such as another server.
    pub(crate) fn announce_to(&self, guests: &[&Guest], flags: &str) -> Process {
        let routes: Vec<String> = guests
            .iter()
            .flat_map(|guest| {
                [format!("{}/32", guest.v4()), format!("{}/128", guest.v6())]
                    .map(|prefix| format!("{}#{prefix}#{}", guest.vni, self.underlay))
            })
            .collect();
        self.client(&format!("--announce {} {flags}", routes.join(",")))
    }

    /// `metalbond client`, connected to the lab's reflector.
    pub(crate) fn client(&self, flags: &str) -> Process {
        let arguments = format!("client --server {REFLECTOR} --keepalive 60 {flags}");
        Process::start(&self.namespace, &binary(), &arguments)
    }

    /// `metalbond withdraw` for the tunnel; what it prints, or complains of.
    pub(crate) fn withdraw(&self) -> Result<String, String> {
        let (namespace, binary) = (&self.namespace, binary());
        try_ip(&format!("netns exec {namespace} {binary} withdraw --tun {TUNNEL}"))
    }

    /// What the table of `vni` holds for exactly `address`.
    pub(crate) fn route(&self, vni: u32, address: IpAddr) -> String {
        let family = if address.is_ipv4() { "-4" } else { "-6" };
        let line = format!(
            "-n {} {family} route show table {} exact {address}",
            self.namespace,
            table(vni)
        );
        // A table without routes is an error.
        try_ip(&line).unwrap_or_default()
    }

    /// Waits until this leaf has routes to `address` of these leaves' underlay addresses, and no
    /// others.
    pub(crate) fn wait_for_route(&self, vni: u32, address: IpAddr, via: &[&Self]) {
        let is_so = || {
            let route = self.resolved(&self.route(vni, address));
            route.matches(" dst ").count() == via.len()
                && via.iter().all(|leaf| route.contains(&format!(" dst {} ", leaf.underlay)))
        };
        let what = format!("{} has a route to {address} in VNI {vni}", self.name);
        wait_until(&what, || self.state(vni), is_so);
    }

    pub(crate) fn wait_for_no_route(&self, vni: u32, address: IpAddr) {
        let what = format!("{} has no route to {address} in VNI {vni}", self.name);
        wait_until(&what, || self.state(vni), || self.route(vni, address).is_empty());
    }

    /// A route with its nexthop object, or the members of its group, written out.
    fn resolved(&self, route: &str) -> String {
        let Some((_, rest)) = route.split_once("nhid ") else { return route.to_owned() };
        let id = rest.split(' ').next().unwrap_or_default();
        let object =
            try_ip(&format!("-n {} nexthop get id {id}", self.namespace)).unwrap_or_default();
        let Some((_, members)) = object.split_once("group ") else { return object };
        let members = members.split(' ').next().unwrap_or_default();
        members.split('/').map(|id| self.ip(&format!("nexthop get id {id}"))).collect()
    }

    /// What `ip LINE` shows in this leaf's namespace; nothing, where it complains.
    pub(crate) fn shows(&self, line: &str) -> String {
        // A table without routes is an error.
        try_ip(&format!("-n {} {line}", self.namespace)).unwrap_or_default()
    }

    /// All nexthop objects.
    pub(crate) fn nexthops(&self) -> String {
        self.ip("nexthop show")
    }

    /// For a test's last words.
    fn state(&self, vni: u32) -> String {
        let show = |family| {
            let table = table(vni);
            try_ip(&format!("-n {} {family} route show table {table}", self.namespace))
                .unwrap_or_else(|error| error)
        };
        format!("{}{}{}", show("-4"), show("-6"), self.nexthops())
    }
}

/// A virtual machine's stand-in: an address of each family in one VNI.
pub(crate) struct Guest {
    namespace: String,
    vni: u32,
    number: u8,
}

impl Guest {
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn v4(&self) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, self.number).into()
    }

    pub(crate) fn v6(&self) -> IpAddr {
        Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, self.number.into()).into()
    }

    pub(crate) fn addresses(&self) -> [IpAddr; 2] {
        [self.v4(), self.v6()]
    }

    /// Whether each of three packets is answered, however late.
    pub(crate) fn can_ping(&self, to: IpAddr) -> bool {
        (0..3).all(|_| self.ping(to, PATIENCE))
    }

    /// Whether no answer comes to a packet within a second.
    pub(crate) fn cannot_ping(&self, to: IpAddr) -> bool {
        !self.ping(to, Duration::from_secs(1))
    }

    fn ping(&self, to: IpAddr, patience: Duration) -> bool {
        let (namespace, patience) = (&self.namespace, patience.as_secs());
        try_ip(&format!("netns exec {namespace} ping -n -c 1 -W {patience} {to}")).is_ok()
    }

    /// How many echo requests it has got.
    pub(crate) fn pings_received(&self) -> u64 {
        let read = |file| ip(&format!("netns exec {} cat /proc/net/{file}", self.namespace));
        let v4 = read("snmp");
        let mut lines = v4.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let v4 = names.split(' ').zip(values.split(' ')).find(|(name, _)| *name == "InEchos");
        let v6 = read("snmp6");
        let v6 = v6.lines().find_map(|line| line.strip_prefix("Icmp6InEchos")).unwrap();
        let number = |text: &str| text.trim().parse::<u64>().unwrap();
        number(v4.unwrap().1) + number(v6)
    }
}
