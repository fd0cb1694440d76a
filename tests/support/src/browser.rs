//! A headless Chromium, driven through a pipe by the DevTools protocol.
//!
//! Whatever a page complains about and whatever it asks of anybody but its own server is kept, and
//! must be nothing at the end ([`Browser::expect_nothing_wrong`]). The browser and its children are
//! killed when it is dropped.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::run::build_folder;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

/// `rebound.test` stands for a name whose owner makes it resolve to this machine.
const START: &str = "exec chromium --headless=new --no-sandbox --disable-gpu \
    --disable-dev-shm-usage --no-first-run --disable-breakpad --disable-background-networking \
    --disable-component-update --disable-sync --hide-scrollbars --user-data-dir=\"$1\" \
    --host-resolver-rules=\"MAP rebound.test [::1]\" --remote-debugging-pipe about:blank 3<&0 4>&1 >/dev/null 2>&1";

/// The texts that lack the contrast demanded by WCAG; empty when all have it.
pub const CONTRAST: &str = r#"(() => {
    const parts = (color) => color.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const back = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const color = parts(getComputedStyle(at).backgroundColor);
            if (color.length === 3 || color[3] === 1) return color;
        }
    };
    const wrong = [];
    for (const node of document.querySelectorAll('body *')) {
        const isText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!isText || !node.checkVisibility() || node.closest('svg, [aria-disabled], .unseen')) continue;
        const [one, two] = [light(parts(getComputedStyle(node).color)), light(back(node))];
        const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
        if (ratio < 4.5) wrong.push(`${ratio.toFixed(2)}: ${node.innerText}`);
    }
    return wrong.join("\n");
})()"#;

/// See the module's documentation.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    profile: PathBuf,
    input: ChildStdin,
    answers: Receiver<Value>,
    asked: u64,
    session: Option<String>,
    /// The server of the present page.
    origin: String,
    complaints: Vec<String>,
}

impl Browser {
    /// A browser, for as long as the guard is kept: one at a time, since several would only wait
    /// for each other. `None`, and the test is skipped, without Chromium.
    pub fn take_turn() -> Option<(MutexGuard<'static, ()>, Self)> {
        if let Some(missing) = crate::missing(&["chromium"]) {
            crate::skip!(missing);
        }
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Some((turn, Self::open()))
    }

