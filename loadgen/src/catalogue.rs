//! The routes that a run is about, as who receives them needs to know them: numbers from 0.
//!
//! A [`Plan`] computes the number of a route from its bytes. The routes of a recording are any, so a [`List`] looks
//! them up by their bytes. What both say of the payload of an UPDATE is the same.

use std::collections::HashMap;
use std::sync::Arc;

use metalbond::wire::{
    Action, Destination, NextHop, Update, Vni, decode_update, encode_update, split,
};

use crate::plan::Plan;

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) enum Catalogue {
    /// The routes of a plan.
    Plan(Plan),
    /// The routes of a list.
    List(Arc<List>),
}

impl From<Plan> for Catalogue {
    fn from(plan: Plan) -> Self {
        Self::Plan(plan)
    }
}

impl Catalogue {
    /// Number of routes.
    pub(crate) fn len(&self) -> u32 {
        match self {
            Self::Plan(plan) => plan.routes,
            Self::List(list) => list.len(),
        }
    }

    /// The route in the payload of an UPDATE; `None` for the route when it is not in the catalogue, `None` altogether
    /// when the payload is no UPDATE.
    #[inline]
    pub(crate) fn recognise(&self, payload: &[u8]) -> Option<(Action, Option<u32>)> {
        match self {
            Self::Plan(plan) => plan.recognise(payload),
            Self::List(list) => list.recognise(payload),
        }
    }
}

/// Routes with numbers in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Numbers by the payload of the ADD.
    numbers: HashMap<Box<[u8]>, u32>,
}

impl List {
    /// Number of routes.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.numbers.len()).unwrap_or(u32::MAX)
    }

    /// Adds a route unless it is there; returns its number.
    pub(crate) fn add(&mut self, route: &ListedRoute) -> u32 {
        let next = self.len();
        let payload = route.payload(Action::Add);
        // A large table should not be copied for a route that is there already.
        match self.numbers.get(&payload[..]) {
            Some(number) => *number,
            None => {
                self.numbers.insert(payload.into(), next);
                next
            }
        }
    }

    /// The number of a route, if it was added.
    pub(crate) fn number(&self, route: &ListedRoute) -> Option<u32> {
        self.numbers.get(&route.payload(Action::Add)[..]).copied()
    }

    fn recognise(&self, payload: &[u8]) -> Option<(Action, Option<u32>)> {
        let (action, rest) = match payload {
            [0x08, 1, rest @ ..] => (Action::Remove, rest),
            _ => (Action::Add, payload),
        };
        if let Some(number) = self.numbers.get(rest) {
            return Some((action, Some(*number)));
        }
        // A server may encode the same route differently.
        let Update { action, vni, destination, next_hop } = decode_update(payload).ok()?;
        Some((action, self.number(&ListedRoute { vni, destination, next_hop })))
    }
}

/// A route of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ListedRoute {
    pub(crate) vni: Vni,
    pub(crate) destination: Destination,
    pub(crate) next_hop: NextHop,
}

impl ListedRoute {
    /// Appends the frame that announces or withdraws it.
    pub(crate) fn frame(&self, out: &mut Vec<u8>, action: Action) {
        encode_update(out, action, self.vni, &self.destination, &self.next_hop);
    }

    fn payload(&self, action: Action) -> Vec<u8> {
        let mut frame = Vec::with_capacity(64);
        self.frame(&mut frame, action);
        match split(&frame) {
            Ok(Some(frame)) => frame.payload.to_vec(),
            _ => Vec::new(), // never happens: the frame was encoded here
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(vni: u32, destination: &str, hop: &str) -> ListedRoute {
        let next_hop = NextHop::standard(hop.parse().unwrap());
        ListedRoute { vni: Vni(vni), destination: destination.parse().unwrap(), next_hop }
    }

    #[test]
    fn a_listed_route_is_its_number_again() {
        let mut list = List::default();
        let routes = [
            route(7, "10.0.0.0/8", "2001:db8::1"),
            route(7, "10.0.0.0/8", "2001:db8::2"),
            route(8, "2001:db8:1::/48", "2001:db8::1"),
        ];
        let numbers: Vec<_> = routes.iter().map(|route| list.add(route)).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!((list.add(&routes[1]), list.len()), (1, 3));
        for (number, route) in (0..).zip(&routes) {
            for action in [Action::Add, Action::Remove] {
                let payload = route.payload(action);
                assert_eq!(payload.starts_with(&[0x08, 1]), action == Action::Remove);
                assert_eq!(list.recognise(&payload), Some((action, Some(number))));
                // The same payload with a field that this version does not know.
                let longer = [&payload[..], &[0x78, 1]].concat();
                assert_eq!(list.recognise(&longer), Some((action, Some(number))));
            }
        }
        let other = route(9, "10.0.0.0/8", "2001:db8::1").payload(Action::Add);
        assert_eq!(list.recognise(&other), Some((Action::Add, None)));
        assert_eq!(list.recognise(&[0xff]), None);
    }
}
