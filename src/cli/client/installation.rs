//! Where routes are installed.

use std::collections::BTreeMap;

use metalbond::wire::Vni;

use super::spec::TableOfVni;

/// Tables that hold the host's own routes.
const SYSTEM_TABLES: [(u32, &str); 3] = [(253, "default"), (254, "main"), (255, "local")];

/// Where routes are installed. Without tables none are, until a reload brings some.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Installation {
    pub(super) device: String,
    pub(super) tables: BTreeMap<Vni, u32>,
}

impl Installation {
    /// What is allowed, and worth a thought.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut of_table: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (vni, table) in &self.tables {
            of_table.entry(*table).or_default().push(vni.to_string());
        }
        let shared = of_table.iter().filter(|(_, vnis)| vnis.len() > 1).map(|(table, vnis)| {
            let vnis = vnis.join(", ");
            format!(
                "--install-routes puts the VNIs {vnis} into table {table}: if several have the \
                 same destination, the leaf installs the route of the lowest VNI; to install all, \
                 give each VNI its own table"
            )
        });
        let systems = of_table.keys().filter_map(|table| {
            let (_, name) = SYSTEM_TABLES.iter().find(|(number, _)| number == table)?;
            Some(format!(
                "--install-routes puts routes into table {table}, which is the host's own \
                 ({name}): all traffic of the host follows them. The leaf does not touch other \
                 routes in that table"
            ))
        });
        shared.chain(systems).collect()
    }
}

/// What no single flag can tell to be wrong.
pub(super) fn installation(
    mappings: &[TableOfVni],
    tun: Option<&str>,
) -> Result<Option<Installation>, String> {
    let mut tables = BTreeMap::new();
    for &TableOfVni { vni, table } in mappings {
        if let Some(other) = tables.insert(vni, table)
            && other != table
        {
            return Err(format!(
                "--install-routes puts VNI {vni} into table {other} and table {table}: \
                 give it one table"
            ));
        }
    }
    match tun {
        Some(device) if !device.is_empty() => {
            Ok(Some(Installation { device: device.to_owned(), tables }))
        }
        _ if tables.is_empty() => Ok(None),
        _ => Err("--install-routes needs the tunnel device that routes lead to: give --tun DEVICE"
            .to_owned()),
    }
}