    fn open() -> Self {
        static OPENED: AtomicU32 = AtomicU32::new(0);
        let number = OPENED.fetch_add(1, Ordering::Relaxed);
        let name = format!("metalbond-browser-{}-{number}", std::process::id());
        let profile = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&profile).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", START, "sh"]).arg(&profile).env("HOME", &profile);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(output).split(0) {
                let Ok(message) = message else { return };
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            profile,
            input,
            answers,
            asked: 0,
            session: None,
            origin: String::new(),
            complaints: Vec::new(),
        };
        browser.attach();
        browser
    }

    fn attach(&mut self) {
        let target = self.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", attach);
        self.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        self.size(1280, 900);
        self.prefer("light");
    }

    /// Sends the browser a command.
    #[track_caller]
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let id = self.asked;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.answers.recv_timeout(left);
            let answer = answer.unwrap_or_else(|error| panic!("{method}: {error}"));
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.note(&answer);
        }
    }

    /// Keeps events that a page should not cause.
    fn note(&mut self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => params["exceptionDetails"].to_string(),
            "Runtime.consoleAPICalled" if params["type"] == "error" => params["args"].to_string(),
            "Log.entryAdded" => params["entry"].to_string(),
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap();
                if url.starts_with(&self.origin) || url == "about:blank" {
                    return;
                }
                format!("asked for {url}")
            }
            "Page.javascriptDialogOpening" => "a dialogue".to_owned(),
            _ => return,
        };
        self.complaints.push(complaint);
    }

    /// Goes to a page of a server, for example `http://[::1]:80` and `/#/peers`, or `about:blank`.
    pub fn visit(&mut self, origin: &str, path: &str) {
        origin.clone_into(&mut self.origin);
        // Loads a new document, even if only the part after the # differs.
        self.call("Page.navigate", json!({"url": "about:blank"}));
        self.call("Page.navigate", json!({"url": format!("{origin}{path}")}));
        self.until("the document", "document.readyState === 'complete'");
    }

    /// The value of an expression in the page.
    #[track_caller]
    pub fn eval(&mut self, script: &str) -> Value {
        let ask = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", ask);
        assert!(answer["exceptionDetails"].is_null(), "{script}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub fn until(&mut self, what: &str, script: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.eval(&format!("Boolean({script})")) != true {
            if Instant::now() > deadline {
                let text = self.eval("document.body.innerText");
                panic!("not within {PATIENCE:?}: {what}: {script}; the page says {text}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the page contains a text.
    #[track_caller]
    pub fn until_says(&mut self, text: &str) {
        let script = format!("document.body.innerText.includes({})", json!(text));
        self.until(&format!("{text:?}"), &script);
    }

    /// Waits until a row of a table contains a text.
    #[track_caller]
    pub fn until_row_says(&mut self, text: &str) {
        let rows = "[...document.querySelectorAll('tbody tr')]";
        let script = format!("{rows}.some((row) => row.innerText.includes({}))", json!(text));
        self.until(&format!("a row with {text:?}"), &script);
    }

    /// Waits for an element and clicks in the middle of it.
    #[track_caller]
    pub fn click(&mut self, selector: &str) {
        let element = format!("document.querySelector({})", json!(selector));
        self.until(selector, &element);
        let middle = self.eval(&format!(
            "{element}.scrollIntoView({{block: 'center'}}), (({{x, y, width, height}}) =>
             [x + width / 2, y + height / 2])({element}.getBoundingClientRect())"
        ));
        for r#type in ["mousePressed", "mouseReleased"] {
            let (x, y) = (&middle[0], &middle[1]);
            let event = json!({"type": r#type, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Types into the element that has the focus.
    pub fn write(&mut self, text: &str) {
        self.call("Input.insertText", json!({"text": text}));
    }

    /// Presses a key, for example `Enter`.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            "End" => (35, ""),
            "Home" => (36, ""),
            "ArrowLeft" => (37, ""),
            "ArrowRight" => (39, ""),
            _ => (0, key),
        };
        for r#type in ["keyDown", "keyUp"] {
            let event = json!({
                "type": r#type, "key": key, "code": key, "windowsVirtualKeyCode": code,
                "text": if r#type == "keyDown" { text } else { "" },
            });
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Sets the system's preferred scheme: `light` or `dark`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Sets the size of the window in CSS pixels.
    pub fn size(&mut self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// Saves a PNG of the page in the build's folder of temporary files, for people.
    pub fn picture(&mut self, name: &str) -> PathBuf {
        let answer = self.call("Page.captureScreenshot", json!({"format": "png"}));
        let path = build_folder().join(format!("page-{name}.png"));
        std::fs::write(&path, base64(answer["data"].as_str().unwrap())).unwrap();
        path
    }

    /// Panics if the page has sent requests to another server, or had errors.
    #[track_caller]
    pub fn expect_nothing_wrong(&mut self) {
        // The answer to this comes after all earlier events.
        self.eval("1");
        assert!(self.complaints.is_empty(), "{:#?}", self.complaints);
    }

    /// The complaints so far, which are forgotten.
    pub fn forgive(&mut self) -> Vec<String> {
        self.eval("1");
        std::mem::take(&mut self.complaints)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.child.id())
            && let Some(group) = Pid::from_raw(id)
        {
            // It may have ended already.
            kill_process_group(group, Signal::KILL).ok();
        }
        self.child.wait().ok();
        // Killed children may still have files open.
        let deadline = Instant::now() + Duration::from_secs(5);
        while std::fs::remove_dir_all(&self.profile).is_err() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The bytes of a text in base 64.
fn base64(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|digit| *digit != b'=').map(value).collect();
    let mut bytes = Vec::new();
    for four in digits.chunks(4) {
        let bits = four.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let whole = bits << (6 * (4 - four.len()));
        bytes.extend_from_slice(&whole.to_be_bytes()[1..four.len()]);
    }
    bytes
}
