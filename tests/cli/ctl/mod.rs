//! `metalbond ctl`: real servers, real peers, real runs of the command.

mod commands;
mod events;
mod harness;
mod shown;
mod socket;
