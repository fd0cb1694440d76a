//! Lists of VNIs as control messages hold them: ascending, each as the difference to the one before.

use crate::wire::Vni;

/// The differences between VNIs, which may come in any order.
pub(super) fn steps(vnis: impl IntoIterator<Item = Vni>) -> Vec<u32> {
    let mut vnis: Vec<u32> = vnis.into_iter().map(|vni| vni.0).collect();
    vnis.sort_unstable();
    let mut last = 0;
    for vni in &mut vnis {
        (*vni, last) = (*vni - last, *vni);
    }
    vnis
}

/// The VNIs that differences stand for. Ends where they would exceed the highest VNI.
pub(super) fn from_steps(steps: &[u32]) -> impl Iterator<Item = Vni> + '_ {
    let mut last = Some(0u32);
    steps.iter().map_while(move |step| {
        last = last?.checked_add(*step);
        last.map(Vni)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vnis_come_back_in_order() {
        let vnis = [9, 0, 4_294_967_295, 7].map(Vni);
        let steps = steps(vnis);
        let back: Vec<Vni> = from_steps(&steps).collect();
        assert_eq!(back, [0, 7, 9, 4_294_967_295].map(Vni));
    }

    #[test]
    fn what_goes_beyond_the_highest_ends_the_list() {
        assert_eq!(from_steps(&[5, u32::MAX, 1]).collect::<Vec<_>>(), [Vni(5)]);
    }
}
