//! Tests of the codec as a whole. Without `cfg(test)`, what fuzzing runs of them.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod flaws;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod malformed;
#[cfg(test)]
mod networks;
pub(crate) mod oracle;
#[cfg(all(test, feature = "server"))]
mod schema;
#[cfg(test)]
mod strategy;
#[cfg(test)]
mod stream;
