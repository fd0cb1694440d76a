//! `ctl diff`: do two servers hold the same routes?

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::ctl::Folder;
use crate::handover::run_ctl;
use crate::process::Process;
use support::client::{Client, route, routes};

struct Site {
    server: Process,
    socket: String,
    http: String,
    _folder: Folder,
}

fn site(more: &[&str]) -> Site {
    let folder = Folder::new();
    let socket = folder.path("control.sock");
    let own = ["--control", &socket, "--http", "127.0.0.1:0", "--keepalive", "60"];
    let server = Process::start(&[&own[..], more].concat());
    let started = server.logged("reflector started", '\n');
    let http = started.split(" http=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    Site { server, socket, http, _folder: folder }
}

/// A peer of both that has seen its own announcements taken, by another's view.
fn announce(site: &Site, table: &[support::client::Route]) -> [Client; 2] {
    let mut announcer = Client::establish(site.server.address());
    let mut watcher = Client::establish(site.server.address());
    for vni in [7, 8] {
        watcher.subscribe(vni);
    }
    announcer.announce_all(table);
    watcher.expect_view(table);
    [announcer, watcher]
}

#[test]
fn two_reflectors_agree_or_the_routes_that_differ_are_listed() {
    let (one, other) = (site(&[]), site(&[]));
    let mut table = routes(7, 0..200, 1);
    table.extend(routes(8, 0..3, 1));
    let _peers = announce(&one, &table);
    let [mut announcer, mut watcher] = announce(&other, &table);
    let (is_same, said, err) = run_ctl(&one.socket, &["diff", &other.socket]);
    assert!(is_same && said.contains("hold the same routes."), "{said}{err}");

    announcer.withdraw(&route(8, 1, 1));
    announcer.announce(&route(7, 5, 2));
    table.retain(|it| *it != route(8, 1, 1));
    table.push(route(7, 5, 2));
    watcher.expect_view(&table);
    for there in [&other.socket, &other.http, &format!("http://{}/", other.http)] {
        let (is_same, said, err) = run_ctl(&one.socket, &["diff", there, "--settle", "1ms"]);
        let place = there.trim_start_matches("http://").trim_end_matches('/');
        assert!(!is_same && err.contains("differ in 2 routes of 2 VNIs"), "{said}{err}");
        let lines: Vec<_> = said.lines().skip(1).collect();
        let more = route(7, 5, 2);
        let lacks = route(8, 1, 1);
        let line = |vni, route: &support::client::Route| {
            let text = format!("{} via {}", route.destination, route.next_hop);
            lines.iter().find(|line| line.trim().starts_with(vni) && line.contains(&text)).copied()
        };
        assert!(line("7", &more).is_some_and(|line| line.trim_end().ends_with(place)), "{said}");
        assert!(line("8", &lacks).is_some_and(|line| line.contains(&one.socket)), "{said}");
        assert_eq!(lines.len(), 2, "{said}");
    }
}

#[test]
fn a_token_is_sent_to_a_reflector_that_requires_one() {
    let folder = Folder::new();
    let token = folder.path("token");
    std::fs::write(&token, "open-sesame-open-sesame\n").unwrap();
    let (one, other) = (site(&[]), site(&["--http-token-file", &token]));
    let (is_good, _, err) = run_ctl(&one.socket, &["diff", &other.http]);
    assert!(!is_good && err.contains("requires a token: give the file"), "{err}");
    let asked = ["diff", &other.http, "--token-file", &token];
    let (is_good, said, err) = run_ctl(&one.socket, &asked);
    assert!(is_good && said.contains("hold the same routes."), "{said}{err}");
}

/// Answers as a server that knows `/routes.json` alone.
fn reference(table: String) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut gathered = Vec::new();
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                gathered.extend_from_slice(&buffer[..read]);
                if !gathered.ends_with(b"\r\n\r\n") {
                    continue;
                }
                let head = String::from_utf8(std::mem::take(&mut gathered)).unwrap();
                let (status, body) = match head.starts_with("GET /routes.json ") {
                    true => ("200 OK", &*table),
                    false => ("404 Not Found", "404 page not found\n"),
                };
                let length = body.len();
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}")
                    .unwrap();
            }
        }
    });
    address
}

#[test]
fn a_server_that_has_routes_json_alone_is_compared_by_that() {
    let one = site(&[]);
    let table = routes(7, 0..3, 1);
    let _peers = announce(&one, &table);
    let hop = |route: &support::client::Route| {
        format!(
            r#""{{\"IPVersion\":4,\"Prefix\":\"{}\"}}": [{{"TargetAddress": "{}", "TargetVNI": 0, "Type": 0, "NATPortRangeFrom": 0, "NATPortRangeTo": 0}}]"#,
            route.destination,
            route.next_hop.address()
        )
    };
    let dump = |table: &[support::client::Route]| {
        let rows: Vec<_> = table.iter().map(hop).collect();
        format!(r#"{{"date": "2026-11-30 06:00:00", "vnet": {{"7": {{{}}}}}}}"#, rows.join(","))
    };
    let same = reference(dump(&table)).to_string();
    let (is_same, said, err) = run_ctl(&one.socket, &["diff", &same]);
    assert!(is_same, "{said}{err}");
    let less = reference(dump(&table[1..])).to_string();
    let (is_same, said, err) = run_ctl(&one.socket, &["diff", &less, "--settle", "1ms"]);
    assert!(!is_same && err.contains("differ in 1 route of 1 VNI"), "{said}{err}");
    assert!(said.contains(&format!("{} via", table[0].destination)), "{said}");
}
