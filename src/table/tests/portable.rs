//! VNIs that go through the portable form.

use super::harness::Table;
use crate::ids::{Moment, PeerId};
use crate::portable::Defect;
use crate::portable::form::piece::Kind;
use crate::table::{RouteFilter, TableBounds};

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
/// A peer whose connection the portable form does not carry.
const GONE: u64 = 2001;

fn shown(table: &Table) -> Vec<String> {
    let list = table.vnet.list(table.now, &RouteFilter::default(), 0, 100, 100);
    let mut rows: Vec<_> = list.rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

/// A table with much work under way: C is in the middle of its dump, B is behind, a peer is leaving, and
/// routes have been withdrawn.
fn busy() -> Table {
    let mut table = Table::with(TableBounds { chunk_places: 2, ..TableBounds::default() });
    table.subscribe(B);
    for (second, (peer, prefix, hop)) in (1..).zip([
        (A, "10.0.0.0/8", 1),
        (B, "10.0.0.0/8", 1),
        (A, "0.0.0.0/0", 2),
        (A, "10.1.0.0/16", 1),
        (A, "10.1.0.0/16", 2),
        (GONE, "10.2.0.0/16", 1),
        (A, "10.3.0.0/16", 1),
        (1001, "2001:db8::/32", 4),
    ]) {
        table.now = Moment(second * 10_000_000);
        table.vnet.clock = table.now;
        table.announce(peer, prefix, hop);
        table.flush();
    }
    table.join(C);
    table.pull(C, 1);
    table.slow_down(B);
    table.withdraw(A, "10.3.0.0/16", 1);
    table.withdraw(A, "10.1.0.0/16", 1);
    table.flush();
    table
}

#[test]
fn a_table_comes_out_as_it_went_in() {
    let mut table = busy();
    let before = shown(&table);
    table.port();
    let gone = |row: &String| row.contains("10.2.0.0/16");
    assert_eq!(shown(&table), before, "with ages and the announcers' order");
    table.got(B);
    table.catch_up(B);
    assert_eq!(table.got(B), ["-10.3.0.0/16 1", "-10.1.0.0/16 1"], "what it lacked and no more");
    table.catch_up(C);
    assert!(table.reader(C).ended);
    table.vnet.work(usize::MAX);
    table.flush();
    assert_eq!(table.got(B), ["-10.2.0.0/16 1"], "its announcer has no connection");
    assert!(!shown(&table).iter().any(gone));
    let withdrawn = ["10.1.0.0/16 1", "10.2.0.0/16 1", "10.3.0.0/16 1"];
    assert!(!table.reader(C).view.iter().any(|route| withdrawn.contains(&route.as_str())));
    assert_eq!(table.reader(C).view.len(), 4);
}

#[test]
fn a_dump_goes_on_where_it_was_although_the_routes_that_it_had_sent_are_gone() {
    let mut table = Table::with(TableBounds { chunk_places: 1, ..TableBounds::default() });
    for i in 0..6 {
        table.announce(A, &format!("10.{i}.0.0/16"), 1);
    }
    table.announce(A, "0.0.0.0/0", 1);
    table.flush();
    table.join(C);
    table.pull(C, 1);
    assert_eq!(table.got(C), ["+0.0.0.0/0 1", "+10.0.0.0/16 1"]);
    table.withdraw(A, "10.0.0.0/16", 1);
    table.flush();
    table.pull(C, 1);
    table.trim();
    table.port();
    table.catch_up(C);
    assert_eq!(table.reader(C).view.len(), 6, "each once: the reader refuses a second");
    assert!(table.reader(C).ended);
}

#[test]
fn a_snapshot_with_a_wrong_number_is_refused() {
    let mut table = busy();
    let pieces = table.export();
    let refused = |change: &dyn Fn(&mut Kind)| {
        let mut pieces = pieces.clone();
        pieces.iter_mut().for_each(change);
        table.import(pieces).expect_err("it is wrong")
    };
    let value = |field| Defect::Value(field);
    let wrong = refused(&|piece| {
        if let Kind::Routes(routes) = piece {
            routes.routes[2].announcers.push(77);
        }
    });
    assert_eq!(wrong, value("Route.announcers"));
    let wrong = refused(&|piece| {
        if let Kind::Routes(routes) = piece {
            routes.routes.swap(0, 1);
            routes.routes[1] = routes.routes[0].clone();
        }
    });
    assert_eq!(wrong, value("Route: its identity"), "a route twice");
    let wrong = refused(&|piece| {
        if let Kind::Routes(routes) = piece {
            routes.routes[0].prefix_length = 33;
        }
    });
    assert_eq!(wrong, value("Route.prefix"));
    let wrong = refused(&|piece| {
        if let Kind::Changes(changes) = piece {
            changes.routes[0] = 99;
        }
    });
    assert_eq!(wrong, value("Changes.routes"));
    let wrong = refused(&|piece| {
        if let Kind::Changes(changes) = piece {
            changes.before[0] = 99;
        }
    });
    assert_eq!(wrong, value("Changes.before"));
    let wrong = refused(&|piece| {
        if let Kind::Members(members) = piece {
            let cursors = members.members.iter_mut().filter_map(|it| it.cursor.as_mut());
            cursors.for_each(|cursor| cursor.synced += 1000);
        }
    });
    assert_eq!(wrong, value("Cursor"));
    let wrong = refused(&|piece| {
        if let Kind::Members(members) = piece {
            members.members[1].peer = members.members[0].peer;
        }
    });
    assert_eq!(wrong, value("Member.peer"));
}

#[test]
fn pieces_of_a_table_come_in_order() {
    let mut table = busy();
    let mut pieces = table.export();
    let at = pieces.iter().position(|piece| matches!(piece, Kind::Members(_))).expect("members");
    let members = pieces.remove(at);
    pieces.push(members);
    let problem = table.import(pieces).expect_err("routes need their announcers");
    assert!(matches!(problem, Defect::Value(_) | Defect::Misplaced(_)), "{problem}");
}

#[test]
fn a_peer_without_a_connection_is_no_member() {
    let mut table = Table::new();
    table.join(GONE);
    table.announce(A, "10.0.0.0/8", 1);
    table.port();
    assert!(!table.vnet.takes_part(PeerId(GONE)));
    assert!(table.vnet.takes_part(PeerId(A)));
}
