//! How the program starts a successor.

use std::fmt;
use std::path::Path;
use std::sync::OnceLock;

pub(crate) type Start = Box<dyn Fn(Option<&Path>) -> Result<u32, String> + Send + Sync>;

/// The function with which the program starts a successor.
#[derive(Default)]
pub(crate) struct Succession(pub(crate) OnceLock<Start>);

impl fmt::Debug for Succession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Succession")
    }
}
