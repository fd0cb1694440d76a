//! The leaf's routes in the Linux kernel.

#[allow(dead_code, unused_imports, reason = "the writer calls it next")]
mod kernel;
#[cfg(test)]
pub(crate) mod testing;
