//! The leaf's routes in the Linux kernel.

mod kernel;
