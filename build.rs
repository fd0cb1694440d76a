//! Compiles the schemas in `proto` with prost-build over protox, a protobuf compiler in Rust, so that a
//! fresh machine needs no `protoc`; and decides whether io_uring is built in.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rustc-check-cfg=cfg(metalbond_uring)");
    if has_uring() {
        println!("cargo::rustc-cfg=metalbond_uring");
    }
    println!("cargo::rerun-if-changed=proto");
    let descriptors =
        protox::compile(["metalbond.proto", "portable.proto", "handover.proto"], ["proto"])?;
    prost_build::Config::new()
        .bytes([".metalbond.portable", ".metalbond.handover"])
        .btree_map([".metalbond.portable", ".metalbond.handover"])
        .compile_fds(descriptors)?;
    Ok(())
}

/// Whether the dependencies of feature `uring` are there: see Cargo.toml. `--cfg metalbond_portable`
/// builds what a system other than Linux would get.
fn has_uring() -> bool {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let is_set = |name: &str| std::env::var_os(name).is_some();
    is_set("CARGO_FEATURE_URING")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && !is("CARGO_CFG_TARGET_ENV", "musl")
        && !is_set("CARGO_CFG_METALBOND_PORTABLE")
}
