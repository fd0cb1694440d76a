//! Flags that scenarios share: which VNIs sessions are in, what next hops are, and how long it takes.
//!
//! A flag is declared once. What differs between scenarios, which is defaults, ranges and words, they
//! change where they flatten these (`#[command(mut_arg(...))]`).

use clap::Args;

use crate::plan::Plan;

/// The load of `fanout`, `mesh` and `churn`.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub(crate) struct Load {
    /// Number of VNIs, over which the routes are spread
    #[arg(long, value_name = "V", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) vnis: u32,

    /// Number of VNIs of each peer [default: all]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    vnis_per_peer: Option<u32>,

    /// Give all routes the same next hop, instead of a different one each
    #[arg(long)]
    pub(crate) shared_next_hop: bool,

    /// Seed of all random choices
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,

    #[command(flatten)]
    pub(crate) span: Span,
}

impl Load {
    /// How many VNIs each peer is in: at most all.
    pub(crate) fn vnis_per_peer(&self) -> u32 {
        self.vnis_per_peer.unwrap_or(self.vnis).min(self.vnis)
    }

    /// `routes` routes, spread over the VNIs, with the next hops that the flags choose.
    pub(crate) fn plan(&self, routes: u32) -> Plan {
        if self.shared_next_hop {
            Plan::new(routes, self.vnis, 1)
        } else {
            Plan::own_hops(routes, self.vnis)
        }
    }
}

/// For how long something is measured, and what goes before.
#[derive(Clone, Copy, Debug, Args)]
#[group(skip)]
pub(crate) struct Span {
    /// How long to measure, in seconds
    #[arg(short, long, value_name = "D", default_value_t = 4.0, value_parser = duration)]
    pub(crate) duration: f64,

    /// How long to run before measuring, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    pub(crate) warm_up: f64,
}

/// A duration on the command line, in seconds.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds")?;
    if (0.0..=1e6).contains(&seconds) { Ok(seconds) } else { Err("from 0 to 1000000".into()) }
}

/// A measured duration, in seconds: not 0, because rates divide by it.
pub(crate) fn duration(text: &str) -> Result<f64, String> {
    seconds(text)
        .ok()
        .filter(|seconds| *seconds >= 0.001)
        .ok_or_else(|| "from 0.001 to 1000000".into())
}
