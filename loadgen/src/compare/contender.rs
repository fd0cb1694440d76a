//! The servers of a comparison, as the command line names them.

use std::net::SocketAddr;

use crate::common::Common;

const SPAWNED: [&str; 4] = ["reflector", "reflector-tls", "repeater", "rustbond"];

/// One server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Contender {
    /// The name as it was given; distinguished from equal names.
    pub(super) name: String,
    /// The flags of loadgen that choose it.
    pub(super) arguments: Vec<String>,
}

impl Contender {
    /// All servers that the values of `--against` name.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn all(against: &[String], common: &Common) -> Result<Vec<Self>, String> {
        let mut all: Vec<Self> = Vec::new();
        for text in against.iter().flat_map(|list| split(list)) {
            let mut contender = Self::parse(&text, common)?;
            // The same server twice shows how much a comparison depends on chance.
            let same = all.iter().filter(|other| other.arguments == contender.arguments).count();
            if same > 0 {
                contender.name += &format!(" ({})", same + 1);
            }
            all.push(contender);
        }
        Ok(all)
    }

    fn parse(text: &str, common: &Common) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let (kind, detail) = halves(words.next().unwrap_or_default());
        let mut arguments = Vec::new();
        match (kind, detail) {
            ("reflector" | "reflector-tls", binary) => {
                arguments.push("--spawn=reflector".to_owned());
                arguments.extend((kind == "reflector-tls").then(|| "--tls".to_owned()));
                let usual = common.binary.as_ref().map(|path| path.display().to_string());
                let binary = binary.map(str::to_owned).or(usual);
                arguments.extend(binary.map(|path| format!("--binary={path}")));
            }
            ("repeater" | "rustbond", None) => arguments.push(format!("--spawn={kind}")),
            (address, pid) if address.parse::<SocketAddr>().is_ok() => {
                arguments.push(format!("--target={address}"));
                arguments.extend(pid.map(|pid| format!("--pid={pid}")));
            }
            _ => {
                return Err(format!(
                    "--against does not know `{text}`: write reflector[@BINARY], reflector-tls[@BINARY], \
                     repeater, rustbond or ADDR:PORT[@PID]"
                ));
            }
        }
        arguments.extend(words.map(|word| format!("--server-arg={word}")));
        let name = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { name, arguments })
    }
}

/// The parts before and after an `@`.
fn halves(word: &str) -> (&str, Option<&str>) {
    word.split_once('@').map_or((word, None), |(kind, detail)| (kind, Some(detail)))
}

/// Splits a list at the commas that precede a server: other commas belong to an argument.
fn split(list: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for piece in list.split(',') {
        let (kind, _) = halves(piece.split_ascii_whitespace().next().unwrap_or_default());
        let is_server = SPAWNED.contains(&kind) || kind.parse::<SocketAddr>().is_ok();
        match found.last_mut() {
            Some(last) if !is_server => {
                last.push(',');
                last.push_str(piece);
            }
            _ => found.push(piece.to_owned()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(against: &[&str]) -> Vec<(String, String)> {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            common: Common,
        }
        let against: Vec<_> = against.iter().map(ToString::to_string).collect();
        let all = Contender::all(&against, &Flags::parse_from(["loadgen"]).common).unwrap();
        all.into_iter().map(|each| (each.name, each.arguments.join(" "))).collect()
    }

    #[test]
    fn servers_have_arguments_binaries_and_addresses() {
        let all = parsed(&[
            "reflector@/b/metalbond --cores 0,1,repeater",
            "[::1]:4711@77,reflector-tls --tls-carrier kernel",
        ]);
        let expected = [
            (
                "reflector@/b/metalbond --cores 0,1",
                "--spawn=reflector --binary=/b/metalbond --server-arg=--cores --server-arg=0,1",
            ),
            ("repeater", "--spawn=repeater"),
            ("[::1]:4711@77", "--target=[::1]:4711 --pid=77"),
            (
                "reflector-tls --tls-carrier kernel",
                "--spawn=reflector --tls --server-arg=--tls-carrier --server-arg=kernel",
            ),
        ];
        assert!(all.iter().map(|(a, b)| (&**a, &**b)).eq(expected), "{all:?}");
    }

    #[test]
    fn the_same_server_twice_has_two_names() {
        let names: Vec<_> = parsed(&["reflector,reflector"]).into_iter().map(|all| all.0).collect();
        assert_eq!(names, ["reflector", "reflector (2)"]);
    }
}
