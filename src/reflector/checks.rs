//! What a shard asks the kernel about its connections once a second.

use super::driver::Core;
use crate::ids::Moment;

/// Asks the kernel about peers that seem to take nothing.
pub(super) fn check_stalled(core: &Core, now: Moment) {
    let stalled = core.shard.borrow().stalled(now);
    for slot in stalled {
        if let Some(tcp_info) = core.connection(slot).and_then(|connection| connection.tcp_info()) {
            core.shard.borrow_mut().acknowledged(now, slot, tcp_info.acked);
        }
    }
}

/// Asks the kernel about peers to which large packets may not get through.
pub(super) fn check_paths(core: &Core, now: Moment) {
    let unproven = core.shard.borrow().unproven_paths();
    for slot in unproven {
        let Some(connection) = core.connection(slot) else { continue };
        let (Some(tcp_info), Some(heard)) = (connection.tcp_info(), connection.heard()) else {
            continue;
        };
        let found = core.shard.borrow_mut().looked_at_path(now, slot, &tcp_info, heard);
        if let Some((peer, node)) = found {
            core.reporter.swallowed(peer, connection.remote, &node);
        }
    }
}
