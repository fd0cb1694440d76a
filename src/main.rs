//! The `metalbond` command.

mod cli;

/// Route tables are many small allocations of long life and batches are large ones of short life;
/// mimalloc keeps the two apart and gives memory back.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
