//! The sections of manual pages beside the options: exit status, signals, files and the like.
//!
//! Each text is here once, for all pages that contain it.

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

const NOT_UNDERSTOOD: (&str, &str) = ("2", "The command line is invalid or incomplete.");

const END: (&str, &str) = (
    "0",
    "The program stopped because of a signal; a reflector also because another process has taken over.",
);
const FAILED: (&str, &str) = (
    "1",
    "The program could not start, and standard error has one sentence for each error; or a second SIGINT \
     from a terminal ended the program at once.",
);
const INTERRUPT: (&str, &str) = (
    "SIGINT",
    "The same as SIGTERM. A second SIGINT, half a second later or more, ends the program at once if standard \
     input or standard error is a terminal.",
);
const HANGUP: (&str, &str) = (
    "SIGHUP",
    "Reads the configuration file again; flags and variables keep their values. The log says what has changed \
     and which changes need a restart. An invalid file changes nothing, and the log says what is wrong with it.",
);
const USER: (&str, &str) = ("SIGUSR1, SIGUSR2, SIGPIPE", "Have no effect.");

const CONTROL_SOCKET: (&str, &str) = (
    "/run/metalbond/control.sock",
    "The control socket of the packaged reflector, with mode 0600: for its user and root.",
);
const LEAF_SOCKET: (&str, &str) = (
    "/run/metalbond-client/control.sock",
    "The control socket of the packaged leaf, with mode 0600: for its user and root.",
);
const READERS_SOCKET: (&str, &str) = (
    "/run/metalbond/control-ro.sock",
    "The read-only control socket, with mode 0660: for the group metalbond-ro.",
);

const DUMPED: (&str, &str) =
    ("FILE.part", "The incomplete FILE while dump writes it, with mode 0600.");

const CONFIG: (&str, &str) = (
    "METALBOND_CONFIG",
    "The configuration file, like --config. An empty variable counts as not set.",
);
const LOG: (&str, &str) = (
    "RUST_LOG",
    "The levels of the log by module, such as info,metalbond::reflector=debug. Overrides --log-level and \
     --verbose.",
);
const NO_COLOR: (&str, &str) =
    ("NO_COLOR", "If set and not empty, the log on a terminal has no colours.");
const NOTIFY: (&str, &str) = (
    "NOTIFY_SOCKET, WATCHDOG_USEC",
    "Set by the service manager: the socket for reports that the program is ready, reloading or stopping, \
     and how often to report that it is alive.",
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
        (!is_documented).then(|| (name.to_owned().into(), format!("Like --{flag}{empty}.").into()))
    };
    arguments.filter_map(entry).collect()
}

impl Subject {
    fn exit_status(self) -> Entries {
        match self {
            Self::Server | Self::Client | Self::Proxy => &[END, FAILED, NOT_UNDERSTOOD],
            Self::Ctl | Self::CtlOther => &[
                ("0", "The command succeeded, or the program that reads its output has ended."),
                ("1", "The command failed, and one sentence on standard error says why."),
                NOT_UNDERSTOOD,
            ],
        }
    }

    fn signals(self) -> Entries {
        match self {
            Self::Server => &[
                (
                    "SIGTERM",
                    "Stops the reflector: it accepts no more sessions, stops reading, sends for up to 5 seconds \
                     what is queued for peers, and closes all sessions. A second SIGTERM changes nothing.",
                ),
                INTERRUPT,
                HANGUP,
                USER,
            ],
            Self::Proxy => &[
                (
                    "SIGTERM",
                    "Stops the proxy: it accepts no more agents, stops reading, sends for up to 5 seconds what \
                     is queued for agents, and closes all sessions; reflectors then withdraw the routes of \
                     the agents. A second SIGTERM changes nothing.",
                ),
                INTERRUPT,
                HANGUP,
                USER,
            ],
            Self::Client => &[
                (
                    "SIGTERM",
                    "Stops the leaf. Installed routes stay for the next start, or are removed with \
                     --cleanup. A second SIGTERM changes nothing.",
                ),
                INTERRUPT,
                HANGUP,
                USER,
            ],
            Self::Ctl | Self::CtlOther => &[(
                "SIGINT, SIGTERM, SIGHUP",
                "End ctl at once. The reflector continues what ctl has told it to do.",
            )],
        }
    }

    fn files(self) -> Entries {
        match self {
            Self::Server => &[
                (
                    "/etc/metalbond/server.toml",
                    "The configuration file of the packaged unit (--config). Keys of the table [server] have the names \
                     of the flags; the tables [tls], [federation] and [policy] have further options.",
                ),
                CONTROL_SOCKET,
                READERS_SOCKET,
            ],
            Self::Client => &[
                (
                    "/etc/metalbond/client.toml",
                    "The configuration file of the packaged unit (--config). The table [client] has all options, \
                     with the names of their flags.",
                ),
                LEAF_SOCKET,
            ],
            Self::Proxy => &[
                (
                    "/etc/metalbond/proxy.toml",
                    "The configuration file of the packaged unit (--config). The table [proxy] has all options, \
                     with the names of their flags.",
                ),
                (
                    "/run/metalbond-proxy/control.sock",
                    "The control socket of the packaged proxy, with mode 0600: for its user and root.",
                ),
            ],
            Self::Ctl => &[CONTROL_SOCKET, READERS_SOCKET, LEAF_SOCKET, DUMPED],
            Self::CtlOther => &[CONTROL_SOCKET, READERS_SOCKET, LEAF_SOCKET],
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
