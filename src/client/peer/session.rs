//! The handshake and keepalive machine of a leaf's side (`docs/protocol.md`, "Session"). Pure.
//!
//! ```text
//!   connect, send HELLO --> HELLO --> send KEEPALIVE --> KEEPALIVE --> established
//! ```

use std::time::Duration;

use crate::client::SessionError;
use crate::ids::Moment;
use crate::session::{Liveness, Skipped};
use crate::wire::{Frame, Handshake, Hello, Message, MessageType, Side, Update, Vni};

/// The meaning of a message.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum LeafEvent {
    /// The server's HELLO: answer with a KEEPALIVE.
    Hello(Hello),
    /// A KEEPALIVE; `established` with the first.
    Keepalive {
        established: bool,
    },
    Update(Update),
    EndOfTable(Vni),
    /// Without effect, and without fault.
    Nothing,
    /// Without effect, although it should have had one.
    Skipped(Skipped),
}

/// The action due at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    Nothing,
    Keepalive,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct LeafSession {
    handshake: Handshake,
    liveness: Liveness,
    /// The interval in this leaf's HELLO, in seconds.
    wish: u32,
    /// The server's HELLO.
    server_hello: Option<Hello>,
    /// When the next KEEPALIVE is to be sent; none before the server's HELLO.
    keepalive: Option<Moment>,
}

impl LeafSession {
    /// A session whose HELLO with an interval of `keepalive` seconds goes out now.
    pub(super) fn new(now: Moment, keepalive: u32) -> Self {
        Self {
            handshake: Handshake::new(Side::Leaf),
            liveness: Liveness::new(now),
            wish: keepalive,
            server_hello: None,
            keepalive: None,
        }
    }

    /// The interval in force; meaningless before the server's HELLO.
    pub(super) fn interval(&self) -> Duration {
        self.liveness.interval()
    }

