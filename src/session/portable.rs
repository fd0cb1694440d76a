//! A session and its path in the portable form; see `proto/portable.proto`.

use std::time::Duration;

use super::machine::{About, Session};
use super::{Liveness, Path};
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
        Ok(Self::of(Handshake::at(Side::Reflector, phase), liveness, session.wish, about))
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
