//! What the engine keeps a site from.

use std::path::Path;
use std::process::Command;

use crate::harness::{Client, Nats, Process, eventually, folder, route};

/// Permissions of two users, each held to the name of its site.
fn users(more: &str) -> String {
    let user = |name: &str| {
        format!(
            "{{ user: \"{name}\", {more} permissions: {{
                publish: [\"mb1.*.{name}\", \"mb1.*.{name}.*\", \"mb1.m.*.{name}\"]
                subscribe: [\"mb1.u.>\", \"mb1.a.*\", \"mb1.m.{name}.*\", \"_INBOX.{name}.>\"]
            }} }}"
        )
    };
    format!("authorization {{ users: [ {}, {} ] }}", user("fra1"), user("ber1"))
}

#[test]
fn a_site_cannot_speak_as_another() {
    support::log_to_output();
    let Some(mut nats) = Nats::start(&users("password: \"secret\",")) else { return };
    let port = nats.port();
    nats.set_url(format!("nats://fra1:secret@127.0.0.1:{port}"));
    let fra1 = Process::start(&nats, "fra1", &[]);
    // The user of ber1, with the name of fra2.
    nats.set_url(format!("nats://ber1:secret@127.0.0.1:{port}"));
    let impostor = Process::start(&nats, "fra2", &[]);
    let mut liar = Client::establish(impostor.address);
    liar.announce(&route(7, 66, 1));
    eventually("a refusal", || {
        impostor.federation()["error"].as_str().is_some_and(|error| error.contains("ermission"))
    });
    let ber1 = Process::start(&nats, "ber1", &[]);
    let mut announcer = Client::establish(ber1.address);
    announcer.announce(&route(7, 1, 1));
    let mut subscriber = Client::establish(fra1.address);
    subscriber.subscribe(7);
    subscriber.expect_view(&[route(7, 1, 1)]);
    assert!(fra1.seen("fra2").is_null(), "nobody has heard of it");
}

fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {output:?}");
}

/// An authority, and a certificate of it for each name.
fn certificates(folder: &Path, names: &[&str]) {
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem",
    );
    for name in names {
        let extensions = "subjectAltName=IP:127.0.0.1,DNS:localhost";
        std::fs::write(folder.join("extensions"), extensions).unwrap();
        openssl(
            folder,
            &format!(
                "req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out {name}.pem"
            ),
        );
    }
}

#[test]
fn sites_are_known_by_their_certificates() {
    if let Some(missing) = support::missing(&["openssl"]) {
        support::skip!(missing);
    }
    support::log_to_output();
    let folder = folder();
    certificates(&folder, &["server", "fra1", "ber1"]);
    let strangers = folder.join("strangers");
    std::fs::create_dir_all(&strangers).unwrap();
    certificates(&strangers, &["fra1"]);
    let path = |name: &str| folder.join(name).display().to_string();
    let tls = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify_and_map: true }}",
        path("server.pem"),
        path("server.key"),
        path("ca.pem"),
    );
    let users = users("").replace("user: \"", "user: \"CN=");
    let Some(mut nats) = Nats::start(&format!("{tls}\n{users}")) else { return };
    nats.set_url(format!("tls://127.0.0.1:{}", nats.port()));
    let with = |folder: &Path, name: &str| {
        let file = |name: String| folder.join(name).display().to_string();
        [
            format!("--federation-ca={}", path("ca.pem")),
            format!("--federation-certificate={}", file(format!("{name}.pem"))),
            format!("--federation-key={}", file(format!("{name}.key"))),
        ]
    };
    let start = |name: &str, options: &[String]| {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        Process::start(&nats, name, &options)
    };
    let fra1 = start("fra1", &with(&folder, "fra1"));
    let ber1 = start("ber1", &with(&folder, "ber1"));
    let mut announcer = Client::establish(ber1.address);
    announcer.announce(&route(7, 1, 1));
    let mut subscriber = Client::establish(fra1.address);
    subscriber.subscribe(7);
    subscriber.expect_view(&[route(7, 1, 1)]);
    // Of another authority, and without any.
    let stranger = start("fra3", &with(&strangers, "fra1"));
    let nobody = start("fra4", &[format!("--federation-ca={}", path("ca.pem"))]);
    for site in [&stranger, &nobody] {
        eventually("a refusal", || site.federation()["error"].is_string());
        assert_eq!(site.federation()["is_connected"], false);
    }
    drop(std::fs::remove_dir_all(&folder));
}
