//! Reads the values that identify a reflector from the text of `/metrics`.

use serde::Serialize;

/// The most bytes kept of a name.
const NAME_MAX: usize = 64;

/// The values in a reflector's answer; `None` for values missing there.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub(super) struct Told {
    version: Option<String>,
    io: Option<String>,
    shards: Option<u64>,
    established: Option<u64>,
    vnis: Option<u64>,
    routes: Option<u64>,
    subscriptions: Option<u64>,
    /// Subscriptions that are behind.
    behind: Option<u64>,
    slow_peers: Option<u64>,
    /// Seconds since 1970.
    sessions_since: Option<u64>,
}

/// Reads all values.
///
/// # Errors
/// A sentence, if the text is not a reflector's.
pub(super) fn read(text: &str) -> Result<Told, String> {
    let mut told = Told::default();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let number = || value.parse::<u64>().ok();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        match name {
            "metalbond_build_info" => told.version = label(labels, "version"),
            "metalbond_shards" if number().is_some_and(|shards| shards > 0) => {
                told.shards = number();
                told.io = label(labels, "io");
            }
            "metalbond_peers" if labels.contains("\"established\"") => told.established = number(),
            "metalbond_vnis" => told.vnis = number(),
            "metalbond_routes" => told.routes = number(),
            "metalbond_subscriptions" => told.subscriptions = number(),
            "metalbond_subscriptions_behind" => told.behind = number(),
            "metalbond_slow_peers" => told.slow_peers = number(),
            "metalbond_sessions_since_seconds" => told.sessions_since = number(),
            _ => {}
        }
    }
    // A leaf has no shards.
    if told.shards.is_some() {
        Ok(told)
    } else {
        Err("the process that answers there is not a reflector".into())
    }
}

/// The value of a label, for example `a` of `version="a"}`.
fn label(labels: &str, name: &str) -> Option<String> {
    let (_, rest) = labels.split_once(&format!("{name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.chars().take(NAME_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_reflector_is_said_not_to_be_one() {
        for text in [
            "",
            "nonsense",
            "\u{0}\n{\n} 1\n",
            "metalbond_build_info{version=\"1\"} 1\nmetalbond_routes 5\n",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_told() {
        let long = "v".repeat(999);
        let text = format!(
            "metalbond_build_info{{version=\"{long}\"}} 1\nmetalbond_shards{{io=\"epoll\"}} 2\n\
             metalbond_shards{{io=\"uring\"}} 0\nmetalbond_routes -1\nmetalbond_vnis 7 \n"
        );
        let told = read(&text).unwrap();
        assert_eq!(told.version.map(|version| version.len()), Some(NAME_MAX));
        assert_eq!((told.io.as_deref(), told.shards), (Some("epoll"), Some(2)));
        assert_eq!((told.routes, told.vnis), (None, None));
    }
}
