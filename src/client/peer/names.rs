//! Looks up names of servers, beside all other work.
//!
//! The system's resolver blocks, for half a minute if its servers are silent, and cannot be interrupted. So each
//! look-up has a thread of its own, and neither the runtime nor the process waits for it when they end. [`UNDER_WAY`]
//! has one entry and one thread for each name that is being looked up, so there are never more threads than names of
//! servers.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::io::zoned;

/// How long an answer without a waiting caller is good for the next caller: about the longest pause between two
/// attempts. Without it a resolver slower than one attempt would be of no use.
const FRESH: Duration = Duration::from_secs(30);

/// The addresses of a name, with port 0. The error is text, since several callers may want it.
type Answer = Result<Vec<SocketAddr>, String>;

/// Look-ups by name.
static UNDER_WAY: Names = Names::new();

/// See [`UNDER_WAY`].
#[derive(Debug)]
struct Names(Mutex<BTreeMap<String, LookUp>>);

#[derive(Debug)]
enum LookUp {
    Running(watch::Receiver<Option<Arc<Answer>>>),
    /// Ended at this time, when no caller waited.
    Late(Arc<Answer>, Instant),
}

/// The addresses of `HOST:PORT`. Waits for as long as the resolver takes. A caller that stops waiting and asks
/// again waits for the same look-up.
pub(super) async fn look_up(address: &str) -> Answer {
    if let Some(address) = zoned(address) {
        return address.map(|address| vec![address]).map_err(|error| error.to_string());
    }
    if let Ok(address) = address.parse() {
        return Ok(vec![address]);
    }
    let (host, port) = address.rsplit_once(':').ok_or("there is no port")?;
    let port = port.parse().map_err(|_| "the port is not a number up to 65535")?;
    let mut found = UNDER_WAY.look_up(host, by_system).await?;
    found.iter_mut().for_each(|address| address.set_port(port));
    Ok(found)
}

fn by_system(host: &str) -> Answer {
    (host, 0).to_socket_addrs().map(Iterator::collect).map_err(|error| error.to_string())
}

impl Names {
    const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    async fn look_up(
        &'static self,
        host: &str,
        resolve: impl FnOnce(&str) -> Answer + Send + 'static,
    ) -> Answer {
        let mut running = match self.join(host, resolve) {
            Ok(LookUp::Running(running)) => running,
            Ok(LookUp::Late(answer, _)) => return Answer::clone(&answer),
            Err(error) => return Err(format!("cannot start a thread for the look-up: {error}")),
        };
        let ended = running.wait_for(Option::is_some).await.ok();
        let answer = ended.as_deref().and_then(Option::as_deref);
        answer.cloned().unwrap_or_else(|| Err("the look-up failed".to_owned()))
    }

    /// The look-up of a name: a running one, a recently ended one, or a new one.
    fn join(
        &'static self,
        host: &str,
        resolve: impl FnOnce(&str) -> Answer + Send + 'static,
    ) -> io::Result<LookUp> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match names.remove(host) {
            Some(LookUp::Late(answer, ended)) if ended.elapsed() < FRESH => {
                return Ok(LookUp::Late(answer, ended));
            }
            // A look-up whose thread has panicked has no sender.
            Some(LookUp::Running(running)) if running.has_changed().is_ok() => {
                names.insert(host.to_owned(), LookUp::Running(running.clone()));
                return Ok(LookUp::Running(running));
            }
            _ => {}
        }
        names.retain(
            |_, other| !matches!(other, LookUp::Late(_, ended) if ended.elapsed() >= FRESH),
        );
        let (done, running) = watch::channel(None);
        let name = host.to_owned();
        std::thread::Builder::new().name("resolver".into()).spawn(move || {
            let answer = Arc::new(resolve(&name));
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.remove(&name);
            // The entry is gone, so no caller can begin to wait for it any more.
            if done.receiver_count() == 0 {
                names.insert(name, LookUp::Late(answer, Instant::now()));
            } else {
                done.send_replace(Some(answer));
            }
        })?;
        names.insert(host.to_owned(), LookUp::Running(running.clone()));
        Ok(LookUp::Running(running))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use support::PATIENCE;
    use tokio::task::{JoinHandle, yield_now};
    use tokio::time::timeout;

    use super::*;

    fn address(text: &str) -> Answer {
        Ok(vec![text.parse().unwrap()])
    }

    /// Look-ups that hang until the test answers them.
    struct Scene {
        names: &'static Names,
        asked: Sender<Sender<Answer>>,
        questions: Receiver<Sender<Answer>>,
    }

    impl Scene {
        fn new() -> Self {
            let (asked, questions) = channel();
            Self { names: Box::leak(Box::new(Names::new())), asked, questions }
        }

        /// Asks; the returned task has begun to wait.
        async fn ask(&self, host: &'static str) -> JoinHandle<Answer> {
            let (names, asked) = (self.names, self.asked.clone());
            let task = tokio::spawn(names.look_up(host, move |_| {
                let (answer, answered) = channel();
                asked.send(answer).unwrap();
                answered.recv().unwrap()
            }));
            yield_now().await;
            task
        }

        /// The next look-up that has begun.
        fn question(&self) -> Sender<Answer> {
            self.questions.recv_timeout(PATIENCE).expect("a look-up")
        }
    }

    async fn end(task: JoinHandle<Answer>) -> Answer {
        timeout(PATIENCE, task).await.expect("an answer").unwrap()
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_at_a_time() {
        let scene = Scene::new();
        let (first, second) = (scene.ask("rr").await, scene.ask("rr").await);
        let question = scene.question();
        let other = scene.ask("other").await;
        scene.question().send(address("[::2]:0")).unwrap();
        assert_eq!(end(other).await, address("[::2]:0"));
        // A caller that gives up and asks again waits for the same look-up.
        first.abort();
        assert!(first.await.is_err());
        let third = scene.ask("rr").await;
        assert!(scene.questions.try_recv().is_err(), "one more look-up of the same name");
        question.send(address("[::1]:0")).unwrap();
        assert_eq!((end(second).await, end(third).await), (address("[::1]:0"), address("[::1]:0")));
        // An answer that a caller got is not kept.
        let fourth = scene.ask("rr").await;
        scene.question().send(Err("no such name".to_owned())).unwrap();
        assert_eq!(end(fourth).await, Err("no such name".to_owned()));
    }

    #[tokio::test]
    async fn a_late_answer_is_for_the_next_attempt() {
        let scene = Scene::new();
        let first = scene.ask("rr").await;
        let question = scene.question();
        first.abort();
        assert!(first.await.is_err());
        question.send(address("[::1]:0")).unwrap();
        let until = Instant::now() + PATIENCE;
        let is_late = || matches!(scene.names.0.lock().unwrap().get("rr"), Some(LookUp::Late(..)));
        while !is_late() {
            assert!(Instant::now() < until, "no answer was kept");
            std::thread::yield_now();
        }
        assert_eq!(end(scene.ask("rr").await).await, address("[::1]:0"));
        let next = scene.ask("rr").await;
        scene.question().send(address("[::3]:0")).unwrap();
        assert_eq!(end(next).await, address("[::3]:0"));
    }

    #[tokio::test]
    async fn a_look_up_that_fails_badly_is_begun_anew() {
        let scene = Scene::new();
        let first = scene.ask("rr").await;
        drop(scene.question());
        assert_eq!(end(first).await, Err("the look-up failed".to_owned()));
        let second = scene.ask("rr").await;
        scene.question().send(address("[::1]:0")).unwrap();
        assert_eq!(end(second).await, address("[::1]:0"));
    }
}
