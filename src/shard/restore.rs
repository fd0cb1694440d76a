//! Shards in the portable form: writing a snapshot of what has left them, and reading one.
//!
//! Order: connections first, then tables: a table that is read must know which of its members still have a
//! connection, and where that is going to be.

use std::sync::Arc;

use ahash::{AHashMap, AHashSet, RandomState};

use super::connections::{Importer as ConnectionImporter, Traveller};
use super::placement::Placement;
use super::tables::Tenants;
use crate::ids::link::{EXPORTER, SiteId};
use crate::ids::{Moment, PeerId, ShardId};
use crate::portable::form::{End, Header, piece::Kind};
use crate::portable::{Defect, VERSION};
use crate::table::{Importer as TableImporter, TableBasis, TableBounds};
use crate::wire::Vni;

/// Gives the pieces of a snapshot to `each`, in order.
pub(crate) fn snapshot<'a>(
    now: Moment,
    connections: impl Iterator<Item = &'a Traveller>,
    link: &[Kind],
    tables: impl Iterator<Item = &'a Tenants>,
    each: &mut impl FnMut(Kind),
) {
    let (major, minor) = VERSION;
    let writer = concat!("metalbond/", env!("CARGO_PKG_VERSION")).to_owned();
    each(Kind::Header(Header { major, minor, writer, now: now.0 }));
    let mut end = End::default();
    for connection in connections {
        connection.export(each);
        end.connections += 1;
    }
    link.iter().cloned().for_each(&mut *each);
    for table in tables.flat_map(Tenants::tables) {
        end.routes += table.export(each);
        end.tables += 1;
    }
    each(Kind::End(end));
}

/// The content of a snapshot, for shards that hold nothing yet.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The time by its writer's clock.
    pub(crate) now: Moment,
    /// Each connection with the shard that will have it.
    pub(crate) connections: Vec<(ShardId, Traveller)>,
    /// The tables of each shard, by [`Placement::even`].
    pub(crate) tables: Vec<Tenants>,
    /// The pieces of a link's agreement with other sites; empty when the reflector is to have no link of that site.
    pub(crate) link: Vec<Kind>,
    /// The number of routes.
    pub(crate) routes: u64,
}

/// Reads a snapshot piece by piece. Connections go to the shards in turn.
#[derive(Debug)]
pub(crate) struct Restorer {
    placement: Placement,
    basis: Arc<TableBasis>,
    now: Option<Moment>,
    shard_of: AHashMap<PeerId, ShardId>,
    vnis: AHashSet<Vni>,
    connection: Option<ConnectionImporter>,
    table: Option<TableImporter>,
    /// The name of the site, and the shard for federation.
    site: Option<(Box<str>, ShardId)>,
    /// The shard for the peers of the link that is being read.
    link: Option<ShardId>,
    count: End,
    restored: Restored,
    is_complete: bool,
}

impl Restorer {
    /// A restorer for this number of shards. `hasher` carries the process's random seeds.
    pub(crate) fn new(shards: usize, bounds: TableBounds, hasher: RandomState) -> Self {
        let tables = (0..shards).map(|_| Tenants::default()).collect();
        Self {
            placement: Placement::even(shards),
            shard_of: AHashMap::with_hasher(hasher.clone()),
            vnis: AHashSet::with_hasher(hasher.clone()),
            basis: Arc::new(TableBasis { bounds, hasher }),
            now: None,
            connection: None,
            table: None,
            site: None,
            link: None,
            count: End::default(),
            restored: Restored {
                now: Moment(0),
                connections: Vec::new(),
                tables,
                link: Vec::new(),
                routes: 0,
            },
            is_complete: false,
        }
    }

