//! Churn: the updates of a data centre whose virtual machines start, stop and move, and their latency at observers.

use super::cloud::{self, Cloud};
use crate::common::Common;
use crate::load::Span;
use crate::receiver::histogram;
use crate::run::{Run, Scenario};

/// `churn` and its flags.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Churn {
    #[command(flatten)]
    cloud: cloud::Options,
}

impl Scenario for Churn {
    fn name(&self) -> &'static str {
        "churn"
    }

    fn check(&self, common: &Common) -> Result<(), String> {
        // Over TLS a read ends where a record ends, perhaps inside a message, and that ends a Go client's session.
        if common.tls.tls && self.cloud.go_clients > 0.0 {
            return Err("Go clients have no TLS: leave out --go-clients or --tls".into());
        }
        common.needs_table()
    }

    fn crosses_sites(&self) -> bool {
        true
    }

    fn goes_over_tls(&self) -> bool {
        true
    }

    fn run(&self, run: &mut Run<'_>) -> Result<(), String> {
        let Span { duration, warm_up } = self.cloud.load.span;
        let mut cloud = Cloud::new(run, &self.cloud)?;
        let stretch = cloud.churn(run, 0, warm_up, duration)?;
        let views = cloud.views();
        let outcome = run.verify(cloud.receivers, &views)?;

        let times = outcome.latencies.into_iter().next().unwrap_or_else(histogram);
        let observed = times.len();
        run.report.add_latency(times); // to observers
        stretch.report_to(&mut run.report, observed, self.cloud.observers);
        Ok(())
    }
}
