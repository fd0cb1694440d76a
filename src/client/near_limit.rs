//! What is logged of limits on routes.

use tracing::warn;

use super::core::NearLimit;
use crate::ids::Level;

/// Says that a limit on routes has come near, or has been reached.
pub(super) fn say(near: &NearLimit) {
    let NearLimit { vni, level, routes, most } = *near;
    let vni = vni.map(tracing::field::display);
    if level == Level::Reached {
        warn!(
            vni,
            routes,
            most,
            "the limit on routes has been reached (max-routes-per-vni, or without a VNI max-routes): what is there stays, \
             further routes are refused until there is room"
        );
    } else {
        warn!(
            vni,
            routes,
            most,
            "80 % of the limit on routes are in use (max-routes-per-vni, or without a VNI max-routes)"
        );
    }
}
