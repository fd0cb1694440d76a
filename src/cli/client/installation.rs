//! Where routes are installed.

use std::collections::BTreeMap;

use metalbond::wire::Vni;

use super::spec::TableOfVni;

/// Where routes are installed, when they are.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Installation {
    pub(super) device: String,
    pub(super) tables: BTreeMap<Vni, u32>,
}

/// What no single flag can tell to be wrong.
pub(super) fn installation(
    mappings: &[TableOfVni],
    tun: Option<&str>,
) -> Result<Option<Installation>, String> {
    let mut tables = BTreeMap::new();
    for &TableOfVni { vni, table } in mappings {
        // The leaf owns its tables' routes; with two owners it could not tell whose one is.
        if let Some((other, _)) = tables.iter().find(|(other, of)| **other != vni && **of == table)
        {
            return Err(format!(
                "--install-routes puts VNI {other} and VNI {vni} into table {table}: \
                 give each a table of its own"
            ));
        }
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
        _ if tables.is_empty() => Ok(None),
        Some(device) if !device.is_empty() => {
            Ok(Some(Installation { device: device.to_owned(), tables }))
        }
        _ => Err("--install-routes needs the tunnel device that routes lead to: give --tun DEVICE"
            .to_owned()),
    }
}
