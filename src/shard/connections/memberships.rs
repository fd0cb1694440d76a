//! The VNIs in which one peer takes part, as the shard of its connection knows them.

use super::rare::RareQueue;
use super::vni_map::VniMap;
use crate::session::CloseReason;
use crate::wire::Vni;

/// The place of a subscription that there is not.
const NOWHERE: u32 = u32::MAX;

/// A peer's part in one VNI. A peer may have thousands, so it takes 20 bytes.
#[derive(Debug)]
struct Membership {
    /// Place in the VNI's list of local subscribers, and the subscription's number; [`NOWHERE`] without a subscription.
    subscription: (u32, u32),
    /// Routes that the peer announces in the VNI, by the owner's last count.
    routes: u32,
    /// A number that no other entry has, and that every update of this entry changes.
    version: u32,
    /// The peer has subscribed, and the policy refuses the subscription.
    is_refused: bool,
    /// Whether the VNI is in [`Memberships::unused`].
    is_listed: bool,
}

impl Default for Membership {
    fn default() -> Self {
        let subscription = (NOWHERE, 0);
        Self { subscription, routes: 0, version: 0, is_refused: false, is_listed: false }
    }
}

impl Membership {
    fn subscription(&self) -> Option<(u32, u32)> {
        self.subscribes().then_some(self.subscription)
    }

    fn subscribes(&self) -> bool {
        self.subscription.0 != NOWHERE
    }

    /// Whether the peer takes part, as far as its shard knows.
    fn is_used(&self) -> bool {
        self.subscribes() || self.is_refused || self.routes > 0
    }
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(in crate::shard) struct Memberships {
    vnis: VniMap<Membership>,
    /// The number of VNIs that the peer takes part in, as far as its shard knows; the limit bounds this number.
    used: u32,
    /// VNIs that the peer may have left; some may have no entry any more.
    unused: RareQueue<Vni>,
    /// The latest version of any entry in `vnis`.
    version: u32,
    subscriptions: u32,
    /// Numbers subscriptions, so that a late chunk of an ended one is recognised.
    next_subscription: u32,
    /// Routes that the peer announces, as the owners of the VNIs count them.
    routes: i64,
}

impl Memberships {
    /// Whether the peer may take part in a VNI already.
    pub(in crate::shard) fn knows(&self, vni: Vni) -> bool {
        self.vnis.get(vni).is_some()
    }

    /// Notes that an ADD or a REMOVE for a VNI goes to its owner; `false` for a REMOVE in a VNI without an entry.
    pub(in crate::shard) fn touch(
        &mut self,
        vni: Vni,
        adds: bool,
        max: u64,
    ) -> Result<bool, CloseReason> {
        if self.vnis.get(vni).is_none() {
            if !adds {
                return Ok(false);
            }
            if u64::from(self.used) >= max {
                return Err(CloseReason::MaxSubscriptions(max));
            }
        }
        self.version = self.version.wrapping_add(1);
        let entry = self.vnis.or_default(vni);
        entry.version = self.version;
        list_unused(&mut self.unused, vni, entry);
        Ok(true)
    }

    /// Begins a subscription with this place in the list of the VNI's local subscribers, and returns its number;
    /// `None` when the peer has a subscription already.
    pub(in crate::shard) fn subscribe(
        &mut self,
        vni: Vni,
        place: u32,
        max: u64,
    ) -> Result<Option<u32>, CloseReason> {
        let is_used = self.vnis.get(vni).is_some_and(Membership::is_used);
        if !is_used && u64::from(self.used) >= max {
            return Err(CloseReason::MaxSubscriptions(max));
        }
        let entry = self.vnis.or_default(vni);
        if entry.subscribes() {
            return Ok(None);
        }
        let id = self.next_subscription;
        entry.subscription = (place, id);
        entry.is_refused = false;
        self.used += u32::from(!is_used);
        self.subscriptions += 1;
        self.next_subscription += 1;
        Ok(Some(id))
    }

    /// Notes a subscription that the policy refuses.
    pub(in crate::shard) fn refuse(&mut self, vni: Vni, max: u64) -> Result<(), CloseReason> {
        let is_used = self.vnis.get(vni).is_some_and(Membership::is_used);
        if !is_used && u64::from(self.used) >= max {
            return Err(CloseReason::MaxSubscriptions(max));
        }
        let entry = self.vnis.or_default(vni);
        entry.is_refused = !entry.subscribes();
        self.used += u32::from(!is_used && entry.is_refused);
        Ok(())
    }

    /// Forgets that a subscription is refused; `false` when none was.
    pub(in crate::shard) fn no_longer_refused(&mut self, vni: Vni) -> bool {
        let Some(entry) = self.vnis.get_mut(vni).filter(|entry| entry.is_refused) else {
            return false;
        };
        entry.is_refused = false;
        if !entry.is_used() {
            self.used -= 1;
            list_unused(&mut self.unused, vni, entry);
        }
        true
    }

    /// Ends a refused subscription and everything else that the peer has in the VNI; `false` when there was none.
    pub(in crate::shard) fn end_refused(&mut self, vni: Vni) -> bool {
        let is_refused = self.is_refused(vni);
        if is_refused {
            self.vnis.remove(vni);
            self.used -= 1;
        }
        is_refused
    }

    /// Whether the peer's subscription to a VNI is refused.
    pub(in crate::shard) fn is_refused(&self, vni: Vni) -> bool {
        self.vnis.get(vni).is_some_and(|entry| entry.is_refused)
    }

    /// VNIs of refused subscriptions, in ascending order.
    pub(in crate::shard) fn refused(&self) -> impl Iterator<Item = Vni> {
        self.vnis.iter().filter(|(_, entry)| entry.is_refused).map(|(vni, _)| vni)
    }

