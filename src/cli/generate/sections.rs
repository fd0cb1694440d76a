//! What manual pages say beside options: how a command ends, and what it goes by from outside.
//!
//! Each thing is said once here, for all pages that have it.

use std::borrow::Cow;

use clap::Command;

use crate::cli::role::takes_empty;

/// A section of a manual page.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: &'static str,
    /// What, and what is said of it.
    pub(super) entries: Vec<Entry>,
}

type Entry = (Cow<'static, str>, Cow<'static, str>);
type Entries = &'static [(&'static str, &'static str)];

/// What a page is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Subject {
    Server,
    Client,
    Proxy,
    /// As a whole, or `dump`.
    Ctl,
    /// Another of its subcommands.
    CtlOther,
}

const NOT_UNDERSTOOD: (&str, &str) =
    ("2", "The command line is not understood, or lacks something.");

const END: (&str, &str) = ("0", "A signal ended it in order.");
const FAILED: (&str, &str) = (
    "1",
    "It could not start, and one sentence on standard error for each thing that is wrong says why; or \
     a second SIGINT from a terminal ended it at once.",
);
const INTERRUPT: (&str, &str) = (
    "SIGINT",
    "The same as SIGTERM. A second one, half a second later or more, ends it at once where standard input \
     or standard error is a terminal.",
);
const HANGUP: (&str, &str) = (
    "SIGHUP",
    "Reads the file anew; flags and variables stay what they were. The log says what has changed, what of it \
     needs a restart, and what is wrong with a file, which then changes nothing.",
);
const USER: (&str, &str) = ("SIGUSR1, SIGUSR2, SIGPIPE", "Change nothing.");

const CONTROL_SOCKET: (&str, &str) = (
    "/run/metalbond/control.sock",
    "The control socket of the packaged reflector, of mode 0600: for its user and root.",
);
const READERS_SOCKET: (&str, &str) = (
    "/run/metalbond/control-ro.sock",
    "The one for readers, of mode 0660: for the group metalbond-ro. It takes no command.",
);

const DUMPED: (&str, &str) = ("FILE.part", "What dump has written of FILE so far, of mode 0600.");

const CONFIG: (&str, &str) =
    ("METALBOND_CONFIG", "The file, as --config. As all of these it is not set when it is empty.");
const LOG: (&str, &str) = (
    "RUST_LOG",
    "What is logged, as filters of the crate tracing-subscriber: info,metalbond::reflector=debug. It \
     overrides --log-level and --verbose.",
);
const NO_COLOR: (&str, &str) =
    ("NO_COLOR", "If it says anything, the log on a terminal has no colours.");
const NOTIFY: (&str, &str) = (
    "NOTIFY_SOCKET, WATCHDOG_USEC",
    "Of the service manager: whom to tell that it is ready, reloading or stopping and how it is, and \
     how often that it is alive.",
);

/// The sections of a command's page; none of those that only say something and end.
pub(super) fn of(command: &Command) -> Vec<Section> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let subject = match name.strip_prefix("metalbond-") {
        Some("server") => Subject::Server,
        Some("client") => Subject::Client,
        Some("proxy") => Subject::Proxy,
        Some("ctl" | "ctl-dump") => Subject::Ctl,
        Some(name) if name.starts_with("ctl-") => Subject::CtlOther,
        _ => return Vec::new(),
    };
    let section = |title, entries: Entries| {
        let entries = entries.iter().map(|(what, text)| ((*what).into(), (*text).into())).collect();
        Section { title, entries }
    };
    let mut environment = section("ENVIRONMENT", subject.environment());
    // What names the file goes first, then all that could be in it.
    let first = environment.entries.iter().take_while(|(name, _)| name == CONFIG.0).count();
    environment.entries.splice(first..first, variables(command));
    vec![
        section("EXIT STATUS", subject.exit_status()),
        section("SIGNALS", subject.signals()),
        section("FILES", subject.files()),
        environment,
    ]
}

/// The variables of a command's flags.
fn variables(command: &Command) -> Vec<Entry> {
    let arguments = command.get_arguments();
    let entry = |argument: &clap::Arg| {
        let name = argument.get_env()?.to_str()?;
        let flag = argument.get_long()?;
        let is_documented = name == CONFIG.0;
        let empty = if takes_empty(flag) { ", also when it is empty" } else { "" };
        (!is_documented).then(|| (name.to_owned().into(), format!("As --{flag}{empty}.").into()))
    };
    arguments.filter_map(entry).collect()
}