    /// Takes one frame.
    ///
    /// # Errors
    /// The reason to end the session.
    pub(super) fn receive(
        &mut self,
        now: Moment,
        frame: &Frame<'_>,
    ) -> Result<LeafEvent, SessionError> {
        self.handshake.admits(frame.kind)?;
        self.heard(now);
        match Message::decode(frame) {
            Ok(message) => self.message(now, message),
            Err(error)
                if matches!(
                    frame.kind,
                    MessageType::Update | MessageType::EndOfTable | MessageType::Report
                ) =>
            {
                Ok(LeafEvent::Skipped(Skipped::Invalid(frame.kind, error)))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn message(&mut self, now: Moment, message: Message) -> Result<LeafEvent, SessionError> {
        let established = self.handshake.take(message.kind())?;
        match message {
            Message::Update(update) => Ok(LeafEvent::Update(update)),
            Message::Hello(hello) => match &self.server_hello {
                None => {
                    self.liveness.agree(now, self.wish, hello.keepalive_interval);
                    self.keepalive = Some(now + self.interval());
                    self.server_hello = Some(hello.clone());
                    Ok(LeafEvent::Hello(hello))
                }
                Some(server_hello) if *server_hello == hello => Ok(LeafEvent::Nothing),
                Some(_) => Err(SessionError::SecondHello),
            },
            Message::Keepalive => Ok(LeafEvent::Keepalive { established }),
            Message::EndOfTable(vni) if self.handshake.is_established() => {
                Ok(LeafEvent::EndOfTable(vni))
            }
            Message::Unsubscribe(_) if self.server_hello.is_none() => Ok(LeafEvent::Nothing),
            Message::Subscribe(_)
            | Message::Unsubscribe(_)
            | Message::EndOfTable(_)
            | Message::Goodbye
            | Message::Report(_) => Ok(LeafEvent::Skipped(Skipped::Unexpected(message.kind()))),
        }
    }

    /// Whether both sides have shaken hands.
    pub(super) fn is_established(&self) -> bool {
        self.handshake.is_established()
    }

    /// The server has been heard, or the task did not listen until now: it has the whole hold time again.
    /// Its HELLO must come within ten seconds all the same.
    pub(super) fn heard(&mut self, now: Moment) {
        if self.server_hello.is_some() {
            self.liveness.heard(now);
        }
    }

    /// Whether the server has been silent for too long.
    pub(super) fn is_overdue(&self, now: Moment) -> bool {
        self.liveness.is_overdue(now)
    }

    /// When [`Self::tick`] is due.
    pub(super) fn deadline(&self) -> Moment {
        let deadline = self.liveness.deadline();
        self.keepalive.map_or(deadline, |keepalive| keepalive.min(deadline))
    }

    /// The action due at `now`; a due KEEPALIVE counts as sent.
    ///
    /// # Errors
    /// The reason to end the session.
    pub(super) fn tick(&mut self, now: Moment) -> Result<Due, SessionError> {
        if self.is_overdue(now) {
            return Err(SessionError::HoldTime(self.liveness.hold()));
        }
        match self.keepalive {
            Some(due) if now >= due => {
                self.keepalive = Some(now + self.interval());
                Ok(Due::Keepalive)
            }
            _ => Ok(Due::Nothing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Action, Destination, NextHop, split};

    const START: Moment = Moment(0);

    fn seconds(seconds: f64) -> Moment {
        START + Duration::from_secs_f64(seconds)
    }

    fn hello(keepalive_interval: u32) -> Message {
        Message::Hello(Hello { keepalive_interval, is_server: true, extensions: None })
    }

    fn update() -> Message {
        let destination = Destination::new([10, 0, 0, 0].into(), 8).unwrap();
        let next_hop = NextHop::standard([192, 0, 2, 1].into());
        Message::Update(Update { action: Action::Add, vni: Vni(1), destination, next_hop })
    }

    fn frame(kind: MessageType, payload: &[u8]) -> Frame<'_> {
        Frame { kind, payload }
    }

    fn receive(
        session: &mut LeafSession,
        now: Moment,
        message: &Message,
    ) -> Result<LeafEvent, SessionError> {
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        session.receive(now, &split(&bytes).unwrap().unwrap())
    }

    fn established(ours: u32, theirs: u32) -> LeafSession {
        let mut session = LeafSession::new(START, ours);
        receive(&mut session, START, &hello(theirs)).unwrap();
        let event = receive(&mut session, START, &Message::Keepalive);
        assert_eq!(event, Ok(LeafEvent::Keepalive { established: true }));
        session
    }

    #[test]
    fn the_lower_interval_holds_and_silence_ends_after_two_and_a_half_of_it() {
        for (ours, theirs) in [(2, 5), (5, 2)] {
            let mut session = established(ours, theirs);
            assert_eq!(session.interval(), Duration::from_secs(2));
            assert_eq!(session.tick(seconds(1.9)), Ok(Due::Nothing));
            assert_eq!(session.tick(seconds(2.0)), Ok(Due::Keepalive));
            assert_eq!(session.tick(seconds(2.1)), Ok(Due::Nothing));
            assert_eq!(session.tick(seconds(4.1)), Ok(Due::Keepalive));
            let hold = Duration::from_secs(5);
            assert_eq!(session.tick(seconds(5.0)), Err(SessionError::HoldTime(hold)));
        }
    }

    #[test]
    fn whatever_a_server_says_gives_it_the_whole_time_again() {
        let end_of_table = Message::EndOfTable(Vni(1));
        for message in [Message::Keepalive, update(), hello(2), end_of_table] {
            let mut session = established(2, 2);
            receive(&mut session, seconds(4.0), &message).unwrap();
            assert!(session.tick(seconds(8.9)).is_ok(), "{message:?}");
            assert!(session.tick(seconds(9.0)).is_err(), "{message:?}");
        }
        let mut session = established(2, 2);
        let event = session.receive(seconds(4.0), &frame(MessageType::Update, b"\x08\x02"));
        assert!(matches!(event, Ok(LeafEvent::Skipped(_))), "{event:?}");
        assert!(session.tick(seconds(8.9)).is_ok());
    }

    #[test]
    fn what_comes_before_hello_leaves_a_server_no_more_time_for_it() {
        let mut session = LeafSession::new(START, 1);
        let early = receive(&mut session, seconds(9.0), &Message::Unsubscribe(Vni(1)));
        assert_eq!(early, Ok(LeafEvent::Nothing));
        assert!(session.tick(seconds(10.0)).is_err());
    }

    #[test]
    fn a_message_without_meaning_costs_nothing_but_itself() {
        use MessageType::{EndOfTable, Subscribe, Unsubscribe, Update};
        let mut session = established(5, 5);
        let mut skipped = |kind, payload: &[u8]| match session.receive(START, &frame(kind, payload))
        {
            Ok(LeafEvent::Skipped(skipped)) => Ok(skipped.name()),
            Ok(event) => panic!("{event:?}"),
            Err(error) => Err(error),
        };
        assert_eq!(skipped(Update, b"\xff"), Ok("protobuf"));
        assert_eq!(skipped(Update, b""), Ok("missing_destination"));
        assert_eq!(skipped(EndOfTable, b"\xff"), Ok("protobuf"));
        assert_eq!(skipped(Subscribe, b""), Ok("unexpected"));
        assert_eq!(skipped(Unsubscribe, b""), Ok("unexpected"));
        let invalid = Err(SessionError::Invalid(crate::wire::WireError::Protobuf));
        assert_eq!(skipped(Subscribe, b"\xff"), invalid);
    }

    #[test]
    fn a_server_that_says_nothing_is_given_ten_seconds() {
        let mut session = LeafSession::new(START, 1);
        assert_eq!(session.deadline(), seconds(10.0));
        assert_eq!(session.tick(seconds(9.9)), Ok(Due::Nothing));
        assert!(session.tick(seconds(10.0)).is_err());
    }

    #[test]
    fn what_does_not_fit_the_state_ends_the_session() {
        let mut fresh = LeafSession::new(START, 5);
        let not_hello = receive(&mut fresh, START, &Message::Keepalive);
        assert_eq!(not_hello, Err(SessionError::NotHello(MessageType::Keepalive)));
        receive(&mut fresh, START, &hello(5)).unwrap();
        let early = receive(&mut fresh, START, &update());
        assert_eq!(early, Err(SessionError::NotEstablished(MessageType::Update)));
        let mut session = established(5, 5);
        assert_eq!(receive(&mut session, START, &hello(5)), Ok(LeafEvent::Nothing));
        assert_eq!(receive(&mut session, START, &hello(6)), Err(SessionError::SecondHello));
        let zero = receive(&mut LeafSession::new(START, 5), START, &hello(0));
        assert_eq!(zero, Err(SessionError::Invalid(crate::wire::WireError::KeepaliveInterval)));
    }
}
