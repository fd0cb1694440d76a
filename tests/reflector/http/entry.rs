//! Who is answered over HTTP, and what answers say to browsers.

use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use metalbond::admin::HttpRules;
use metalbond::wire::Message;
use support::http::{Answer, send};

use crate::harness::bystander::{Bystander, alone};
use crate::harness::client::{announcements, encode, modern_hello};
use crate::harness::http::{get, get_json, request, start_with_http};
use crate::harness::{Client, Reflector, ReflectorConfig, on_each_io, routes};

on_each_io!(
    a_page_whose_name_resolves_to_the_reflector_reads_nothing,
    a_page_cannot_tell_the_reflector_what_to_do,
    http_at_the_port_of_sessions_is_no_session,
    names_are_taken_up_by_a_reload,
    every_answer_says_what_browsers_may_do_with_it,
    a_token_opens_all_but_health_and_the_files_of_the_page,
    a_new_token_is_taken_up_by_a_reload,
    the_address_of_health_answers_health_and_metrics_alone,
);

/// What can be asked.
const PATHS: [&str; 8] = [
    "/",
    "/page/main.js",
    "/livez",
    "/metrics",
    "/routes.json",
    "/api/v1/peers",
    "/api/v1/live",
    "/nonsense",
];
/// Beside HTTP, however much of it there is.
const PROMPT: std::time::Duration =
    std::time::Duration::from_secs(if cfg!(debug_assertions) { 2 } else { 1 });

