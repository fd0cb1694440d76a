//! Shows the state of a leaf: its servers, its tables, and its routes here and in the kernel.

use serde_json::Value;

use super::Ctl;
use super::args::Within;
use super::client::escaped;
use super::listing::{Rows, View};
use super::routes::next_hop;
use super::screen::Failed;
use super::table::{Column, number, text};
use super::units::{count, shown, time};

const SERVERS: &[Column] = &[
    text("SERVER", |row| shown(&row["address"])),
    text("NODE", |row| shown(&row["node"])),
    text("STATE", |row| shown(&row["state"]).replace('_', " ")),
    number("FOR", |row| time(&row["since_seconds"])),
    number("TABLES", |row| format!("{} of {}", count(&row["whole_count"]), count(&row["vnis"]))),
    text("LAST ERROR", |row| shown(&row["last_error"])),
];

const VNIS: &[Column] = &[
    number("VNI", |row| count(&row["vni"])),
    number("ROUTES", |row| count(&row["routes"])),
    number("STALE", |row| count(&row["stale"])),
    number("REFUSED", |row| count(&row["refused"])),
    text("COMPLETE", |row| if row["is_whole"] == true { "yes" } else { "no" }.to_owned()),
    text("TABLE FROM", |row| match row["missing"].as_str() {
        Some(missing) => shown(&missing.into()),
        None => names(&row["in_sync"]),
    }),
];

const ROUTES: &[Column] = &[
    number("VNI", |row| count(&row["vni"])),
    text("DESTINATION", |row| shown(&row["destination"])),
    text("NEXT HOP", |row| next_hop(&row["next_hop"])),
    text("TYPE", |row| shown(&row["next_hop"]["type"])),
    number("AGE", |row| time(&row["age_seconds"])),
    text("SERVERS", |row| match &row["stale_seconds"] {
        Value::Null => names(&row["servers"]),
        stale => format!("none, stale for {}", time(stale)),
    }),
];

/// `CONFLICTS` has both kinds: with other programs, and with a lower VNI of the same table.
const KERNEL: &[Column] = &[
    number("VNI", |row| count(&row["vni"])),
    number("TABLE", |row| count(&row["table"])),
    number("WANTED", |row| count(&row["wanted"])),
    number("INSTALLED", |row| count(&row["installed"])),
    number("REFUSED", |row| count(&row["refused"])),
    number("CONFLICTS", |row| {
        let both = [&row["conflicts"], &row["shadowed"]].map(|it| it.as_u64().unwrap_or_default());
        both.iter().sum::<u64>().to_string()
    }),
    number("PENDING", |row| count(&row["pending"])),
    number("EXCLUDED", |row| count(&row["excluded"])),
    number("UNUSABLE", |row| count(&row["unusable"])),
];

impl Ctl {
    /// Whether a leaf answers at the socket, and no reflector.
    pub(super) async fn is_leaf(&mut self) -> Result<bool, Failed> {
        self.client.has("/api/v1/kernel").await
    }

    /// Refuses what only a leaf can answer.
    async fn needs_leaf(&mut self) -> Result<(), Failed> {
        if self.is_leaf().await? {
            return Ok(());
        }
        let path = self.client.path().display();
        let sentence = format!(
            "a reflector answers on {path}, and only a leaf knows this: give the socket of metalbond client with \
             --socket"
        );
        Err(sentence.into())
    }

    pub(super) async fn show_servers(&mut self) -> Result<(), Failed> {
        self.needs_leaf().await?;
        let servers = [Rows::Lookup("/api/v1/servers".to_owned())];
        let view = View {
            columns: SERVERS,
            nothing: "The leaf has no server; start it with --server.",
            limit: None,
        };
        self.list(servers, &view).await
    }

    pub(super) async fn show_kernel(&mut self) -> Result<(), Failed> {
        self.needs_leaf().await?;
        let view = View {
            columns: KERNEL,
            nothing: "The leaf installs no routes; start it with --install-routes.",
            limit: None,
        };
        self.list([Rows::Lookup("/api/v1/kernel/vnis".to_owned())], &view).await
    }

    pub(super) async fn show_vnis_of_leaf(&mut self, limit: Option<u64>) -> Result<(), Failed> {
        let view = View { columns: VNIS, nothing: "The leaf is subscribed to no VNI.", limit };
        self.list([Rows::Sorted("/api/v1/vnis".to_owned())], &view).await
    }

    pub(super) async fn show_routes_of_leaf(
        &mut self,
        within: Option<Within>,
        vni: Option<u32>,
    ) -> Result<(), Failed> {
        let vnis = match vni {
            Some(vni) => vec![u64::from(vni)],
            None => self.vnis_with("routes", Rows::Sorted("/api/v1/vnis".to_owned())).await?,
        };
        let which = match within {
            None => String::new(),
            Some(Within::Prefix(prefix)) => format!("&within={}", escaped(&prefix)),
            Some(Within::Address(address)) => {
                format!("&address={}", escaped(&address.to_string()))
            }
        };
        let all =
            vnis.into_iter().map(|vni| Rows::Sorted(format!("/api/v1/routes?vni={vni}{which}")));
        let view = View { columns: ROUTES, nothing: "There is no such route.", limit: None };
        self.list(all, &view).await
    }
}

/// Servers, by their addresses.
fn names(list: &Value) -> String {
    let names: Vec<_> = list.as_array().into_iter().flatten().map(shown).collect();
    if names.is_empty() { "-".to_owned() } else { names.join(" ") }
}
