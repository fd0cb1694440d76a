//! `metalbond ctl`: real servers, real peers, real runs of the command.

mod commands;
mod events;
mod harness;
mod hung_up;
mod shown;
mod socket;

pub(crate) use harness::Folder;
