//! The operations of [`super::ops`], drawn at random.

use proptest::collection::vec;
use proptest::prelude::*;

use super::ops::{bounds, decode, run};
use crate::fuzzing::{Code, Head};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_written_is_exact(
        bounds in any::<Head>().prop_map(bounds),
        ops in vec(any::<Code>().prop_map(decode), 1..200),
    ) {
        run(bounds, ops);
    }
}
