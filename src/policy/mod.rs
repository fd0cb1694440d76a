//! Policy: which routes a peer may announce, and in which VNIs it may take part, by the class of its source.
//!
//! Pure: text becomes a [`Policy`], and a policy judges what peers announce, subscribe to and say of themselves.
//! Where the judged routes are kept is the business of `table`: what a policy refuses stays there as *filtered*.
//!
//! A policy is a list of classes. The first class whose description fits a peer is its class; class `default` is
//! for the others, and restricts nothing unless the policy describes it. A class has rules. Each rule is a requirement
//! for the VNIs that it names, and the first requirement that a route does not meet decides.
//!
//! Beside the classes there are *blocks*: peers, prefixes and VNIs that an operator has the reflector refuse for a
//! time.
//!
//! **Cost**: the class is found once for a session. `Policy::terms` finds once for a run of updates of one VNI
//! which rules there are (a binary search). A route is judged only when it is new to its announcer.
//!
//! Imports: ids, sources, wire.

mod blocks;
mod class;
mod form;
mod list;
mod prefixes;
mod read;
mod refusal;
mod rule;
#[cfg(test)]
mod tests;
mod vnis;

pub(crate) use blocks::{BLOCKS, Block, Blocked, Blocks, TooManyBlocks};
pub(crate) use class::{ClassId, Rights, Terms};
pub use list::Policy;
pub(crate) use list::Subject;
pub use read::PolicyError;
pub use refusal::OnRefusal;
pub(crate) use refusal::{Example, Judgement, Refusal};