    /// Ends a subscription and the peer's other part in the VNI. Returns its place; `None` without a subscription.
    pub(in crate::shard) fn unsubscribe(&mut self, vni: Vni) -> Option<u32> {
        let (place, _) = self.vnis.get(vni)?.subscription()?;
        self.vnis.remove(vni);
        self.used -= 1;
        self.subscriptions -= 1;
        Some(place)
    }

    /// A subscription's place in the list of the VNI's local subscribers, and its number.
    pub(in crate::shard) fn subscription(&self, vni: Vni) -> Option<(u32, u32)> {
        self.vnis.get(vni)?.subscription()
    }

    /// Whether a subscription's number is that of the present subscription.
    pub(in crate::shard) fn is_current(&self, vni: Vni, id: u32) -> bool {
        self.subscription(vni).is_some_and(|(_, current)| current == id)
    }

    /// Gives a subscription another place in the list of the VNI's local subscribers.
    pub(in crate::shard) fn set_place(&mut self, vni: Vni, place: u32) {
        if let Some(entry) = self.vnis.get_mut(vni).filter(|entry| entry.subscribes()) {
            entry.subscription.0 = place;
        }
    }

    /// How many subscriptions there are.
    pub(in crate::shard) fn subscriptions(&self) -> u64 {
        self.subscriptions.into()
    }

    /// Routes that the peer announces, as owners have counted them.
    pub(in crate::shard) fn routes(&self) -> i64 {
        self.routes
    }

    /// The same without the routes of one VNI: for that VNI the owner's count is more recent, because its answers to
    /// earlier requests may still be on their way.
    pub(in crate::shard) fn routes_outside(&self, vni: Vni) -> i64 {
        self.routes - self.vnis.get(vni).map_or(0, |entry| i64::from(entry.routes))
    }

    /// The VNIs from a given VNI on, in ascending order.
    pub(in crate::shard) fn vnis_from(&self, from: Vni) -> impl Iterator<Item = Vni> {
        self.vnis.keys_from(from)
    }

    /// Removes all entries. Returns each VNI with the subscription's place, in ascending order.
    pub(in crate::shard) fn take(&mut self) -> impl Iterator<Item = (Vni, Option<u32>)> + use<> {
        let place = |entry: Membership| entry.subscription().map(|(place, _)| place);
        self.vnis.take().map(move |(vni, entry)| (vni, place(entry)))
    }

    /// Gives back unused memory.
    pub(in crate::shard) fn rest(&mut self) {
        self.unused.rest();
    }

    /// The VNIs in which the peer takes part: whether it subscribes, whether the policy refuses the subscription, and
    /// the number of routes that it announces.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Vni, bool, bool, u32)> {
        self.vnis
            .iter()
            .map(|(vni, entry)| (vni, entry.subscribes(), entry.is_refused, entry.routes))
    }

    /// Adds a VNI in which the peer took part elsewhere. Returns the number of its subscription, if it subscribes.
    /// The peer must not take part in the VNI here already.
    pub(super) fn join(&mut self, vni: Vni, subscribes: bool, routes: u32) -> Option<u32> {
        let entry = self.vnis.or_default(vni);
        entry.routes = routes;
        self.routes += i64::from(routes);
        if subscribes {
            entry.subscription = (0, self.next_subscription);
            self.next_subscription += 1;
            self.subscriptions += 1;
        }
        let id = entry.subscription().map(|(_, id)| id);
        self.used += u32::from(entry.is_used());
        list_unused(&mut self.unused, vni, entry);
        id
    }

    /// All subscriptions, each with its place in the list of the VNI's local subscribers and its number.
    pub(in crate::shard) fn subscriptions_mut(
        &mut self,
    ) -> impl Iterator<Item = (Vni, &mut (u32, u32))> {
        let entries = self.vnis.iter_mut().filter(|(_, entry)| entry.subscribes());
        entries.map(|(vni, entry)| (vni, &mut entry.subscription))
    }

    /// Takes the owner's count of the peer's routes in a VNI, and the change of that count.
    pub(in crate::shard) fn counted(&mut self, vni: Vni, routes: u32, change: i64) {
        self.routes += change;
        let Some(entry) = self.vnis.get_mut(vni) else { return };
        let was_used = entry.is_used();
        entry.routes = routes;
        self.used = self.used + u32::from(entry.is_used()) - u32::from(was_used);
        list_unused(&mut self.unused, vni, entry);
    }

    /// The number of VNIs in which the peer takes part, as far as its shard knows.
    pub(in crate::shard) fn used_vnis(&self) -> u64 {
        self.used.into()
    }

    /// The next VNI that the peer may have left, with its version, if there are more than `kept` such VNIs.
    pub(in crate::shard) fn next_unused(&mut self, kept: usize) -> Option<(Vni, u32)> {
        while self.unused.len() > kept {
            let vni = self.unused.pop_front()?;
            if let Some(entry) = self.vnis.get_mut(vni) {
                entry.is_listed = false;
                if !entry.is_used() {
                    return Some((vni, entry.version));
                }
            }
        }
        None
    }

    /// The owner has answered that the peer takes no part in a VNI any more, as of a version.
    pub(in crate::shard) fn left(&mut self, vni: Vni, version: u32) {
        let Some(entry) = self.vnis.get_mut(vni) else { return };
        if entry.version == version && !entry.is_used() {
            self.vnis.remove(vni);
        } else {
            list_unused(&mut self.unused, vni, entry); // there were updates under way
        }
    }
}

/// Lists an entry that may be unused.
fn list_unused(unused: &mut RareQueue<Vni>, vni: Vni, entry: &mut Membership) {
    if !entry.is_used() && !entry.is_listed {
        entry.is_listed = true;
        unused.push_back(vni);
    }
}
