//! Gathers changes under load, so that they go out together.

use bytes::Bytes;

use super::Link;
use super::envelope::FRAMES_MAX;
use crate::ids::Moment;
use crate::wire::Vni;

/// Bytes of gathered changes of all VNIs.
const GATHERED_MAX: usize = 256 * 1024;

/// VNIs with gathered changes, how many bytes these are, and when they are sent.
#[derive(Debug)]
pub(super) struct Gathered {
    vnis: Vec<Vni>,
    bytes: usize,
    until: Moment,
}

impl Gathered {
    pub(super) fn new(now: Moment) -> Self {
        Self { vnis: Vec::new(), bytes: 0, until: now }
    }
}

impl Link {
    /// Sends changes, at once while little happens, else together with those that follow.
    pub(super) fn gather(&mut self, vni: Vni, frames: &Bytes) {
        let Some(export) = self.exports.vnis.get_mut(&vni) else { return };
        let gathers = self.rate.gathers().filter(|_| self.frozen.is_none());
        if export.gathered.is_empty() && gathers.is_none() {
            return self.send_deltas(vni, frames.clone());
        }
        if export.gathered.is_empty() {
            self.exports.gathered.vnis.push(vni);
            if self.exports.gathered.vnis.len() == 1 {
                self.exports.gathered.until = self.now + gathers.unwrap_or_default();
            }
        }
        export.gathered.extend_from_slice(frames);
        self.exports.gathered.bytes += frames.len();
        if gathers.is_none() || export.gathered.len() >= FRAMES_MAX / 2 {
            self.flush(vni);
        }
    }

    /// When gathered changes are sent, if there are any.
    pub(super) fn gathered_until(&self) -> Option<Moment> {
        let Gathered { vnis, until, .. } = &self.exports.gathered;
        (!vnis.is_empty()).then_some(*until)
    }

    /// Sends the gathered changes of all VNIs if it is time to, or if they are many.
    pub(super) fn send_gathered(&mut self) {
        let Gathered { until, bytes, .. } = self.exports.gathered;
        if until <= self.now || bytes >= GATHERED_MAX {
            self.flush_all();
        }
    }

    /// Sends all gathered changes.
    pub(super) fn flush_all(&mut self) {
        let gathered = std::mem::take(&mut self.exports.gathered.vnis);
        gathered.into_iter().for_each(|vni| self.flush(vni));
    }

    /// Sends the gathered changes of a VNI: before anything that says which change is its latest.
    pub(super) fn flush(&mut self, vni: Vni) {
        let Some(export) = self.exports.vnis.get_mut(&vni) else { return };
        let frames = export.gathered.split().freeze();
        self.exports.gathered.bytes -= frames.len();
        if !frames.is_empty() {
            self.send_deltas(vni, frames);
        }
    }
}
