//! `metalbond ctl`: real servers, real peers, real runs of the command.

mod commands;
mod events;
mod harness;
#[cfg(target_os = "linux")]
mod hung;
mod hung_up;
mod leaf;
mod readers;
mod record;
mod shown;
mod socket;

pub(crate) use harness::Folder;