impl Subject {
    fn exit_status(self) -> Entries {
        match self {
            Self::Server | Self::Client | Self::Proxy => &[END, FAILED, NOT_UNDERSTOOD],
            Self::Ctl | Self::CtlOther => &[
                ("0", "It is done, or nobody reads standard output any more."),
                ("1", "It is not, and one sentence on standard error says why."),
                NOT_UNDERSTOOD,
            ],
        }
    }

    fn signals(self) -> Entries {
        match self {
            Self::Server => &[
                (
                    "SIGTERM",
                    "Ends it in order: it takes no more sessions and reads no more, gives peers up to \
                     5 seconds to take what is queued for them, and closes all sessions. A second one \
                     changes nothing.",
                ),
                INTERRUPT,
                HANGUP,
                USER,
            ],
            Self::Proxy => &[
                (
                    "SIGTERM",
                    "Ends it in order: it takes no more agents and reads no more, gives agents up to 5 \
                     seconds to take what is queued for them, and closes all sessions: reflectors then \
                     withdraw what the agents announced. A second one changes nothing.",
                ),
                INTERRUPT,
                HANGUP,
                USER,
            ],
            Self::Client => &[
                (
                    "SIGTERM",
                    "Ends it in order. Installed routes stay for the next start, unless --cleanup says \
                     otherwise. A second one changes nothing.",
                ),
                INTERRUPT,
                (
                    "SIGHUP",
                    "Reads the file anew; flags and variables stay what they were. The log's level is \
                     applied, and the log says what else has changed and needs a restart, or what is \
                     wrong with a file, which then changes nothing.",
                ),
                USER,
            ],
            Self::Ctl | Self::CtlOther => &[(
                "SIGINT, SIGTERM, SIGHUP",
                "End it at once. What the reflector was told to do goes on.",
            )],
        }
    }

    fn files(self) -> Entries {
        match self {
            Self::Server => &[
                (
                    "/etc/metalbond/server.toml",
                    "The file of the packaged unit (--config): all options in the table [server], \
                     named as their flags.",
                ),
                CONTROL_SOCKET,
                READERS_SOCKET,
            ],
            Self::Client => &[(
                "/etc/metalbond/client.toml",
                "The file of the packaged unit (--config): all options in the table [client], named as \
                 their flags.",
            )],
            Self::Proxy => &[
                (
                    "/etc/metalbond/proxy.toml",
                    "The file of the packaged unit (--config): all options in the table [proxy], named as \
                     their flags.",
                ),
                (
                    "/run/metalbond-proxy/control.sock",
                    "The control socket of the packaged proxy, of mode 0600: for its user and root.",
                ),
            ],
            Self::Ctl => &[CONTROL_SOCKET, READERS_SOCKET, DUMPED],
            Self::CtlOther => &[CONTROL_SOCKET, READERS_SOCKET],
        }
    }

    fn environment(self) -> Entries {
        match self {
            Self::Server | Self::Client | Self::Proxy => &[CONFIG, LOG, NO_COLOR, NOTIFY],
            Self::Ctl | Self::CtlOther => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::options;

    fn section(page: &str, title: &str) -> Vec<Entry> {
        let mut command = options::documented(&crate::cli::Cli::command());
        command.build();
        let command = command.find_subcommand(page).unwrap();
        let mut sections = of(command).into_iter();
        sections.find(|section| section.title == title).unwrap().entries
    }

    #[test]
    fn every_variable_is_said_once() {
        for (page, some) in [
            ("server", "METALBOND_SEND_HOLD"),
            ("client", "METALBOND_TUN"),
            ("proxy", "METALBOND_STALE_TIME"),
            ("ctl", "METALBOND_CONTROL"),
        ] {
            let mut names: Vec<_> =
                section(page, "ENVIRONMENT").into_iter().map(|(name, _)| name).collect();
            assert!(names.iter().any(|name| name == some), "{names:?}");
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{names:?}");
        }
    }
}
