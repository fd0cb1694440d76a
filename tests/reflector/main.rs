//! A reflector under test through its sockets: real threads, real TCP, both kinds of I/O.

mod access;
mod bad_input;
mod deployed_clients;
mod handshake;
mod harness;
mod limits;
mod scale;
mod semantics;
