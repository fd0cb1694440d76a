//! Policy: which routes a peer may announce, and in which VNIs it may take part, by the class of its source.
//!
//! Pure: text becomes a [`Policy`], and a policy judges what peers announce, subscribe to and say of themselves.
//! `table` keeps the judged routes; a route that the policy refuses stays there as *filtered*.
//!
//! A policy is a list of classes. A peer belongs to the first class whose description fits it. Class `default` is for
//! all other peers, and restricts nothing unless the policy describes it. A class has rules. Each rule is a requirement
//! for the VNIs that it names, and the first requirement that a route does not meet decides.
//!
//! Beside the classes there are *blocks*: an operator tells the reflector to refuse a peer, a prefix or a VNI for a
//! time.
//!
//! **Cost**: a session's class is found once. `Policy::terms` finds the rules of a VNI once for a run of updates (a
//! binary search). A route is judged only when it is new to its announcer.
//!
//! Imports: ids, sources, wire.

mod blocks;
mod class;
mod error;
mod form;
mod list;
mod networks;
mod prefixes;
mod read;
mod refusal;
mod rights;
mod rule;
mod selection;
mod subject;
#[cfg(test)]
mod tests;
mod vnis;

pub(crate) use blocks::{BLOCKS, Block, Blocked, Blocks, TooManyBlocks};
pub(crate) use class::Terms;
pub use error::PolicyError;
pub use list::Policy;
pub use refusal::OnRefusal;
pub(crate) use refusal::{Example, Judgement, Refusal};
pub(crate) use rights::{ClassId, Rights};
pub use selection::Echo;
pub(crate) use selection::Selection;
pub(crate) use subject::Subject;
