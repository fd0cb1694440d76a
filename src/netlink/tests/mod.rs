//! Tests of the client on the kernel of this machine, each in a network namespace of its own.

mod drift;
mod harness;
mod routes;
mod scale;
mod start;
mod withdraw;
