//! The `metalbond` command.

mod cli;

/// Route tables are many small allocations of long life and batches are large ones of short life;
/// mimalloc keeps the two apart and gives memory back.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // A huge page is zeroed whole and held whole for the sake of a part of it: a fifth of a route's
    // memory, and half of an idle server's, for no gain in speed that could be measured. Refused by
    // no kernel that has them; one that has none needs nothing.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
    cli::main()
}
