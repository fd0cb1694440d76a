//! The end of a run.

use std::collections::{BTreeMap, BTreeSet};

use crate::Skip;

/// The number of skipped tests, the reasons, and the packages that would run them.
pub fn summary(skips: &[Skip]) -> String {
    let tests: BTreeSet<_> = skips.iter().map(|skip| &skip.test).collect();
    let mut text = match tests.len() {
        0 => return "SKIPPED: no test\n".to_owned(),
        1 => "SKIPPED: 1 test tested nothing, or not all\n".to_owned(),
        count => format!("SKIPPED: {count} tests tested nothing, or not all\n"),
    };
    let mut reasons = BTreeMap::<_, usize>::new();
    for skip in skips {
        *reasons.entry(skip.reason.as_str()).or_default() += 1;
    }
    for (reason, count) in reasons {
        text.push_str(&format!("{count:6}  {reason}\n"));
    }
    let packages = skips.iter().flat_map(|skip| skip.packages.split_whitespace());
    let packages: BTreeSet<_> = packages.collect();
    if !packages.is_empty() {
        let packages = packages.into_iter().collect::<Vec<_>>().join(" ");
        text.push_str(&format!("To run them, install the Debian packages: {packages}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(test: &str, reason: &str, packages: &str) -> Skip {
        Skip { test: test.into(), reason: reason.into(), packages: packages.into() }
    }

    #[test]
    fn tests_are_counted_once_and_by_reason() {
        assert_eq!(summary(&[]), "SKIPPED: no test\n");
        let skips = [
            skip("leaf a", "no ping", "iputils-ping"),
            skip("leaf b", "no ping", "iputils-ping"),
            skip("leaf b", "no qemu", "qemu-system-x86 iputils-ping"),
            skip("reflector a", "no io_uring", ""),
        ];
        let expected = "\
SKIPPED: 3 tests tested nothing, or not all
     1  no io_uring
     2  no ping
     1  no qemu
To run them, install the Debian packages: iputils-ping qemu-system-x86
";
        assert_eq!(summary(&skips), expected);
    }
}
