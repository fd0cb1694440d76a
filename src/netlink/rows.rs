//! The counters about the kernel, as metrics and as `/api/v1/kernel`.

use super::Status;
use crate::metrics::{Row, Rows, Value};

const ROUTES: Row = Row::new().gauge(
    "metalbond_kernel_routes",
    "Routes by state: desired (the kernel should have them), installed, refused by the kernel, or conflict (another \
     program's route has their place).",
);

impl Status {
    /// The numbers with their metric names and labels.
    pub(crate) fn rows(&self) -> Rows {
        let number = |number: usize| Value::Number(number as u64);
        let unusable = self.unusable.iter().map(|(reason, count)| (*reason, *count as u64));
        vec![
            (ROUTES.named("desired").with(&[("state", "desired")]), number(self.desired)),
            (ROUTES.named("installed").with(&[("state", "installed")]), number(self.installed)),
            (ROUTES.named("refused").with(&[("state", "refused")]), number(self.refused)),
            (ROUTES.named("conflicts").with(&[("state", "conflict")]), number(self.conflicts)),
            (
                Row::json("unusable")
                    .gauge(
                        "metalbond_kernel_unusable_routes",
                        "Announced routes that the leaf does not install because of their next hop, by reason.",
                    )
                    .by(&["reason"]),
                Value::ByName(unusable.collect()),
            ),
            (
                Row::json("nexthop_objects").gauge(
                    "metalbond_kernel_nexthop_objects",
                    "Nexthop objects of the leaf in the kernel.",
                ),
                number(self.objects),
            ),
            (
                Row::json("device_up").gauge(
                    "metalbond_kernel_device_up",
                    "1 while the tunnel device exists and is up, else 0.",
                ),
                Value::Switch(self.device_up),
            ),
            (
                Row::json("silent_seconds").gauge(
                    "metalbond_kernel_silent_seconds",
                    "Seconds for which the kernel has not answered the request in progress; 0 if there is none.",
                ),
                Value::Time(self.silent),
            ),
            (
                Row::json("requests")
                    .counter("metalbond_kernel_requests_total", "Requests that the leaf sent to the kernel."),
                Value::Number(self.requests),
            ),
            (
                Row::json("refusals")
                    .counter("metalbond_kernel_refusals_total", "Requests that the kernel refused."),
                Value::Number(self.refusals),
            ),
            (
                Row::json("repairs").counter(
                    "metalbond_kernel_repairs_total",
                    "Times that the leaf found a route changed or missing in the kernel.",
                ),
                Value::Number(self.repairs),
            ),
            (
                Row::json("reconciles").counter(
                    "metalbond_kernel_reconciles_total",
                    "Complete comparisons of the leaf's routes with the kernel's.",
                ),
                Value::Number(self.reconciles),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::fib::Summary;
    use super::*;
    use crate::metrics::{asked_of_leaves, documented};
    use crate::netlink::Mode;

    /// docs/http.md names each metric of the kernel, with its labels.
    #[test]
    fn every_metric_is_documented_with_its_labels() {
        let page = include_str!("../../docs/http.md");
        let (_, section) = page.split_once("\n## A leaf\n").unwrap();
        let status = Status::new(Mode::Objects, &Summary::default());
        for (name, _) in documented(status.rows()) {
            assert!(section.contains(&format!("`{name}`")), "no {name}");
        }
    }

    #[test]
    fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
        let documented = documented(Status::new(Mode::Objects, &Summary::default()).rows());
        let is_there =
            |asked: &str| documented.iter().any(|(name, _)| name.split('{').next() == Some(asked));
        let asked = asked_of_leaves().filter(|asked| asked.starts_with("metalbond_kernel_"));
        assert!(asked.clone().count() > 5);
        for asked in asked {
            assert!(is_there(asked), "no {asked}");
        }
    }
}
