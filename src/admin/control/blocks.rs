//! The commands that set and end blocks: for a time, the reflector refuses a peer, a prefix or a VNI.

use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use serde::{Deserialize, Serialize};

use crate::admin::reflector::api::blocks::BlockRow;
use crate::admin::reflector::api::policy::subject_of;
use crate::admin::reflector::api::{error::ApiError, named, params};
use crate::admin::server::serve::Caller;
use crate::ids::duration;
use crate::inspector::walk::walk;
use crate::inspector::{Inspector, PAGE_MAX};
use crate::policy::{BLOCKS, Blocked};
use crate::shard::inspect::{PeerInfo, RouteFilter, RouteInfo, VniInfo};
use crate::threads::InspectError;
use crate::wire::{Destination, Vni};

/// Bytes of a node's name at most.
const NAME_MAX: usize = 255;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockAsked {
    peer: Option<String>,
    prefix: Option<String>,
    longer: Option<String>,
    vni: Option<String>,
    time: Option<String>,
    r#try: Option<String>,
}

/// The sessions and routes that a block takes back at the moment.
#[derive(Debug, Default, Serialize)]
struct TakesBack {
    /// The number of sessions that it closes.
    sessions: u64,
    /// The number of routes that it withdraws.
    routes: u64,
    /// The numbers of VNIs with routes of a blocked prefix or VNI, and of their subscribers.
    vnis: u64,
    subscribers: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct Blocking {
    /// `None` for a trial.
    block: Option<BlockRow>,
    of: String,
    takes_back: TakesBack,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnblockAsked {
    id: Option<String>,
    all: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Unblocked {
    ended: Vec<BlockRow>,
}

/// Blocks a peer, a prefix or a VNI; a trial only counts the sessions and routes that the block would take back.
pub(super) async fn block(
    State(inspector): State<Inspector>,
    caller: Option<Extension<Caller>>,
    asked: Result<Query<BlockAsked>, QueryRejection>,
) -> Result<Json<Blocking>, ApiError> {
    let asked = asked?.0;
    let what = asked.what(&inspector).await?;
    let time = params::required("time", asked.time.as_deref())?;
    let time = duration(time).map_err(|why| ApiError::Asked(format!("time {time:?}: {why}")))?;
    if time.is_zero() {
        return Err(ApiError::Asked(
            "time: a block of no time has no effect; give a time such as 1h".into(),
        ));
    }
    let takes_back = takes_back(&inspector, &what).await?;
    let of = what.to_string();
    let is_trial = params::optional("try", "true or false", asked.r#try.as_deref())?;
    if is_trial.unwrap_or(false) {
        return Ok(Json(Blocking { block: None, of, takes_back }));
    }
    let uid = caller.map(|Extension(caller)| caller.uid);
    let block = inspector.block(what, time, uid).map_err(|_| {
        ApiError::Refused(format!(
            "there are {BLOCKS} blocks already; end some with metalbond ctl unblock"
        ))
    })?;
    Ok(Json(Blocking { block: Some(BlockRow::from(&block)), of, takes_back }))
}

/// Ends one block, or all.
pub(super) async fn unblock(
    State(inspector): State<Inspector>,
    asked: Result<Query<UnblockAsked>, QueryRejection>,
) -> Result<Json<Unblocked>, ApiError> {
    let UnblockAsked { id, all } = asked?.0;
    let id: Option<u32> = params::optional("id", "a block's number", id.as_deref())?;
    let all = params::optional("all", "true or false", all.as_deref())?.unwrap_or(false);
    let ended = match (id, all) {
        (Some(id), false) => inspector.unblock(|block| block.id == id),
        (None, true) => inspector.unblock(|_| true),
        _ => return Err(ApiError::Asked("either id or all=true must be given".into())),
    };
    match id {
        Some(id) if ended.is_empty() => {
            Err(ApiError::NotFound(format!("there is no block {id}; show blocks lists them")))
        }
        _ => Ok(Json(Unblocked { ended: ended.iter().map(BlockRow::from).collect() })),
    }
}

impl BlockAsked {
    async fn what(&self, inspector: &Inspector) -> Result<Blocked, ApiError> {
        let vni = self.vni.as_deref().map(|text| params::vni("vni", text)).transpose()?;
        let longer = params::optional("longer", "true or false", self.longer.as_deref())?;
        match (&self.peer, &self.prefix, vni) {
            (Some(peer), None, None) if longer.is_none() => of_peer(inspector, peer.trim()).await,
            (None, Some(prefix), vni) => {
                let prefix = params::destination("prefix", prefix)?;
                Ok(Blocked::prefix(prefix, longer.unwrap_or(false), vni))
            }
            (None, None, Some(vni)) if longer.is_none() => Ok(Blocked::Vni(vni)),
            _ => Err(ApiError::Asked(
                "give peer, or prefix with or without vni and longer, or vni alone".into(),
            )),
        }
    }
}

/// The peers that a text names: by an address or prefix, or by the name of their node. A session's number stands for
/// the node of that session, or for its address if it has no node name.
async fn of_peer(inspector: &Inspector, text: &str) -> Result<Blocked, ApiError> {
    let of_host = |address: IpAddr| Blocked::source(Destination::host(address.to_canonical()));
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Ok(of_host(socket.ip()));
    }
    if let Ok(prefix) = params::destination("peer", text) {
        return Ok(Blocked::source(prefix));
    }
    let number = text.rsplit_once('#').map_or(text, |(_, number)| number);
    if number.parse::<u64>().is_ok() {
        let peer = named::session(inspector, text).await?;
        let remote = peer.remote.map(|remote| remote.ip());
        return match remote {
            Some(address) if peer.node.is_empty() => Ok(of_host(address)),
            _ => Ok(Blocked::Node(peer.node.into())),
        };
    }
    if text.is_empty() || text.len() > NAME_MAX {
        let sentence = format!("peer: a node's name has 1 to {NAME_MAX} bytes");
        return Err(ApiError::Asked(sentence));
    }
    Ok(Blocked::Node(text.to_owned()))
}

/// The effect of a block. Cost: for peers, a listing of all sessions; else, of the routes within the prefix, in the
/// VNI or in all VNIs.
async fn takes_back(inspector: &Inspector, what: &Blocked) -> Result<TakesBack, InspectError> {
    let mut sum = TakesBack::default();
    let mut meet = |peer: PeerInfo| {
        if what.meets(&subject_of(&peer)) {
            sum.sessions += 1;
            sum.routes += peer.routes;
        }
    };
    if what.is_of_peers() {
        walk(|from| inspector.peers(from, PAGE_MAX), &mut meet).await?;
        return Ok(sum);
    }
    let mut vnis: Vec<VniInfo> = Vec::new();
    let is_meant = |info: &VniInfo| info.routes > 0 && what.concerns(info.vni);
    walk(|from| inspector.vnis(from, PAGE_MAX), |info| vnis.extend(Some(info).filter(is_meant)))
        .await?;
    for VniInfo { vni, routes, subscribers, .. } in vnis {
        let routes = match what.within() {
            None => routes,
            Some(within) => routes_within(inspector, vni, within, what).await?,
        };
        if routes > 0 {
            sum.vnis += 1;
            sum.routes += routes;
            sum.subscribers += subscribers;
        }
    }
    Ok(sum)
}

async fn routes_within(
    inspector: &Inspector,
    vni: Vni,
    within: Destination,
    what: &Blocked,
) -> Result<u64, InspectError> {
    let filter = RouteFilter { within: Some(within), ..RouteFilter::default() };
    let mut routes = 0;
    let count = |route: RouteInfo| routes += u64::from(what.covers(vni, &route.destination));
    walk(|from| inspector.routes(vni, filter, from, PAGE_MAX), count).await?;
    Ok(routes)
}
