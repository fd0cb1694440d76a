//! The datapath again over ip6tnl, the tunnel that leaves have in production. Few machines that
//! build have it in their kernel, so it runs in a virtual machine.

use std::path::Path;

use support::vm;

#[test]
fn the_datapath_holds_over_ip6tnl() {
    let binary = crate::harness::binary();
    let there = format!("METALBOND_TEST_BINARY={}/metalbond", vm::PROGRAMS);
    let variables = ["METALBOND_TEST_TUNNEL=ip6tnl", &there];
    vm::run_tests("datapath::", &[("metalbond", Path::new(&binary))], &variables);
}
