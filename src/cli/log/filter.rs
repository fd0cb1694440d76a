//! Reads `RUST_LOG`: filters of tracing-subscriber, and texts that are not such filters.
//!
//! tracing-subscriber takes a word that is not a level for the name of a module, and then logs nothing else: `warning`
//! would silence the log. So the variable counts only if a part of it concerns this program.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// What the names of this program's modules begin with.
const OWN: &str = "metalbond";

/// What the variable says, if it is set and not empty.
///
/// # Errors
/// A sentence about a variable that is not to be used.
pub(in crate::cli) fn of_environment() -> Result<Option<EnvFilter>, String> {
    match std::env::var_os(EnvFilter::DEFAULT_ENV) {
        // An empty variable is one that is not set, and no filter that lets errors alone pass.
        Some(value) if !value.is_empty() => {
            let text = value.to_str().ok_or_else(|| wrong("it is not UTF-8"))?;
            parse(text).map(Some)
        }
        _ => Ok(None),
    }
}

fn parse(text: &str) -> Result<EnvFilter, String> {
    let parts = || text.split(',').map(str::trim).filter(|part| !part.is_empty());
    for part in parts() {
        if part.parse::<Directive>().is_err() {
            return Err(wrong(&format!("{part:?} is not a filter")));
        }
    }
    if !parts().any(is_own) {
        return Err(wrong(&format!("{text:?} has no level and no module of {OWN}")));
    }
    let parts: Vec<_> = parts().collect();
    EnvFilter::try_new(parts.join(",")).map_err(|error| wrong(&error.to_string()))
}

/// Whether it is a level for all, or about a module of this program.
fn is_own(part: &str) -> bool {
    let module = part.split(['=', '[']).next().unwrap_or_default();
    let is_level = part.parse::<LevelFilter>().is_ok();
    is_level || (!module.is_empty() && (module.starts_with(OWN) || OWN.starts_with(module)))
}

fn wrong(what: &str) -> String {
    format!(
        "RUST_LOG is not used: {what}; give a level (error, warn, info, debug, trace, off), or modules \
         with a level each, such as info,metalbond::reflector=debug"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_about_this_program_are_used() {
        for text in [
            "info",
            "WARN",
            "off",
            "metalbond",
            "metalbond=debug",
            "info,metalbond::reflector=debug",
            "metalbond::reflector=debug",
            "hyper=debug, error",
            "info,",
        ] {
            assert!(parse(text).is_ok(), "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn what_would_silence_the_log_is_reported() {
        for text in [
            "warning",
            "error;info",
            "information",
            "hyper=debug",
            ",",
            "metalbond=warning",
            "a=b=c",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with("RUST_LOG is not used: "), "{text}: {error}");
        }
    }
}
