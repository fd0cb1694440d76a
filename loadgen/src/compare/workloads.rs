//! The workloads of `suite`, and what they may cost at most.
//!
//! "64 over 16 x 1,000" is 64 subscribers, of which each is in one of 16 VNIs, and windows of 1,000 updates for
//! each VNI, one VNI's behind another's. "Mixed" are windows of 1,000 updates over all VNIs, in turn: as many
//! sends, each of a sixteenth.

/// The divisor of a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    /// The same figure of the repeater.
    Repeater,
    /// The same figure of the same binary with one shard.
    OneShard,
    /// One: the figure stays as it is.
    One,
}

/// A figure of a workload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    /// Its name in the report of a run.
    pub(super) figure: &'static str,
    pub(super) base: Base,
    /// The greatest allowed quotients with the smaller and with the greater number of shards.
    pub(super) limits: [Option<f64>; 2],
}

/// A scenario with its flags, and its purpose.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) arguments: &'static str,
    /// The two numbers of shards that the reflector runs with; one shard first.
    pub(super) shards: [u16; 2],
    pub(super) measures: Vec<Measure>,
}

const CPU_PER_DELIVERED: &str = "server CPU per delivered update";

/// All workloads, in the order in which they run.
pub(super) fn all() -> Vec<Workload> {
    let fanouts = [
        ("50 over 1 x 1,000", "-n 50", [1.4, 1.5]),
        ("200 over 1 x 1,000", "-n 200", [1.1, 1.2]),
        ("64 over 16 x 1,000", "-n 64 --vnis 16 -w 16000 --run-length 1000", [3.0, 3.5]),
        ("64 over 16 x 100", "-n 64 --vnis 16 -w 1600 --run-length 100", [1.6, 1.7]),
        ("10 over 1 x 100", "-n 10 -w 100", [1.3, 1.4]),
        ("10 over 1 x 1,000", "-n 10", [2.2, 2.6]),
        ("2 over 1 x 1,000", "-n 2", [4.0, 5.0]),
        ("10 over 1 x 1,000, 500,000 routes", "-n 10 --table 500000", [2.5, 3.0]),
        (
            "64 over 16 x 1,000, 480,000 routes",
            "-n 64 --vnis 16 -w 16000 --run-length 1000 --table 480000",
            [4.0, 5.0],
        ),
        ("50 over 1 x 1,000, 500,000 routes", "-n 50 --table 500000", [1.5, 1.7]),
        ("2 over 1 x 100, 500,000 routes", "-n 2 -w 100 --table 500000", [1.8, 2.2]),
        ("64 over 16 mixed x 1,000", "-n 64 --vnis 16", [3.0, 3.5]),
        ("64 over 16 mixed x 1,000, 480,000 routes", "-n 64 --vnis 16 --table 480000", [4.0, 5.0]),
    ];
    let fanouts = fanouts.map(|(name, arguments, limits)| Workload {
        name,
        arguments,
        shards: [1, 2],
        measures: vec![Measure {
            figure: CPU_PER_DELIVERED,
            base: Base::Repeater,
            limits: limits.map(Some),
        }],
    });
    let many = |name, arguments, figures: &[(&'static str, Base, f64)]| Workload {
        name,
        arguments,
        shards: [1, 16],
        measures: figures
            .iter()
            .map(|(figure, base, limit)| Measure {
                figure,
                base: *base,
                limits: [None, Some(*limit)],
            })
            .collect(),
    };
    let paced = many(
        "50 over 1, 1,000 updates/s",
        "latency:-n 50 --rate 1000",
        &[
            ("server CPU used", Base::OneShard, 1.3),
            ("server context switches per update", Base::One, 2.0),
            ("latency, p99", Base::OneShard, 1.0),
        ],
    );
    let full_speed =
        many("50 over 1, full speed", "-n 50", &[(CPU_PER_DELIVERED, Base::OneShard, 1.2)]);
    fanouts.into_iter().chain([paced, full_speed]).collect()
}

impl Workload {
    /// The scenario and its flags, without its duration.
    pub(super) fn scenario(&self) -> Vec<String> {
        let (scenario, flags) =
            self.arguments.split_once(':').unwrap_or(("fanout", self.arguments));
        std::iter::once(scenario).chain(flags.split(' ')).map(str::to_owned).collect()
    }
}
