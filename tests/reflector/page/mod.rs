//! The operator's page, in a real browser.

mod charts;
mod entry;
mod identity;
mod listings;
mod looks;
mod scale;
mod views;

use std::net::SocketAddr;

use metalbond::io::IoChoice;
use support::browser::Browser;

use crate::harness::http::start_with_http;
use crate::harness::{Reflector, ReflectorConfig, run};

/// A reflector, the browser that shows its page, and where peers connect.
#[derive(Debug)]
struct Scene {
    reflector: Option<Reflector>,
    peers: SocketAddr,
    http: SocketAddr,
    browser: Browser,
}

impl Scene {
    /// Shows a view.
    fn show(&mut self, path: &str) {
        self.browser.visit(&format!("http://{}", self.http), path);
    }
}

/// Makes a test of each script.
macro_rules! on_page {
    ($($(#[$about:meta])* $script:ident),* $(,)?) => {$(
        mod $script {
            #[test]
            $(#[$about])*
            fn chromium() {
                $crate::page::in_browser(super::$script);
            }
        }
    )*};
}
use on_page;

/// Runs a script where there is a browser. At its end nothing may have gone wrong in the page.
fn in_browser(script: impl FnOnce(&mut Scene)) {
    in_browser_with(|config| config, script);
}

/// The same with a reflector of other settings.
fn in_browser_with(
    adjust: impl FnOnce(ReflectorConfig) -> ReflectorConfig,
    script: impl FnOnce(&mut Scene),
) {
    let Some((_turn, browser)) = Browser::take_turn() else { return };
    run(IoChoice::Epoll, |config: ReflectorConfig| {
        let (reflector, peers, http) = start_with_http(adjust(config));
        let mut scene = Scene { reflector: Some(reflector), peers, http, browser };
        script(&mut scene);
        scene.browser.expect_nothing_wrong();
    });
}