    /// Restores the link of a site as well, on this shard. Without this the link's peers leave all tables.
    pub(crate) fn with_link(mut self, site: &str, shard: ShardId) -> Self {
        self.site = Some((site.into(), shard));
        self
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Defect`]; then the snapshot is unusable.
    pub(crate) fn take(&mut self, piece: Kind) -> Result<(), Defect> {
        if let Kind::Header(header) = piece {
            return self.header(&header);
        }
        if self.now.is_none() || self.is_complete {
            return Err(Defect::Misplaced("a piece"));
        }
        match piece {
            Kind::Connection(connection) if self.table.is_none() && self.count.tables == 0 => {
                self.end_connection()?;
                self.connection = Some(ConnectionImporter::new(connection)?);
                Ok(())
            }
            Kind::Table(table) => {
                self.end_connection()?;
                self.end_table()?;
                self.table = Some(TableImporter::new(table, &self.basis)?);
                Ok(())
            }
            Kind::Link(_) | Kind::LinkExports(_) | Kind::LinkImports(_) => {
                self.end_connection()?;
                self.link(piece)
            }
            Kind::End(end) => self.end(&end),
            piece => match (&mut self.table, &mut self.connection) {
                (Some(table), _) => {
                    let of_link = |peer| self.link.filter(|_| has_place_in_link(peer));
                    table.take(piece, &|peer| {
                        self.shard_of.get(&peer).copied().or_else(|| of_link(peer))
                    })
                }
                (None, Some(connection)) => connection.take(piece),
                (None, None) => Err(Defect::Misplaced("a part")),
            },
        }
    }

    /// The content of the snapshot.
    ///
    /// # Errors
    /// [`Defect::CutShort`] when the last piece has not come.
    pub(crate) fn finish(self) -> Result<Restored, Defect> {
        if self.is_complete { Ok(self.restored) } else { Err(Defect::CutShort) }
    }

    fn header(&mut self, header: &Header) -> Result<(), Defect> {
        if header.major != VERSION.0 {
            return Err(Defect::Version(header.major, header.minor));
        }
        if self.now.replace(Moment(header.now)).is_some() {
            return Err(Defect::Misplaced("a second header"));
        }
        self.restored.now = Moment(header.now);
        Ok(())
    }

    /// Takes a piece of a link; ignores it when the reflector is to have no link of its site.
    fn link(&mut self, piece: Kind) -> Result<(), Defect> {
        if self.table.is_some() {
            return Err(Defect::Misplaced("a link"));
        }
        if let Kind::Link(link) = &piece {
            let place = self.site.as_ref().filter(|(site, _)| **site == *link.site);
            self.link = place.map(|(_, shard)| *shard);
        }
        if self.link.is_some() {
            self.restored.link.push(piece);
        }
        Ok(())
    }

    fn end_connection(&mut self) -> Result<(), Defect> {
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let Restored { connections, tables, .. } = &mut self.restored;
        let next = ShardId::at(connections.len() % tables.len());
        if self.shard_of.insert(connection.peer(), next).is_some() {
            return Err(Defect::Value("Connection.peer"));
        }
        connections.push((next, connection.finish()));
        self.count.connections += 1;
        Ok(())
    }

    fn end_table(&mut self) -> Result<(), Defect> {
        let Some(table) = self.table.take() else { return Ok(()) };
        self.count.tables += 1;
        self.count.routes += table.routes();
        self.restored.routes = self.count.routes;
        if !self.vnis.insert(table.vni()) {
            return Err(Defect::Value("Table.vni"));
        }
        let owner = self.placement.owner(table.vni());
        self.restored.tables[owner.index()].push(table.finish()?);
        Ok(())
    }

    fn end(&mut self, end: &End) -> Result<(), Defect> {
        self.end_connection()?;
        self.end_table()?;
        self.is_complete = true;
        if *end == self.count { Ok(()) } else { Err(Defect::CutShort) }
    }
}

/// Whether a peer of a link goes on in another process: a peer that answers a request does not.
fn has_place_in_link(peer: PeerId) -> bool {
    peer == EXPORTER || SiteId::of_importer(peer).is_some()
}
