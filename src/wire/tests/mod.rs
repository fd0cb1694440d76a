//! Tests of the codec as a whole.

mod agreement;
mod examples;
mod flaws;
mod handshake;
mod malformed;
mod networks;
mod strategy;
mod stream;
