//! Reports for programs. README.md describes what is in them.

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::figures::RunReport;
use crate::machine;

/// The points of a latency curve for each halving of the remaining share.
const POINTS_PER_HALF: u32 = 4;

impl RunReport {
    pub(super) fn json(&self) -> Value {
        let figures = self.ordered().into_iter().map(|(is_key, figure)| {
            json!({
                "name": figure.name.trim_start(),
                "value": figure.value,
                "unit": figure.unit,
                "servers": figure.each.as_slice(),
                "key": is_key,
                "part": figure.name.starts_with(' '),
            })
        });
        let faults = self.faults.named();
        let faults = faults.map(|(name, count)| (name.to_owned(), Value::from(count)));
        let parameters = self.parameters.iter();
        let parameters =
            parameters.map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        json!({
            "kind": "run",
            "scenario": self.scenario,
            "target": self.target(),
            "servers": self.servers,
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
            "parameters": parameters.collect::<Map<_, _>>(),
            "machine": machine::describe(),
            "figures": figures.collect::<Vec<_>>(),
            "latency": self.latency.as_ref().map(latency),
            "timeline": self.timeline(),
            "faults": Map::from_iter(faults),
            "verified": !self.faults.any(),
        })
    }

    fn timeline(&self) -> Value {
        let samples = self.timeline.samples.iter().map(|sample| {
            json!({
                "s": sample.at.as_secs_f64(),
                "delivered": sample.delivered,
                "server_cpu_s": self.knows_server.then_some(sample.server_ns as f64 / 1e9),
                "server_memory_bytes": self.knows_server.then_some(sample.resident),
                "loadgen_cpu_s": sample.own_ns as f64 / 1e9,
            })
        });
        let phases = self.timeline.phases.iter();
        let phases = phases.map(|(at, text)| json!({ "s": at.as_secs_f64(), "text": text }));
        json!({
            "phases": phases.collect::<Vec<_>>(),
            "samples": samples.collect::<Vec<_>>(),
        })
    }
}

/// The whole distribution, at the same quantiles in every run.
fn latency(latency: &Histogram<u64>) -> Value {
    let mut points = Vec::new();
    for step in 0u32.. {
        let beyond = 0.5f64.powf(f64::from(step) / f64::from(POINTS_PER_HALF));
        // Beyond the last single value all quantiles are the same.
        if beyond * (latency.len() as f64) < 1.0 {
            break;
        }
        points.push(1.0 - beyond);
    }
    points.push(1.0);
    let points = points.into_iter().map(|quantile| {
        let us = latency.value_at_quantile(quantile) as f64 / 1e3;
        json!({ "quantile": quantile, "us": us })
    });
    json!({ "count": latency.len(), "percentiles": points.collect::<Vec<_>>() })
}
