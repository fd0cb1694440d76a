//! [`Report`]: what a leaf says of the routes that it has.

use prost::Message as _;

use super::{Digest, Vni, WireError, proto};

/// The routes that a leaf has in one VNI. An extension: only for peers that advertise
/// [`Capabilities::REPORT`](super::Capabilities::REPORT).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Report {
    /// The VNI.
    pub vni: Vni,
    /// The routes that the leaf has from the receiver.
    pub routes: Digest,
    /// How many routes of all its servers the leaf's kernel has; `None` if the leaf writes no routes of the VNI to a
    /// kernel.
    pub installed: Option<Installed>,
}

/// The routes of one VNI and a leaf's kernel.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Installed {
    /// The number of routes that the kernel should have.
    pub wanted: u64,
    /// The number of these routes that it has.
    pub accepted: u64,
    /// The number of further routes that are not for the kernel: the leaf's configuration excludes them, their next hop
    /// cannot work, the leaf announces their network itself, or another VNI has the same destination in the same table.
    pub left_out: u64,
}

impl Report {
    /// Decodes the payload of a REPORT.
    pub(super) fn decode(payload: &[u8]) -> Result<Self, WireError> {
        let report = proto::Report::decode(payload).map_err(|_| WireError::Protobuf)?;
        let proto::Report { vni, routes, sum, installed } = report;
        Ok(Self {
            vni: Vni(vni),
            routes: Digest { routes, sum },
            installed: installed.map(|it| Installed {
                wanted: it.wanted,
                accepted: it.accepted,
                left_out: it.left_out,
            }),
        })
    }

    pub(super) fn to_proto(self) -> proto::Report {
        let Self { vni, routes: Digest { routes, sum }, installed } = self;
        let installed = installed.map(|it| proto::Installed {
            wanted: it.wanted,
            accepted: it.accepted,
            left_out: it.left_out,
        });
        proto::Report { vni: vni.0, routes, sum, installed }
    }
}
