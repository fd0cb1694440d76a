//! `loadgen`: puts load on a MetalBond reflector, measures its cost, and verifies the routes that arrive.
//!
//! Every figure is CPU time or memory of the server, read from `/proc`, beside a number of routes that subscribers have
//! verifiably received. CPU time does not grow while other programs use the machine, and a reflector that loses updates
//! cannot seem fast.
//!
//! * `cli`: the command line, which leads to a scenario, `compare` or a server; `common`: the flags that all of these
//!   share; `load`: those that scenarios share.
//! * `target`: the server, spawned or already running; `procfs`: reads its CPU time and memory.
//! * `repeater`: a server that only repeats bytes, the limit of what is possible; `rustbond`: the published crate of
//!   that name, with the feature `peers`.
//! * `plan`: the routes of a run, as numbers; `recording`: the routes of a file; `catalogue`: both, for the code that
//!   receives them; `route_set`: a set of routes; `ledger`: the routes that one subscriber holds.
//! * `audience`: the VNIs of each session.
//! * `placement`: virtual machines that start, stop and move; `pace`: the updates that are due at a fixed rate.
//! * `peer`: a session's handshake, and publishers; `receiver`: subscribers, many to a thread; `writers`: the writing
//!   halves of sessions that do both; `tls` carries sessions over TLS.
//! * `scenarios`: the actions and measurements, a file for each scenario; `run`: the parts that all runs have; `live`:
//!   shows the rates of a run while it lasts.
//! * `report`: the results for people, programs and browsers; `machine`: the machine of the run.
//! * `compare`: a scenario against several servers in turn.
//! * `generate`: manual pages, and completions for shells.
//!
//! Linux only: it needs epoll and `/proc`.
#![allow(
    clippy::expect_used,
    clippy::too_many_lines,
    reason = "a measurement ends where it meets what it does not expect, and a report is one list"
)]

#[cfg(target_os = "linux")]
mod audience;
#[cfg(target_os = "linux")]
mod catalogue;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod common;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod fetch;
#[cfg(target_os = "linux")]
mod generate;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod pace;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod placement;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod processes;
#[cfg(target_os = "linux")]
mod procfs;
#[cfg(target_os = "linux")]
mod receiver;
#[cfg(target_os = "linux")]
mod recording;
#[cfg(target_os = "linux")]
mod repeater;
#[cfg(target_os = "linux")]
mod report;
#[cfg(target_os = "linux")]
mod rng;
#[cfg(target_os = "linux")]
mod route_set;
#[cfg(target_os = "linux")]
mod run;
#[cfg(all(target_os = "linux", feature = "peers"))]
mod rustbond;
#[cfg(target_os = "linux")]
mod scenarios;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
mod tls;
#[cfg(target_os = "linux")]
mod writers;

#[cfg(target_os = "linux")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("loadgen: needs Linux: it measures with epoll and /proc");
    std::process::ExitCode::FAILURE
}
