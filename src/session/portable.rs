//! A session and its path in the portable form; see `proto/portable.proto`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use super::machine::{About, Session};
use super::{Identity, Liveness, Path, TlsCarrier, TlsPeer};
use crate::ids::Moment;
use crate::portable::form::{self, path::State, session::Phase as PhaseForm};
use crate::portable::{Defect, micros};
use crate::wire::{Capabilities, Handshake, Phase, Side};

impl Session {
    pub(crate) fn export(&self) -> form::Session {
        let About { is_server, capabilities, extended, agent, node } = self.peer();
        let phase = match self.phase() {
            Phase::AwaitingHello => PhaseForm::AwaitingHello,
            Phase::AwaitingKeepalive => PhaseForm::AwaitingKeepalive,
            Phase::Established => PhaseForm::Established,
        };
        form::Session {
            phase: phase.into(),
            deadline: self.liveness().deadline().0,
            hold_micros: micros(self.liveness().hold()),
            wish: self.wish(),
            is_server: *is_server,
            capabilities: capabilities.0,
            is_extended: *extended,
            agent: agent.to_string(),
            node: node.to_string(),
            tls: self.tls().map(TlsPeer::export),
            has_said_goodbye: self.has_said_goodbye(),
        }
    }

    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn import(session: form::Session) -> Result<Self, Defect> {
        let phase = match PhaseForm::try_from(session.phase) {
            Ok(PhaseForm::AwaitingHello) => Phase::AwaitingHello,
            Ok(PhaseForm::AwaitingKeepalive) => Phase::AwaitingKeepalive,
            Ok(PhaseForm::Established) => Phase::Established,
            Err(_) => return Err(Defect::Value("Session.phase")),
        };
        let hold = Duration::from_micros(session.hold_micros);
        let about = About {
            is_server: session.is_server,
            capabilities: Capabilities(session.capabilities),
            extended: session.is_extended,
            agent: session.agent.into(),
            node: session.node.into(),
        };
        let liveness = Liveness::of(Moment(session.deadline), hold);
        let tls = session.tls.map(TlsPeer::import).transpose()?.map(Arc::new);
        let handshake = Handshake::at(Side::Reflector, phase);
        let has_said_goodbye = session.has_said_goodbye;
        Ok(Self::of(handshake, liveness, session.wish, about, has_said_goodbye).over(tls))
    }
}

impl TlsPeer {
    fn export(&self) -> form::Tls {
        let Self { identity, carrier } = self;
        let bytes = |address: &IpAddr| match address {
            IpAddr::V4(address) => address.octets().to_vec().into(),
            IpAddr::V6(address) => address.octets().to_vec().into(),
        };
        form::Tls {
            name: identity.name().map(str::to_owned),
            addresses: identity.addresses().iter().map(bytes).collect(),
            in_kernel: *carrier == TlsCarrier::Kernel,
        }
    }

    fn import(tls: form::Tls) -> Result<Self, Defect> {
        let form::Tls { name, addresses, in_kernel } = tls;
        let address = |bytes: &bytes::Bytes| -> Option<IpAddr> {
            let v4 = || Some(Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[..]).ok()?).into());
            let v6 = || Some(Ipv6Addr::from(<[u8; 16]>::try_from(&bytes[..]).ok()?).into());
            v4().or_else(v6)
        };
        let addresses: Option<Vec<IpAddr>> = addresses.iter().map(address).collect();
        let addresses = addresses.ok_or(Defect::Value("Tls.addresses"))?;
        let identity =
            Identity::new(name.as_deref(), addresses).ok_or(Defect::Value("Tls.name"))?;
        let carrier = if in_kernel { TlsCarrier::Kernel } else { TlsCarrier::Process };
        Ok(Self { identity, carrier })
    }
}

impl Path {
    pub(crate) fn export(self) -> form::Path {
        let (state, behind, at) = match self {
            Self::Untried => (State::Untried, 0, Moment(0)),
            Self::Tried { behind, at } => (State::Tried, behind, at),
            Self::Swallows { behind, at } => (State::Swallows, behind, at),
            Self::Passes => (State::Passes, 0, Moment(0)),
        };
        form::Path { state: state.into(), behind, at: at.0 }
    }

    /// # Errors
    /// [`Defect::Value`].
    pub(crate) fn import(path: form::Path) -> Result<Self, Defect> {
        let form::Path { state, behind, at } = path;
        let at = Moment(at);
        match State::try_from(state) {
            Ok(State::Untried) => Ok(Self::Untried),
            Ok(State::Tried) => Ok(Self::Tried { behind, at }),
            Ok(State::Swallows) => Ok(Self::Swallows { behind, at }),
            Ok(State::Passes) => Ok(Self::Passes),
            Err(_) => Err(Defect::Value("Path.state")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_has_proven_goes_along() {
        let addresses = ["192.0.2.17", "2001:db8::17"].map(|it| it.parse().unwrap());
        let identity = Identity::new(Some("spiffe://dc1/hv/17"), addresses.to_vec()).unwrap();
        for carrier in [TlsCarrier::Kernel, TlsCarrier::Process] {
            let tls = TlsPeer { identity: identity.clone(), carrier };
            let session = Session::new(Moment(7)).over(Some(Arc::new(tls.clone())));
            let form = session.export();
            assert_eq!(Session::import(form.clone()).unwrap().tls(), Some(&tls));
            let wrong = |change: &dyn Fn(&mut form::Tls)| {
                let mut form = form.clone();
                change(form.tls.as_mut().unwrap());
                Session::import(form).unwrap_err()
            };
            let defect = wrong(&|tls| tls.addresses[0] = bytes::Bytes::from_static(b"three"));
            assert_eq!(defect, Defect::Value("Tls.addresses"));
            let defect = wrong(&|tls| tls.name = Some("two words".to_owned()));
            assert_eq!(defect, Defect::Value("Tls.name"));
        }
        assert_eq!(Session::import(Session::new(Moment(7)).export()).unwrap().tls(), None);
    }
}
