//! Links whose owners of VNIs are a few lines, and other sites that a test plays.

mod exports;
mod imports;
mod scene;
