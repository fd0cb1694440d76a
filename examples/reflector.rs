//! A reflector inside your own program.
//!
//! ```sh
//! cargo run --example reflector -- '[::1]:4711'
//! ```

use metalbond::reflector::inspect::Metrics;
use metalbond::reflector::{Reflector, ReflectorConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen = std::env::args().nth(1).unwrap_or_else(|| "[::1]:4711".into());
    let reflector = Reflector::start(&ReflectorConfig {
        listen: listen.parse()?,
        ..ReflectorConfig::default()
    })?;
    println!("leaves connect to {}; Enter ends", reflector.listen_addr());
    std::io::stdin().read_line(&mut String::new())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let counters = runtime.block_on(reflector.inspector().counters())?;
    for Metrics { now, .. } in &counters.shards {
        println!("{} sessions, {} routes", now.established, now.routes);
    }
    reflector.stop();
    Ok(())
}
