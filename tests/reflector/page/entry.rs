//! A browser whose page comes from elsewhere, and one whose user must know a token.

use metalbond::admin::HttpRules;
use metalbond::io::IoChoice;
use support::browser::Browser;

use super::{Scene, on_page};
use crate::harness::http::start_with_http;
use crate::harness::{Client, ReflectorConfig, run};

on_page!(a_name_that_resolves_to_the_reflector_reads_nothing,);

/// The name of somebody else's page resolves to the address of the reflector.
fn a_name_that_resolves_to_the_reflector_reads_nothing(scene: &mut Scene) {
    let _peer = Client::establish(scene.peers);
    let port = scene.http.port();
    scene.browser.visit(&format!("http://rebound.test:{port}"), "/livez");
    let status = "fetch(PATH).then((answer) => answer.status)";
    for path in ["/api/v1/peers", "/metrics", "/routes.json", "/"] {
        let status = scene.browser.eval(&status.replace("PATH", &format!("'{path}'")));
        assert_eq!(status, 421, "{path}");
    }
    // Nor does a page of another origin read what the right name answers.
    let other =
        format!("fetch('http://[::1]:{port}/api/v1/peers').then(() => 'read', () => 'kept out')");
    assert_eq!(scene.browser.eval(&other), "kept out");
    let complaints = scene.browser.forgive();
    assert!(
        complaints
            .iter()
            .all(|it| it.contains("421") || it.contains("[::1]") || it.contains("CORS")),
        "{complaints:#?}"
    );
}

#[test]
fn the_page_asks_for_the_token_and_keeps_it() {
    let Some((_turn, browser)) = Browser::take_turn() else { return };
    let file = std::env::temp_dir().join(format!("metalbond-page-token-{}", std::process::id()));
    std::fs::write(&file, "correct-horse-battery\n").unwrap();
    run(IoChoice::Epoll, |config: ReflectorConfig| {
        let rules = HttpRules { hosts: Vec::new(), token_file: Some(file.clone()) };
        let (reflector, peers, http) =
            start_with_http(ReflectorConfig { http_rules: rules, ..config });
        let mut scene = Scene { reflector: Some(reflector), peers, http, browser };
        let _peer = Client::establish(scene.peers);
        scene.show("/#/peers");
        scene.browser.until_says("The server asks for a token.");
        let enter = |scene: &mut Scene, token: &str| {
            scene.browser.click("#token input");
            scene.browser.write(token);
            scene.browser.press("Enter");
        };
        enter(&mut scene, "wrong-horse-battery");
        scene.browser.until_says("The server does not take this token.");
        enter(&mut scene, "correct-horse-battery");
        scene.browser.until("live", "document.getElementById('link').innerText === 'live'");
        scene.browser.until("the peer", "document.querySelectorAll('tbody tr').length === 1");
        scene.browser.until("no form", "!document.getElementById('token')");
        let complaints = scene.browser.forgive();
        assert!(complaints.iter().all(|it| it.contains("401")), "{complaints:#?}");
        // The tab knows it from now on.
        scene.show("/#/events");
        scene.browser.until("live", "document.getElementById('link').innerText === 'live'");
        scene.browser.until_says("0 so far");
        let _other = Client::establish(scene.peers);
        scene.browser.until_row_says("established");
        scene.browser.expect_nothing_wrong();
    });
    std::fs::remove_file(file).unwrap();
}
