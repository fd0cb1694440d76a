//! `metalbond withdraw`.

use super::common::RT_PROTO;
use super::options::Wrong;

/// What is to be withdrawn.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Remove the routes to this tunnel device, in all tables
    #[arg(long, value_name = "DEVICE")]
    tun: String,

    /// Remove only routes with this protocol number
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = RT_PROTO,
        value_parser = clap::value_parser!(u8).range(5..)
    )]
    rt_proto: u8,
}

/// Removes them, and says how many.
#[cfg(all(feature = "netlink", target_os = "linux", not(metalbond_portable)))]
pub(super) fn run(own: &clap::ArgMatches) -> Result<(), Wrong> {
    use clap::FromArgMatches as _;

    let args = Args::from_arg_matches(own).map_err(Wrong::Usage)?;
    let sentence = |sentence: String| Wrong::Sentences(vec![sentence]);
    let done = metalbond::netlink::withdraw(&args.tun, args.rt_proto)
        .map_err(|error| sentence(error.to_string()))?;
    if done.left > 0 {
        return Err(sentence(format!(
            "{} routes to {} came back while they were removed: stop the leaf first",
            done.left, args.tun
        )));
    }
    let text = format!("{} routes and {} nexthop objects removed\n", done.routes, done.objects);
    super::generate::write(text.as_bytes())
}

/// There is nothing that it could be.
#[cfg(not(all(feature = "netlink", target_os = "linux", not(metalbond_portable))))]
pub(super) fn run(_: &clap::ArgMatches) -> Result<(), Wrong> {
    let sentence = "withdraw needs Linux and a build with the feature netlink".to_owned();
    Err(Wrong::Sentences(vec![sentence]))
}
