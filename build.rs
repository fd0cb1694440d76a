//! Compiles the schemas in `proto` with prost-build over protox, a protobuf compiler in Rust, so that a fresh machine
//! needs no `protoc`. Decides whether io_uring and TLS by the kernel are built in, and gives the program the commit
//! that it was built from.

use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "cargo::rustc-check-cfg=cfg(metalbond_uring, metalbond_kernel_tls, metalbond_portable)"
    );
    // What other platforms get, to check it on Linux.
    println!("cargo::rerun-if-env-changed=METALBOND_PORTABLE");
    let is_portable = std::env::var_os("METALBOND_PORTABLE").is_some();
    if is_portable {
        println!("cargo::rustc-cfg=metalbond_portable");
    }
    if has_uring() && !is_portable {
        println!("cargo::rustc-cfg=metalbond_uring");
    }
    if has_kernel_tls() && !is_portable {
        println!("cargo::rustc-cfg=metalbond_kernel_tls");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=proto");
    let version = std::env::var("CARGO_PKG_VERSION")?;
    let commit = commit().map_or_else(String::new, |commit| format!(" ({commit})"));
    println!("cargo::rustc-env=METALBOND_VERSION={version}{commit}");
    compile_schemas()
}

/// The commit that is built, with a `+` when the sources differ from it: as METALBOND_COMMIT says, as `cargo package` has
/// noted it, or as git says. None of a build without optimization, which would be built anew for each commit.
fn commit() -> Option<String> {
    println!("cargo::rerun-if-env-changed=METALBOND_COMMIT");
    if let Some(commit) = std::env::var("METALBOND_COMMIT").ok().filter(|text| !text.is_empty()) {
        return Some(commit);
    }
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    // {"git":{"sha1":"...","dirty":true},...}
    if let Ok(noted) = std::fs::read_to_string(".cargo_vcs_info.json") {
        let (_, rest) = noted.split_once("\"sha1\"")?;
        let commit = rest.split('"').nth(1)?.get(..12)?;
        return Some(format!(
            "{commit}{}",
            if noted.contains("\"dirty\": true") { "+" } else { "" }
        ));
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // A package that lies in the folder of another repository is not of that.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    for path in ["HEAD", "index", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", path])?;
        if std::path::Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    for path in ["src", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_clean = git(&["diff", "--quiet", "HEAD", "--"]).is_some();
    Some(format!("{commit}{}", if is_clean { "" } else { "+" }))
}

#[cfg(feature = "server")]
fn compile_schemas() -> Result<(), Box<dyn std::error::Error>> {
    let descriptors = protox::compile(
        ["metalbond.proto", "portable.proto", "handover.proto", "federation.proto"],
        ["proto"],
    )?;
    prost_build::Config::new()
        .bytes([".metalbond.portable", ".metalbond.handover"])
        .btree_map([".metalbond.portable", ".metalbond.handover"])
        .compile_fds(descriptors)?;
    Ok(())
}

/// The leaf alone has only messages of `proto/metalbond.proto`, and takes a copy of what would be made of it.
#[cfg(not(feature = "server"))]
fn compile_schemas() -> Result<(), Box<dyn std::error::Error>> {
    Ok(())
}

/// Whether the dependencies of feature `uring` are there: see Cargo.toml.
fn has_uring() -> bool {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    let is_set = |name: &str| std::env::var_os(name).is_some();
    is_set("CARGO_FEATURE_URING")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && !is("CARGO_CFG_TARGET_ENV", "musl")
}

/// Whether sessions over TLS may be carried by the kernel.
fn has_kernel_tls() -> bool {
    std::env::var_os("CARGO_FEATURE_TLS").is_some()
        && std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|it| it == "linux")
}
