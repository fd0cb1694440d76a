//! The control groups of the process: text in, paths out.

use std::path::Path;

/// A control group, by its path below the mount.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Group {
    V1(String),
    V2(String),
}

/// From `/proc/self/cgroup`: lines of `hierarchy:controllers:path`. Of version 1 only groups with this controller.
pub(super) fn groups(text: &str, controller: &str) -> Vec<Group> {
    let parse = |line: &str| {
        let (hierarchy, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        if hierarchy == "0" && controllers.is_empty() {
            return Some(Group::V2(path.to_owned()));
        }
        let has = controllers.split(',').any(|name| name == controller);
        has.then(|| Group::V1(path.to_owned()))
    };
    text.lines().filter_map(parse).collect()
}

/// The values of a group and of all groups above it, the group first. In a container the path may be the host's and not
/// exist here: then only the root is left, which is the container's own group.
pub(super) fn walk<T>(root: &str, path: &str, says: impl Fn(&Path) -> Option<T>) -> Vec<T> {
    let root = Path::new(root);
    let below = root.join(path.trim_start_matches('/'));
    let up = below.ancestors().take_while(|dir| dir.starts_with(root));
    up.filter_map(says).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_lines() {
        assert_eq!(
            groups("0::/system.slice/metalbond.service\n", "cpu"),
            [Group::V2("/system.slice/metalbond.service".into())]
        );
        let mixed = "12:cpu,cpuacct:/docker/ab:cd\n11:memory:/docker\n1:name=systemd:/x\n0::/\n";
        let root = Group::V2("/".into());
        assert_eq!(groups(mixed, "cpu"), [Group::V1("/docker/ab:cd".into()), root.clone()]);
        assert_eq!(groups(mixed, "memory"), [Group::V1("/docker".into()), root]);
        assert_eq!(groups("garbage\n\n1:cpu", "cpu"), []);
    }
}
