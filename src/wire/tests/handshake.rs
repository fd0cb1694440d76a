//! Which messages may come when.

use crate::wire::MessageType::{EndOfTable, Hello, Keepalive, Subscribe, Unsubscribe, Update};
use crate::wire::{Breach, Handshake, Phase, Side};

#[test]
fn a_session_is_established_once_from_either_side() {
    for side in [Side::Leaf, Side::Reflector] {
        let mut handshake = Handshake::new(side);
        assert_eq!(handshake.phase(), Phase::AwaitingHello);
        assert_eq!(handshake.take(Unsubscribe), Ok(false));
        assert_eq!(handshake.take(Hello), Ok(false));
        assert_eq!(handshake.phase(), Phase::AwaitingKeepalive);
        assert_eq!(handshake.take(Hello), Ok(false), "whether it is the same is not known here");
        assert_eq!(handshake.take(Keepalive), Ok(true));
        assert_eq!(handshake.take(Keepalive), Ok(false));
        for kind in [Hello, Subscribe, Unsubscribe, Update, EndOfTable] {
            assert_eq!(handshake.take(kind), Ok(false));
        }
        assert!(handshake.is_established());
    }
}

#[test]
fn what_comes_too_early_breaks_it_and_changes_nothing() {
    for side in [Side::Leaf, Side::Reflector] {
        let mut handshake = Handshake::new(side);
        for kind in [Keepalive, Subscribe, Update, EndOfTable] {
            assert_eq!(handshake.take(kind), Err(Breach::NotHello(kind)));
        }
        assert_eq!(handshake.take(Hello), Ok(false));
        assert_eq!(handshake.take(Update), Err(Breach::NotEstablished(Update)));
        // A leaf serves nothing, so a request to it is not early but odd.
        let early = Err(Breach::NotEstablished(Subscribe));
        let subscribe = handshake.take(Subscribe);
        assert_eq!(subscribe, if side == Side::Reflector { early } else { Ok(false) });
        assert_eq!(handshake.phase(), Phase::AwaitingKeepalive);
    }
}
