//! A reflector in a program of one's own.
//!
//! ```sh
//! cargo run --example reflector -- '[::1]:4711'
//! ```

use metalbond::reflector::{Config, Reflector};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "[::1]:4711".into());
    let reflector = Reflector::start(&Config { listen: listen.parse()?, ..Config::default() })?;
    println!("leaves connect to {}; Enter ends", reflector.listen_addr());
    std::io::stdin().read_line(&mut String::new())?;
    for snapshot in reflector.snapshots() {
        println!("{} sessions, {} routes", snapshot.peers, snapshot.routes);
    }
    reflector.stop();
    Ok(())
}
