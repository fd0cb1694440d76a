//! Numbers of a proxy for operators.

use crate::metrics::{Row, counted};

counted! {
    /// The numbers of VNIs, routes and changes that pass through a proxy.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct ProxyStatus {
        /// VNIs in which agents take part.
        vnis_used: u64 = Row::json("vnis_used")
            .gauge("metalbond_proxy_vnis_used", "VNIs in which agents announce or subscribe."),
        /// VNIs to which the proxy subscribes at reflectors.
        vnis_subscribed: u64 = Row::json("vnis_subscribed").gauge(
            "metalbond_proxy_vnis_subscribed",
            "VNIs that the proxy subscribes to at reflectors: while an agent needs the VNI, and for a \
             minute after.",
        ),
        /// Routes of reflectors in the tables of agents.
        routes_learned: u64 = Row::json("routes_learned").gauge(
            "metalbond_proxy_routes_learned",
            "Routes of reflectors in the tables that the proxy sends to agents.",
        ),
        /// Routes of agents that the proxy announces to reflectors.
        routes_announced: u64 = Row::json("routes_announced").gauge(
            "metalbond_proxy_routes_announced",
            "Routes of agents that the proxy announces to reflectors.",
        ),
        /// Changes of routes received from reflectors.
        changes_learned: u64 = Row::json("changes_learned").counter(
            "metalbond_proxy_changes_learned_total",
            "Changes of routes from reflectors; a change that several reflectors send counts once.",
        ),
        /// Changes of agents' routes.
        changes_announced: u64 = Row::json("changes_announced").counter(
            "metalbond_proxy_changes_announced_total",
            "Changes of agents' routes; a route that several agents announce counts once.",
        ),
        /// Changes that wait for the leaf.
        waiting: u64 = Row::json("waiting").gauge(
            "metalbond_proxy_waiting",
            "Changes of agents' routes and subscriptions that wait for the sessions with reflectors.",
        ),
        /// Times that too many changes waited, so that a VNI continued by a cursor.
        fell_behind: u64 = Row::json("fell_behind").counter(
            "metalbond_proxy_fell_behind_total",
            "Times that too many changes waited; the proxy then left further ones in the table of a VNI.",
        ),
    }
}
