//! `loadgen`: puts load on a MetalBond reflector, measures what it costs, verifies what arrives.
//!
//! Every figure is server CPU time or memory, read from `/proc`, next to a count of routes that
//! subscribers have verifiably received: CPU time stands still while others use the machine, and a
//! reflector that loses updates would be fast.
//!
//! * `cli`: the command line, which leads to a scenario, `compare` or a server; `common`: the flags that all
//!   of these share; `load`: those that scenarios share.
//! * `target`: the server, spawned or found running; `procfs` reads what it uses.
//! * `repeater`: a server that repeats bytes and does nothing else, the limit of what is possible;
//!   `rustbond`: the published crate of that name, with the feature `peers`.
//! * `plan`: which routes there are, as numbers; `recording`: those of a file; `catalogue`: both, as who receives
//!   them knows them; `route_set`: some of them; `ledger`: which of them one
//!   subscriber holds.
//! * `audience`: who is in which VNIs.
//! * `placement`: virtual machines that start, stop and move; `pace`: what is due at a fixed rate.
//! * `peer`: a session's handshake, and publishers; `receiver`: subscribers, many to a thread;
//!   `writers`: the other halves of sessions that do both; `tls` carries sessions over TLS.
//! * `scenarios`: what is done and measured, a file for each; `run`: what surrounds one; `live` looks on and
//!   shows it while it happens.
//! * `report`: how it is told, for people, programs and browsers; `machine`: where it was.
//! * `compare`: a scenario against several servers in turn.
//! * `generate`: manual pages, and completions of shells.
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
