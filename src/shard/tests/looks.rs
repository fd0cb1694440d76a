//! How much an operator sees at once.

use super::cluster::{Cluster, updates};
use crate::shard::inspect::RouteFilter;
use crate::wire::{Action, Destination};

#[test]
fn a_question_is_of_4096_places_or_512_rows_and_says_where_to_go_on() {
    let mut cluster = Cluster::new(1);
    let vni = cluster.vnis(0).next().unwrap();
    let publisher = cluster.establish(0, 1);
    for from in (0..10_000).step_by(1000) {
        cluster.say(0, publisher, &updates(Action::Add, vni, from..from + 1000));
        cluster.turn(0);
    }
    let now = cluster.now;
    let look = |filter: &RouteFilter, from, rows| {
        let page = cluster.shards[0].inspect().routes(now, vni, filter, from, rows);
        (page.rows.len(), page.next.map(|next| next.place))
    };
    let all = RouteFilter::default();
    assert_eq!(look(&all, 0, 5), (5, Some(5)));
    assert_eq!(look(&all, 0, usize::MAX), (512, Some(512)));
    let within = Some(Destination::new([192, 0, 2, 0].into(), 24).unwrap());
    let none = RouteFilter { within, ..RouteFilter::default() };
    assert_eq!(look(&none, 0, 5), (0, Some(4096)));
    assert_eq!(look(&none, 8192, 5), (0, None));
    // Answers to other questions are as long.
    let page = cluster.shards[0].inspect().destinations(vni, 0, usize::MAX);
    assert_eq!((page.rows.len(), page.next.map(|next| next.place)), (512, Some(512)));
    let vnis = (0..600).map(|n| cluster.vnis(0).nth(n).unwrap()).collect::<Vec<_>>();
    assert!(cluster.shards[0].inspect().parts(crate::ids::PeerId(1), &vnis).len() <= 512);
}