/// Asks under a name.
fn ask(http: SocketAddr, path: &str, host: &str) -> Answer {
    send(http, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// DNS rebinding: the browser asks under the name of the page that it has from elsewhere.
fn a_page_whose_name_resolves_to_the_reflector_reads_nothing(config: ReflectorConfig) {
    let _alone = alone();
    let (_reflector, peers, http) = start_with_http(config);
    let pair = Bystander::start(peers, 1);
    let rebound =
        ["evil.example", &format!("evil.example:{}", http.port()), "localhost.evil.example"];
    for _ in 0..20 {
        for path in PATHS {
            for host in rebound {
                let answer = ask(http, path, host);
                assert_eq!(answer.status, 421, "{path} {host}: {answer:?}");
                assert!(answer.json()["error"].as_str().unwrap().contains(host), "{answer:?}");
            }
        }
    }
    for good in ["localhost", "127.0.0.1:1", "[::1]", &http.to_string()] {
        assert_eq!(ask(http, "/metrics", good).status, 200, "{good}");
    }
    // Both of the names that a request may have, and no way around them.
    let raw = |request: &str| send(http, request).status;
    assert_eq!(raw("GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"), 421);
    assert_eq!(raw("GET /metrics HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(raw("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"), 400);
    assert_eq!(raw("GET /metrics HTTP/1.0\r\nHost: evil.example\r\n\r\n"), 421);
    assert_eq!(raw("GET /metrics HTTP/1.0\r\n\r\n"), 200, "no browser asks so");
    pair.end().expect_prompt(PROMPT);
}

/// A page may send requests anywhere, whether or not it may read the answers.
fn a_page_cannot_tell_the_reflector_what_to_do(config: ReflectorConfig) {
    let _alone = alone();
    let (reflector, peers, http) = start_with_http(config);
    let pair = Bystander::start(peers, 1);
    let victim = Client::establish(peers);
    let commands = ["reset?peer=1", "drain?rate=1000", "undrain", "log?level=trace", "handover"];
    let posed = [
        "",
        "Origin: http://evil.example\r\n",
        "X-HTTP-Method-Override: POST\r\n",
        "X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost\r\n",
        "Authorization: Bearer metalbond\r\n",
    ];
    for command in commands {
        for method in ["POST", "GET", "PUT", "OPTIONS"] {
            for header in posed {
                let answer = send(
                    http,
                    &format!(
                        "{method} /control/v1/{command} HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n"
                    ),
                );
                assert!([404, 405].contains(&answer.status), "{method} {command}: {answer:?}");
                assert!(!answer.head.contains("access-control-allow"), "{answer:?}");
            }
        }
    }
    for path in PATHS {
        let answer = request(http, "POST", path);
        assert!([404, 405].contains(&answer.status), "{path}: {answer:?}");
    }
    assert!(!reflector.inspector().is_draining());
    drop(victim);
    pair.end().expect_prompt(PROMPT);
}

/// A page may have a browser send a HELLO and routes to the port of sessions, as the body of a request.
fn http_at_the_port_of_sessions_is_no_session(config: ReflectorConfig) {
    use std::io::{Read as _, Write as _};
    let _alone = alone();
    let (_reflector, peers, http) = start_with_http(config);
    let pair = Bystander::start(peers, 1);
    let mut watcher = Client::establish(peers);
    watcher.subscribe(7);
    watcher.expect_end_of_table(7);
    let mut body = encode(&[Message::Hello(modern_hello()), Message::Keepalive]);
    body.extend(announcements(&routes(7, 0..10, 1)));
    for head in [
        "POST / HTTP/1.1",
        "PUT /x HTTP/1.1",
        "GET / HTTP/1.1",
        "PRI * HTTP/2.0",
        "CONNECT a:1 HTTP/1.1",
    ] {
        let mut socket = std::net::TcpStream::connect(peers).unwrap();
        socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
        let head = format!("{head}\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len());
        // It may be closed already.
        socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body)).ok();
        let mut said = Vec::new();
        socket.read_to_end(&mut said).ok();
        assert!(!said.starts_with(b"HTTP"), "it speaks with browsers");
    }
    let counters = get_json(http, "/api/v1/counters");
    assert_eq!(counters["now"]["established"], 3, "{counters}");
    assert_eq!(get_json(http, "/api/v1/vnis/7")["routes"], 0);
    pair.end().expect_prompt(PROMPT);
}

fn names_are_taken_up_by_a_reload(config: ReflectorConfig) {
    let http = Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    let config = ReflectorConfig { http, ..config };
    let reflector = Reflector::start(&config).unwrap();
    let http = reflector.http_addr().unwrap();
    assert_eq!(ask(http, "/livez", "rr1.example.net:8080").status, 421);
    let rules = HttpRules { hosts: vec!["rr1.example.net".parse().unwrap()], token_file: None };
    reflector.reload(&ReflectorConfig { http_rules: rules, ..config }).unwrap();
    assert_eq!(ask(http, "/livez", "RR1.example.net:8080").status, 200);
    assert_eq!(ask(http, "/livez", "rr2.example.net").status, 421);
}

fn every_answer_says_what_browsers_may_do_with_it(config: ReflectorConfig) {
    let (_reflector, _, http) = start_with_http(config);
    let mut answers: Vec<_> =
        PATHS.iter().filter(|path| **path != "/api/v1/live").map(|path| get(http, path)).collect();
    answers.push(request(http, "POST", "/metrics"));
    answers.push(ask(http, "/metrics", "evil.example"));
    answers.push(get(http, "/api/v1/peers?limit=no"));
    for answer in answers {
        for header in
            ["x-content-type-options: nosniff", "cross-origin-resource-policy: same-origin"]
        {
            assert_eq!(answer.head.matches(header).count(), 1, "{header}: {answer:?}");
        }
        // What is in the binary may be kept, and is asked for each time.
        let is_file = answer.head.contains("etag: ");
        let kept = if is_file { "no-cache" } else { "no-store" };
        assert!(answer.head.contains(&format!("cache-control: {kept}")), "{answer:?}");
    }
}

/// A file with a token, which goes with the test.
struct TokenFile(PathBuf);

impl TokenFile {
    fn new(token: &str) -> Self {
        static FILES: AtomicU32 = AtomicU32::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let name = format!("metalbond-entry-{}-{number}", std::process::id());
        let file = Self(std::env::temp_dir().join(name));
        file.write(token);
        file
    }

    fn write(&self, token: &str) {
        std::fs::write(&self.0, format!("{token}\n")).unwrap();
    }

    fn rules(&self) -> HttpRules {
        HttpRules { hosts: Vec::new(), token_file: Some(self.0.clone()) }
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// Asks with an `Authorization`; the status.
fn with(http: SocketAddr, path: &str, authorization: &str) -> u16 {
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    send(http, &format!("{head}Authorization: {authorization}\r\n\r\n")).status
}

fn a_token_opens_all_but_health_and_the_files_of_the_page(config: ReflectorConfig) {
    let file = TokenFile::new("correct-horse-battery");
    let _alone = alone();
    let (_reflector, peers, http) =
        start_with_http(ReflectorConfig { http_rules: file.rules(), ..config });
    let pair = Bystander::start(peers, 1);
    for path in ["/", "/page/main.js", "/livez", "/readyz", "/healthz", "/health"] {
        assert_eq!(get(http, path).status, 200, "{path}");
    }
    for path in [
        "/metrics",
        "/routes.json",
        "/routes.yaml",
        "/api/v1/peers",
        "/api/v1/live",
        "/nonsense",
        "/pages",
    ] {
        let answer = get(http, path);
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
        assert!(answer.head.contains("www-authenticate: bearer"), "{answer:?}");
        assert!(!answer.body.contains("correct"), "{answer:?}");
        for wrong in [
            "Bearer wrong-horse-battery",
            "Bearer",
            "Basic correct-horse-battery",
            "Bearer correct-horse-batteryy",
        ] {
            assert_eq!(with(http, path, wrong), 401, "{path} {wrong}");
        }
    }
    for path in ["/metrics", "/routes.json", "/api/v1/peers"] {
        assert_eq!(with(http, path, "Bearer correct-horse-battery"), 200, "{path}");
    }
    // A token makes no name right.
    assert_eq!(ask(http, "/", "evil.example").status, 421);
    pair.end().expect_prompt(PROMPT);
}

fn a_new_token_is_taken_up_by_a_reload(config: ReflectorConfig) {
    let file = TokenFile::new("the-first-of-two-tokens");
    let config = ReflectorConfig { http_rules: file.rules(), ..config };
    let (reflector, _, http) = start_with_http(config.clone());
    let is_open = |token: &str| with(http, "/metrics", &format!("Bearer {token}")) == 200;
    assert!(is_open("the-first-of-two-tokens"));
    file.write("the-second-of-two-tokens");
    assert!(is_open("the-first-of-two-tokens"), "nobody has said so");
    reflector.reload(&config).unwrap();
    assert!(!is_open("the-first-of-two-tokens") && is_open("the-second-of-two-tokens"));
    // What is no token changes nothing.
    file.write("short");
    let said =
        reflector.reload(&ReflectorConfig { max_peers: 1, ..config }).unwrap_err().to_string();
    assert!(said.starts_with("--http-token-file: ") && said.contains("openssl rand"), "{said}");
    assert!(is_open("the-second-of-two-tokens"));
    assert_ne!(reflector.inspector().in_force().config.max_peers, 1);
}

fn the_address_of_health_answers_health_and_metrics_alone(config: ReflectorConfig) {
    let file = TokenFile::new("correct-horse-battery");
    let health = Some(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    let config = ReflectorConfig { health, http_rules: file.rules(), ..config };
    let reflector = Reflector::start(&config).unwrap();
    assert_eq!(reflector.http_addr(), None);
    let health = reflector.health_addr().unwrap();
    let _peer = Client::establish(reflector.listen_addr());
    for path in ["/livez", "/readyz", "/healthz", "/health", "/metrics", "/metrics?peers=0"] {
        assert_eq!(get(health, path).status, 200, "{path}");
    }
    for path in [
        "/",
        "/page/main.js",
        "/routes.json",
        "/routes.yaml",
        "/api/v1/peers",
        "/api/v1/live",
        "/control/v1/drain",
    ] {
        assert_eq!(get(health, path).status, 404, "{path}");
    }
    // Peers have names.
    let answer = get(health, "/metrics?peers=1");
    assert!(answer.status == 404 && !answer.body.contains("metalbond_peer_"), "{answer:?}");
    assert_eq!(request(health, "POST", "/livez").status, 405);
    assert_eq!(ask(health, "/metrics", "evil.example").status, 421);
}
