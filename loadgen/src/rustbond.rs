//! The server of the published crate `rustbond`, as it comes: its documented call, its defaults, on
//! tokio's threads. Only the allocator is loadgen's, which is the reflector's too.

use std::net::SocketAddr;

/// How often to try another port.
const ATTEMPTS: usize = 20;

/// Flags of the hidden subcommand.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    #[arg(long)]
    listen: SocketAddr,
}

/// Runs until it is killed.
///
/// # Errors
/// One sentence, when it can't listen.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start threads: {error}"))?;
    runtime.block_on(async {
        let mut address = options.listen;
        for _ in 0..ATTEMPTS {
            if options.listen.port() == 0 {
                address = free(options.listen).map_err(|error| error.to_string())?;
            }
            let config = rustbond::ServerConfig::default();
            match rustbond::MetalBondServer::start(address.to_string(), config).await {
                Ok(_server) => {
                    eprintln!("rustbond started listen={address}");
                    std::future::pending::<()>().await;
                }
                Err(error) if options.listen.port() != 0 => return Err(error.to_string()),
                Err(_) => {} // another process took the port first
            }
        }
        Err(format!("found no free port at {}", options.listen.ip()))
    })
}

/// A free port: the server does not say which port it was given.
fn free(address: SocketAddr) -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind(address)?.local_addr()
}
