//! Two well-behaved peers that exchange routes and must notice nothing of what others do.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Client, Route, route};

/// Longer than an exchange of one route takes, even on a machine that is busy with other tests.
const PROMPT: Duration = Duration::from_secs(5);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Bystanders {
    pub(crate) publisher: Client,
    pub(crate) subscriber: Client,
    vni: u32,
    next: u32,
}

impl Bystanders {
    pub(crate) fn new(address: SocketAddr, vni: u32) -> Self {
        let mut subscriber = Client::establish(address);
        subscriber.subscribe(vni);
        subscriber.expect_end_of_table(vni);
        Self { publisher: Client::establish(address), subscriber, vni, next: 1 << 20 }
    }

    /// One route comes, and the one before goes; the subscriber has this one and `others`, exactly.
    pub(crate) fn exchange(&mut self, others: &[Route]) {
        let began = Instant::now();
        let route = route(self.vni, self.next, 0xb);
        self.next += 1;
        self.publisher.announce(&route);
        self.subscriber.expect_view(others.iter().chain([&route]));
        self.publisher.withdraw(&route);
        self.subscriber.expect_view(others);
        assert!(began.elapsed() < PROMPT, "bystanders waited for {:?}", began.elapsed());
    }
}
