//! Compiles `proto/metalbond.proto` with prost-build over protox, a protobuf
//! compiler in Rust, so that a fresh machine needs no `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/metalbond.proto");
    let descriptors = protox::compile(["metalbond.proto"], ["proto"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
