//! The log lines about limits on routes.

use tracing::warn;

use super::core::NearLimit;
use crate::ids::Level;

/// Logs that a limit on routes has come near, or has been reached.
pub(super) fn say(near: &NearLimit) {
    let NearLimit { vni, level, routes, most } = *near;
    let vni = vni.map(tracing::field::display);
    if level == Level::Reached {
        warn!(
            vni,
            routes,
            most,
            "the limit on routes has been reached (max-routes-per-vni if this line names a VNI, \
             else max-routes): the leaf keeps its routes and refuses further ones until there is \
             room"
        );
    } else {
        warn!(
            vni,
            routes,
            most,
            "80 % of the limit on routes are in use (max-routes-per-vni if this line names a VNI, \
             else max-routes)"
        );
    }
}
