//! The operations of [`super::ops`], drawn at random.

use proptest::collection::vec;
use proptest::prelude::*;

use super::ops::{bounds, decode, run};
use crate::fuzzing::{Code, Head};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn views_are_exact(
        bounds in any::<Head>().prop_map(bounds),
        ops in vec(any::<Code>().prop_map(decode), 1..150),
    ) {
        run(bounds, ops);
    }
}
