//! A connection on its way in the portable form; see `proto/portable.proto`. Its socket is not among it.
//!
//! These are made anew and not written: the places and numbers of subscriptions, and whether the peer is held
//! (`session::quiet`), which again takes three regular KEEPALIVEs. All subscriptions are behind, as after a move.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::moves::Traveller;
use super::peer::Rare;
use super::{Peer, PeerCounts, Reported};
use crate::ids::{Moment, PeerId};
use crate::outbox::Outbox;
use crate::policy::{Echo, Rights, Selection};
use crate::portable::form::{self, piece::Kind};
use crate::portable::{Defect, address, address_bytes, in_pieces, moment, required};
use crate::session::{Pacer, Path, Session, Skipped};
use crate::shard::inspect::ByAction;
use crate::wire::{Digest, Installed, MAX_FRAME, Vni};

/// The bytes that may have been received and not parsed yet: as many as a connection may be read ahead.
const INPUT_MAX: usize = 1 << 20;

impl Traveller {
    /// Gives the pieces of the portable form to `each`, in order. The caller must have told owners which batches the
    /// connection could not take.
    pub(crate) fn export(&self, each: &mut impl FnMut(Kind)) {
        debug_assert!(self.refused().is_empty(), "no batch crosses");
        let peer = self.connection();
        let (rest, control) = peer.outbox.export_control();
        let mut input = BytesMut::from(peer.input.partial());
        input.extend_from_slice(self.unread());
        each(Kind::Connection(form::Connection {
            peer: peer.id.0,
            session: Some(peer.session.export()),
            input: input.freeze(),
            rest,
            control,
            pacer: peer.pacer.as_ref().map(|pacer| pacer.export()),
            path: Some(peer.sending.path.export()),
            acknowledged: peer.sending.acked(),
            progress: peer.sending.progress.0,
            idle: peer.sending.idle.0,
            counts: Some(peer.counts.export(&peer.outbox)),
            source: peer.standing.address.map(address_bytes).unwrap_or_default(),
            is_denied_server: peer.standing.is_denied_server,
            told: peer.standing.told.into(),
            echo: peer.standing.selection.echo.number(),
            one_next_hop: peer.standing.selection.one_next_hop,
        }));
        let memberships = peer.memberships.iter().map(|(vni, subscribes, is_refused, routes)| {
            let Vni(vni) = vni;
            let report = peer.reported(Vni(vni)).map(Reported::export);
            form::Membership { vni, subscribes, routes, is_refused, report }
        });
        let piece = |memberships| Kind::Memberships(form::Memberships { memberships });
        in_pieces(memberships, piece, each);
        peer.outbox.export(each);
    }
}

/// A connection while it is read: made from its first piece, it takes the others.
#[derive(Debug)]
pub(crate) struct Importer {
    peer: Box<Peer>,
    input: Bytes,
}

impl Importer {
    /// Begins a connection.
    ///
    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn new(connection: form::Connection) -> Result<Self, Defect> {
        let counts = required(connection.counts, "Connection.counts")?;
        let mut peer = Box::new(Peer::new(PeerId(connection.peer), Moment(counts.accepted)));
        peer.session = Session::import(required(connection.session, "Connection.session")?)?;
        peer.outbox = Outbox::import(connection.rest, connection.control)?;
        let pacer = connection.pacer.map(Pacer::import).transpose()?;
        peer.pacer = pacer.map(Box::new);
        peer.sending.path = Path::import(required(connection.path, "Connection.path")?)?;
        peer.sending.set_acked(connection.acknowledged);
        peer.sending.progress = Moment(connection.progress);
        peer.sending.began = peer.sending.progress;
        peer.sending.idle = Moment(connection.idle);
        peer.counts = PeerCounts::import(counts);
        peer.standing.address = address(&connection.source);
        peer.standing.is_denied_server = connection.is_denied_server;
        peer.standing.told = u16::try_from(connection.told).unwrap_or(0);
        peer.standing.rights = Rights::UNKNOWN;
        peer.standing.selection = {
            let echo = Echo::from_number(connection.echo);
            Selection::new(echo, connection.one_next_hop)
        };
        if connection.input.len() > INPUT_MAX + MAX_FRAME {
            return Err(Defect::Value("Connection.input"));
        }
        Ok(Self { peer, input: connection.input })
    }

