//! Small runs across two sites, whose reflectors exchange routes over a nats-server.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends where it meets what it does not expect"
)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The oldest nats-server that will do.
const OLDEST: [u64; 3] = [2, 10, 26];

/// A folder of the calling test's own; dropping it removes it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("loadgen-sites-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain name").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A program that runs until it is dropped. What it logs goes to a file.
struct Program {
    child: Child,
    log: String,
}

impl Program {
    fn start(folder: &Folder, name: &str, command: &mut Command) -> Self {
        let log = folder.file(&format!("{name}.log"));
        let file = File::create(&log).expect("a file");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
        Self { child: child.expect("it starts"), log }
    }

    /// Waits until a file has what is looked for.
    fn until<T>(&mut self, file: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let deadline = Instant::now() + support::PATIENCE;
        loop {
            if let Some(found) = fs::read_to_string(file).ok().and_then(|text| find(&text)) {
                return found;
            }
            let has_ended = self.child.try_wait().expect("a status").is_some();
            if has_ended || Instant::now() > deadline {
                panic!("it is not ready: {}", fs::read_to_string(&self.log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn id(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Why there is no nats-server that will do.
fn lacks_nats() -> Option<String> {
    let Ok(output) = Command::new("nats-server").arg("--version").output() else {
        return Some("no nats-server".to_owned());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers =
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
    let version: [u64; 3] = std::array::from_fn(|_| numbers.next().unwrap_or(0));
    (version < OLDEST).then(|| format!("{} is too old", text.trim()))
}

/// Why there is no reflector that federates.
fn lacks_federation(metalbond: &Path) -> Option<String> {
    if !metalbond.exists() {
        let why = "no metalbond beside loadgen: test the whole workspace, which builds it";
        return Some(why.to_owned());
    }
    let flags = ["check-config", "server", "--federation", "nats://[::1]:4222", "--site", "x"];
    let output = Command::new(metalbond).args(flags).output().expect("metalbond runs");
    let printed = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return None;
    }
    assert!(printed.contains("was built without federation"), "{output:?}");
    Some("the metalbond beside loadgen was built without --features federation".to_owned())
}

/// Two fresh reflectors that exchange routes over a nats-server. Each run starts its own pair: a subscriber that joins
/// within about a second of a withdrawal also receives that withdrawal, and loadgen would report it as an error.
struct Sites {
    metalbond: PathBuf,
    folder: Folder,
    addresses: [String; 2],
    /// Of both reflectors, then of the nats-server.
    programs: [Program; 3],
}

/// The names of the sites: of that where runs publish, and the other.
const NAMES: [&str; 2] = ["fra1", "ber1"];

impl Sites {
    /// `None`, and the calling test is skipped, where there is no nats-server or no reflector that federates.
    #[track_caller]
    fn start() -> Option<Self> {
        let metalbond = Path::new(env!("CARGO_BIN_EXE_loadgen")).with_file_name("metalbond");
        if let Some(lacking) = lacks_nats().or_else(|| lacks_federation(&metalbond)) {
            support::skip!(lacking);
        }
        let folder = Folder::new();
        let (nats, url) = start_nats(&folder);
        let [(fra, to_fra), (ber, to_ber)] =
            NAMES.map(|name| start_site(&folder, &metalbond, &url, name));
        Some(Self { metalbond, folder, addresses: [to_fra, to_ber], programs: [fra, ber, nats] })
    }

    /// Runs loadgen across both reflectors, checks that every view was right, and returns loadgen's JSON report.
    fn run(&self, scenario: &str) -> Value {
        let json = self.folder.file("run.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.args(scenario.split(' ')).args(["--json", &json]);
        command.args(self.addresses.iter().flat_map(|address| ["--target", address]));
        for program in &self.programs {
            command.args(["--pid", &program.id()]);
        }
        let output = command.output().expect("loadgen starts");
        assert!(output.status.success(), "{scenario}: {output:?}");
        let json: Value = serde_json::from_slice(&fs::read(&json).expect("a file")).expect("JSON");
        assert_eq!(json["verified"], true, "{scenario}");
        json
    }

    /// Changes of routes that each site has received from the other.
    fn received(&self) -> [u64; 2] {
        NAMES.map(|site| {
            let socket = self.folder.file(&format!("{site}.sock"));
            let mut command = Command::new(&self.metalbond);
            command.args(["ctl", "--socket", &socket, "--json", "show", "federation"]);
            let output = command.output().expect("metalbond runs");
            let shown: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            shown["sites"][0]["changes_received"].as_u64().expect("a number")
        })
    }
}

fn start_nats(folder: &Folder) -> (Program, String) {
    let config = folder.file("nats.conf");
    let ports = folder.0.display();
    let text = format!(
        "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{ports}\"\nno_fast_producer_stall: true\n"
    );
    fs::write(&config, text).expect("a file");
    let command = &mut Command::new("nats-server");
    let mut nats = Program::start(folder, "nats", command.args(["-c", &config]));
    let ports = folder.file(&format!("nats-server_{}.ports", nats.id()));
    let url = nats.until(&ports, |text| {
        let ports: Value = serde_json::from_str(text).ok()?;
        Some(ports["nats"][0].as_str()?.to_owned())
    });
    (nats, url)
}

/// A reflector, and where it listens.
fn start_site(folder: &Folder, metalbond: &Path, nats: &str, name: &str) -> (Program, String) {
    let socket = folder.file(&format!("{name}.sock"));
    let listen = ["--listen", "127.0.0.1:0", "--shards", "2", "--control", &socket];
    let federation = ["--federation", nats, "--site", name];
    let mut command = Command::new(metalbond);
    let command = command.arg("server").args(listen).args(federation);
    let mut site = Program::start(folder, name, command);
    let log = site.log.clone();
    let address = site.until(&log, |text| {
        let (_, behind) = text.split_once("listen=")?;
        behind.split_once(char::is_whitespace).map(|(address, _)| address.to_owned())
    });
    (site, address)
}

#[test]
fn subscribers_of_one_site_have_what_is_announced_at_the_other() {
    let Some(sites) = Sites::start() else { return };
    let brief = "--vnis 3 --duration 0.5 --warm-up 0.1";
    sites.run(&format!("fanout -n5 -w200 --vnis-per-peer 2 {brief}"));
    sites.run(&format!("latency -n5 --rate 1000 --routes 300 {brief}"));
    sites.run("table -r5000 --vnis 3 -j3 --next-hops 10 --rest 0");
    let [fra, ber] = sites.received();
    assert!(fra == 0 && ber > 5000, "{fra}, {ber}");
}

#[test]
fn virtual_machines_move_from_site_to_site() {
    let Some(sites) = Sites::start() else { return };
    let size = "--hypervisors 8 --tenants 4 --vms 60 --observers 3 --rate 400";
    sites.run(&format!("churn {size} --duration 0.5 --seed 7"));
    let [fra, ber] = sites.received();
    assert!(fra > 0 && ber > 0, "{fra}, {ber}");
}

#[test]
fn peers_of_all_sites_come_back_after_a_storm() {
    let Some(sites) = Sites::start() else { return };
    sites.run("mesh -p12 --vnis 5 --vnis-per-peer 3 -r20 --duration 0.3 --warm-up 0.1");
    sites.run("storm -p60 -r5 --group 12 --connectors 2 --abort");
    let [fra, ber] = sites.received();
    assert!(fra > 0 && ber > 0, "{fra}, {ber}");
}

#[test]
fn each_server_is_measured() {
    let Some(sites) = Sites::start() else { return };
    let json = sites.run("fanout -n5 -w200 --duration 0.5 --warm-up 0.1");
    let [fra, ber, nats] = sites.programs.each_ref().map(Program::id);
    let [to_fra, to_ber] = &sites.addresses;
    let names = [
        format!("{to_fra}, process {fra}"),
        format!("{to_ber}, process {ber}"),
        format!("process {nats}"),
    ];
    assert_eq!(json["servers"], serde_json::json!(names));
    for name in ["server CPU used", "server memory, at the end"] {
        let figures = json["figures"].as_array().expect("figures");
        let figure = figures.iter().find(|figure| figure["name"] == name).expect(name);
        let each = figure["servers"].as_array().expect("a list");
        let each: Vec<_> = each.iter().map(|value| value.as_f64().expect("a number")).collect();
        assert!(each.len() == 3 && each.iter().all(|value| *value > 0.0), "{figure}");
        let sum = figure["value"].as_f64().expect("a number");
        assert!((each.iter().sum::<f64>() / sum - 1.0).abs() < 1e-9, "{figure}");
    }
}
