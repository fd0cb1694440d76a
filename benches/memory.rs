//! The memory of tables, and the time of turns while tables grow and go.
//!
//! Each line comes from a process of its own. Memory is the resident memory of that process (`/proc/self/statm`),
//! before and after. The process uses the allocator of the `metalbond` command, and `MIMALLOC_PURGE_DELAY=0` makes it
//! return freed memory at once. Time is CPU time of the thread, so other programs on the machine change it little. A
//! turn is the work that follows from one full read of a publisher: 2,730 updates, the seals, and the entries that are
//! forgotten.
//!
//! `cargo bench --bench memory`, or `-- routes`, `-- vnis`; `--quick` leaves out the largest tables.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench ends where it meets what it does not expect"
)]

fn main() {
    #[cfg(target_os = "linux")]
    linux::main();
}

#[cfg(target_os = "linux")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
mod linux {
    use std::process::Command;
    use std::time::Duration;

    use metalbond::internals_for_benches::{Route, Table, Vnis, own_routes, routes};
    use metalbond::wire::Action;
    use rustix::time::{ClockId, clock_gettime};

    /// The updates of one full read.
    const READ: usize = 2730;

    pub(super) fn main() {
        // The command does this too.
        rustix::thread::disable_transparent_huge_pages(true).ok();
        let words: Vec<_> = std::env::args().skip(1).collect();
        let case: Vec<_> = words.iter().skip_while(|word| *word != "--case").skip(1).collect();
        if let [kind, number, rest @ ..] = &case[..] {
            let number = number.parse().expect("a number");
            match kind.as_str() {
                "routes" => {
                    grow(number, &rest.iter().map(|word| word.as_str()).collect::<Vec<_>>());
                }
                _ => vnis(number, rest.iter().any(|word| *word == "with-route")),
            }
            return;
        }
        let is_quick = words.iter().any(|word| word == "--quick");
        let wanted: Vec<_> = words.iter().filter(|word| !word.starts_with('-')).collect();
        let mut cases = Vec::new();
        for number in ["100000", "1000000", "4000000"] {
            for kind in ["own", "shared", "own two", "own slow"] {
                cases.push(format!("routes {number} {kind}"));
            }
        }
        cases.extend(["vnis 10000".into(), "vnis 10000 with-route".into()]);
        for case in cases {
            let is_wanted = wanted.is_empty() || wanted.iter().any(|word| case.contains(*word));
            if is_wanted && !(is_quick && case.contains("4000000")) {
                let program = std::env::current_exe().expect("this program");
                let mut command = Command::new(program);
                command.env("MIMALLOC_PURGE_DELAY", "0").arg("--case").args(case.split(' '));
                command.status().expect("a run");
            }
        }
    }

    fn resident() -> f64 {
        let statm = std::fs::read_to_string("/proc/self/statm").expect("procfs");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u32>().ok());
        f64::from(pages.expect("a number of pages")) * rustix::param::page_size() as f64
    }

    /// Makes the allocator return free memory, as the command does now and then.
    fn give_back() {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(200));
            drop(std::hint::black_box(Vec::<u8>::with_capacity(1 << 20)));
        }
    }

    fn cpu() -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    /// The CPU time of turns.
    #[derive(Default)]
    struct Turns {
        longest: Duration,
        all: Duration,
    }

    impl Turns {
        fn take<T>(&mut self, turn: impl FnOnce() -> T) -> T {
            let began = cpu();
            let result = turn();
            let took = cpu() - began;
            self.all += took;
            self.longest = self.longest.max(took);
            result
        }
    }

    fn announce(table: &mut Table, publisher: u64, routes: &[Route], turns: &mut Turns) {
        for read in routes.chunks(READ) {
            turns.take(|| table.update_by(publisher, Action::Add, read));
        }
    }

    fn grow(number: u32, how: &[&str]) {
        let all = if how.contains(&"shared") { routes(number) } else { own_routes(number) };
        let mut table = Table::new(1);
        if how.contains(&"slow") {
            table.update_by(1, Action::Add, &all[..1]);
            table.slow_down();
        }
        let before = resident();
        let (mut growing, mut going) = (Turns::default(), Turns::default());
        announce(&mut table, 1, &all, &mut growing);
        if how.contains(&"two") {
            announce(&mut table, 2, &all, &mut growing);
        }
        while turn(&mut table, &mut growing) {}
        give_back();
        let bytes = (resident() - before) / f64::from(number);
        let each = growing.all.as_secs_f64() * 1e9 / f64::from(number);
        for peer in [0, 1, 2] {
            table.leave(peer);
        }
        while turn(&mut table, &mut going) {}
        drop(table);
        give_back();
        println!(
            "routes {number:8} {:9} {bytes:6.1} bytes, {each:5.0} ns each; longest turn {:4.2} ms, {:4.2} ms \
             at the end; {:5.1} MiB left",
            how.join(" "),
            growing.longest.as_secs_f64() * 1e3,
            going.longest.as_secs_f64() * 1e3,
            (resident() - before) / f64::from(1 << 20),
        );
    }

    fn turn(table: &mut Table, turns: &mut Turns) -> bool {
        turns.take(|| table.turn())
    }

    fn vnis(number: u32, with_route: bool) {
        let route = own_routes(1);
        let before = resident();
        let mut vnis = Vnis::new(number, with_route.then(|| route[0]));
        let open = resident() - before;
        let opened = cpu();
        vnis.pack();
        let took = cpu() - opened;
        give_back();
        let packed = resident() - before;
        println!(
            "vnis {number:6} {:12} {:6.0} bytes each, {:6.0} while open; {:4.0} ns to pack one",
            if with_route { "with a route" } else { "" },
            packed / f64::from(number),
            open / f64::from(number),
            took.as_secs_f64() * 1e9 / f64::from(number),
        );
    }
}
