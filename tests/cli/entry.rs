//! Who is answered over HTTP, of both roles as processes.

use std::net::SocketAddr;

use support::http::{Answer, get, send};

use crate::ctl::Folder;
use crate::process::{BINARY, Process};

/// Both roles with these arguments, each with its HTTP and its health address.
fn both(arguments: &[&str]) -> Vec<(Process, SocketAddr, SocketAddr)> {
    let own = [&["--http", "[::1]:0", "--health", "[::1]:0"], arguments].concat();
    let server = Process::start(&own);
    server.logged("reflector started", '\n');
    let client = server.client(&own);
    let addressed = |process: Process| {
        let [http, health] =
            [" http=", " health="].map(|mark| process.logged(mark, ' ').parse().unwrap());
        (process, http, health)
    };
    vec![addressed(server), addressed(client)]
}

fn ask(http: SocketAddr, path: &str, header: &str) -> Answer {
    send(http, &format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{header}\r\n\r\n"))
}

#[test]
fn names_and_tokens_hold_for_both_roles_and_are_reloaded() {
    let folder = Folder::new();
    let token = folder.path("token");
    let write = |text: &str| std::fs::write(&token, text).unwrap();
    write("the-first-of-two-tokens\n");
    let arguments = ["--http-host", "rr1.example.net,rr1", "--http-token-file", &token];
    for (process, http, health) in both(&arguments) {
        write("the-first-of-two-tokens\n");
        assert_eq!(get(http, "/api/v1/vnis").status, 401);
        assert_eq!(get(http, "/livez").status, 200);
        assert_eq!(get(http, "/").status, 200);
        let with = |token: &str| {
            ask(http, "/metrics", &format!("Host: rr1\r\nAuthorization: Bearer {token}")).status
        };
        assert_eq!((with("the-first-of-two-tokens"), with("another-sort-of-token")), (200, 401));
        assert_eq!(ask(http, "/livez", "Host: rr2").status, 421);
        // Health has names as well, and no token.
        for path in ["/livez", "/metrics"] {
            assert_eq!(ask(health, path, "Host: rr1.example.net:80").status, 200);
            assert_eq!(ask(health, path, "Host: rr2").status, 421);
        }
        for path in ["/", "/api/v1/vnis", "/routes.json"] {
            assert_eq!(get(health, path).status, 404, "{path}");
        }
        write("the-second-of-two-tokens\n");
        process.signal("HUP");
        process.logged("reloaded the token", '\n');
        assert_eq!((with("the-first-of-two-tokens"), with("the-second-of-two-tokens")), (401, 200));
        write("none\n");
        process.signal("HUP");
        process.logged("not reloaded, everything stays as it was: --http-token-file", '\n');
        assert_eq!(with("the-second-of-two-tokens"), 200);
    }
}

#[test]
fn neither_starts_without_its_token() {
    for role in [&["server"][..], &["client", "--server", "[::1]:1"]] {
        let mut command = std::process::Command::new(BINARY);
        command.args(role).args(["--http", "[::1]:0", "--http-token-file", "/nowhere/token"]);
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains("--http-token-file: cannot read the HTTP token of /nowhere/token"),
            "{text}"
        );
    }
}