    /// The peer of the connection.
    pub(crate) fn peer(&self) -> PeerId {
        self.peer.id
    }

    /// Takes the next piece of the connection.
    ///
    /// # Errors
    /// [`Defect`]; then the connection is unusable.
    pub(crate) fn take(&mut self, piece: Kind) -> Result<(), Defect> {
        match piece {
            Kind::Memberships(form::Memberships { memberships }) => {
                memberships.into_iter().try_for_each(|membership| self.join(&membership))
            }
            Kind::Queued(queued) => self.peer.outbox.import_queued(queued),
            _ => Err(Defect::Misplaced("a piece of a connection")),
        }
    }

    fn join(&mut self, membership: &form::Membership) -> Result<(), Defect> {
        let form::Membership { vni, subscribes, routes, is_refused, report } = *membership;
        let peer = &mut self.peer;
        if peer.memberships.vnis_from(Vni(vni)).next() == Some(Vni(vni)) {
            return Err(Defect::Value("Membership.vni"));
        }
        if let Some(id) = peer.memberships.join(Vni(vni), subscribes, routes) {
            peer.behind.push_back((Vni(vni), id));
            if let Some(report) = report {
                peer.counts.rare().reports.insert(Vni(vni), Reported::import(report));
            }
        } else if is_refused {
            let refused = peer.memberships.refuse(Vni(vni), u64::MAX);
            refused.map_err(|_| Defect::Value("Membership.is_refused"))?;
        }
        Ok(())
    }

    /// The connection, once its last piece has been taken.
    pub(crate) fn finish(self) -> Traveller {
        Traveller::of(self.peer, self.input.into())
    }
}

impl Reported {
    fn export(&self) -> form::Report {
        let Self { routes: Digest { routes, sum }, installed, at, short_since } = *self;
        let installed = installed.map(|it| form::Installed {
            wanted: it.wanted,
            accepted: it.accepted,
            left_out: it.left_out,
        });
        let short_since = short_since.map(|at| at.0);
        form::Report { routes, sum, installed, at: at.0, short_since }
    }

    fn import(report: form::Report) -> Self {
        let form::Report { routes, sum, installed, at, short_since } = report;
        let installed = installed.map(|it| Installed {
            wanted: it.wanted,
            accepted: it.accepted,
            left_out: it.left_out,
        });
        let routes = Digest { routes, sum };
        Self { routes, installed, at: Moment(at), short_since: moment(short_since) }
    }
}

impl PeerCounts {
    /// The counts, with the updates that the outbox will not see written.
    fn export(&self, outbox: &Outbox) -> form::Counts {
        let begun = outbox.begun();
        let skipped = self.rare.iter().flat_map(|rare| rare.skipped.iter());
        form::Counts {
            accepted: self.accepted.0,
            established: self.established.map(|at| at.0),
            heard: self.heard.0,
            updates_received: self.updates_received,
            adds_sent: self.updates_sent.adds + begun.adds,
            removes_sent: self.updates_sent.removes + begun.removes,
            bytes_received: self.bytes_received,
            bytes_sent: self.bytes_sent,
            skipped: skipped.map(|(&name, &count)| (name.to_owned(), count)).collect(),
            refused: self.refused(),
        }
    }

    fn import(counts: form::Counts) -> Self {
        // A reason that this version does not know is dropped: it has no name to count under.
        let known = |(name, count): (String, u64)| {
            Skipped::names().find(|known| *known == name).map(|name| (name, count))
        };
        let skipped: BTreeMap<_, _> = counts.skipped.into_iter().filter_map(known).collect();
        let refused = counts.refused;
        let is_rare = refused > 0 || !skipped.is_empty();
        let rare = is_rare.then(|| Box::new(Rare { skipped, refused, ..Rare::default() }));
        Self {
            accepted: Moment(counts.accepted),
            established: moment(counts.established),
            heard: Moment(counts.heard),
            updates_received: counts.updates_received,
            updates_sent: ByAction { adds: counts.adds_sent, removes: counts.removes_sent },
            bytes_received: counts.bytes_received,
            bytes_sent: counts.bytes_sent,
            rare,
            in_flight: 0,
        }
    }
}
