//! The client on the kernel of this machine, each test in a network namespace of its own.

mod drift;
mod harness;
mod routes;
mod scale;
mod start;
mod withdraw;
