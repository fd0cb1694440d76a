//! Two processes and what lies between them, at random: each may be killed, may hang and go on, may be asked
//! to end, and may find the other too slow, at any step.
//!
//! The machines are those that run; the model stands in for their drivers. Each rule of the protocol can be
//! left out here, and a test shows that something breaks then.

use std::collections::VecDeque;

use super::{Predecessor, Successor, predecessor, successor};
use crate::simulation::Rng;

/// The largest number of messages that the socket holds in each direction.
const ROOM: usize = 3;
/// The number of messages of a snapshot; the last of them is Whole.
const PIECES: usize = 5;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Message {
    Request,
    Welcome,
    Prepared,
    Piece,
    Whole,
    Ready,
    Commit,
    Taken,
    CalledOff,
    Refused,
}

/// Rules that a test can leave out.
#[derive(Clone, Copy, Debug)]
struct Rules {
    /// The predecessor kills a successor that it could not tell about the end of the handover.
    kills_the_untold: bool,
    /// The successor sends Taken before it serves, not at some later time.
    says_taken_first: bool,
    /// The successor serves after its predecessor's death only if it could send Ready.
    must_say_ready: bool,
    /// The predecessor's death counts, not that its end is closed.
    needs_death: bool,
    /// The successor reads all messages that are left before it believes in the predecessor's death.
    reads_all_first: bool,
    /// The predecessor tells the successor before it serves again.
    tells_first: bool,
}

const ALL: Rules = Rules {
    kills_the_untold: true,
    says_taken_first: true,
    must_say_ready: true,
    needs_death: true,
    reads_all_first: true,
    tells_first: true,
};

/// A process as the kernel sees it.
#[derive(Debug, Default)]
struct Process {
    is_dead: bool,
    hangs: bool,
    /// Whether it has closed its end of the socket.
    has_closed: bool,
    inbox: VecDeque<Message>,
}

impl Process {
    fn is_open(&self) -> bool {
        !self.is_dead && !self.has_closed
    }

    fn runs(&self) -> bool {
        !self.is_dead && !self.hangs
    }

    fn die(&mut self) {
        (self.is_dead, self.has_closed) = (true, true);
    }
}

#[derive(Debug)]
struct World {
    rng: Rng,
    rules: Rules,
    /// Whether all faults are over.
    is_calm: bool,
    old: Process,
    new: Process,
    predecessor: Predecessor,
    successor: Successor,
    /// The work in progress of the predecessor's driver.
    freezes: bool,
    pieces_left: usize,
    /// Whether each process has ever served after the freeze.
    took_back: bool,
    served: bool,
    /// Whether the successor still has to send Taken.
    owes_taken: bool,
    /// Whether Ready could be sent, as the driver itself saw.
    could_say_ready: bool,
    was_holding_when_old_died: bool,
    log: Vec<String>,
}

impl World {
    fn new(seed: u64, rules: Rules) -> Self {
        let mut old = Process::default();
        old.inbox.push_back(Message::Request);
        Self {
            rng: Rng::new(seed),
            rules,
            is_calm: false,
            old,
            new: Process::default(),
            predecessor: Predecessor::new(),
            successor: Successor::new(),
            freezes: false,
            pieces_left: 0,
            took_back: false,
            served: false,
            owes_taken: false,
            could_say_ready: false,
            was_holding_when_old_died: false,
            log: Vec::new(),
        }
    }

    fn old_serves(&self) -> bool {
        !self.old.is_dead && self.predecessor.serves()
    }

    fn new_serves(&self) -> bool {
        !self.new.is_dead && self.successor.serves()
    }

    fn check(&self) -> Result<(), String> {
        let both = self.old_serves() && self.new_serves();
        let one_after_the_other = self.took_back && self.served;
        if both || one_after_the_other {
            return Err(format!("two have served the same sessions\n{}", self.log.join("\n")));
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), String> {
        match self.rng.between(0, 99) {
            _ if self.is_calm => self.work(),
            0 => self.kill_old(),
            1 => self.kill_new(),
            2..=4 => self.old.hangs ^= true,
            5..=7 => self.new.hangs ^= true,
            8 if self.old.runs() => self.tell_old(predecessor::PredecessorEvent::Stopped),
            10..=12 if self.old.runs() => self.tell_old(predecessor::PredecessorEvent::Late),
            13 if self.new.runs() => self.tell_new(successor::SuccessorEvent::Late),
            _ => self.work(),
        }
        self.check()
    }

    fn kill_old(&mut self) {
        if !self.old.is_dead {
            self.log.push("the predecessor is killed".into());
            self.was_holding_when_old_died = self.successor.stage()
                == successor::SuccessorStage::Holding
                && self.could_say_ready
                && !self.new.is_dead;
            self.old.die();
        }
    }

    fn kill_new(&mut self) {
        if !self.new.is_dead {
            self.log.push("the successor is killed".into());
            self.new.die();
        }
    }

    fn work(&mut self) {
        if self.rng.chance(500) {
            self.old_works();
        } else {
            self.new_works();
        }
    }

    fn old_works(&mut self) {
        use predecessor::PredecessorEvent;
        if !self.old.runs() || self.old.has_closed {
            return;
        }
        if std::mem::take(&mut self.freezes) {
            let frozen = self.is_calm || self.rng.chance(900);
            return self.tell_old(if frozen {
                PredecessorEvent::Frozen
            } else {
                PredecessorEvent::NotFrozen
            });
        }
        if self.pieces_left > 0
            && self.predecessor.stage() == predecessor::PredecessorStage::Sending
        {
            if !self.new.is_open() {
                self.pieces_left = 0;
                return self.tell_old(PredecessorEvent::Left);
            }
            if self.new.inbox.len() < ROOM {
                self.pieces_left -= 1;
                let is_last = self.pieces_left == 0;
                self.new.inbox.push_back(if is_last { Message::Whole } else { Message::Piece });
                if is_last {
                    self.tell_old(PredecessorEvent::Sent);
                }
            }
            return;
        }
        match self.old.inbox.pop_front() {
            Some(Message::Request) => self.tell_old(PredecessorEvent::Requested),
            Some(Message::Prepared) => self.tell_old(PredecessorEvent::Prepared),
            Some(Message::Ready) => self.tell_old(PredecessorEvent::Ready),
            Some(Message::Taken) => self.tell_old(PredecessorEvent::Taken),
            Some(_) => self.tell_old(PredecessorEvent::Refused),
            None if self.new.is_dead => self.tell_old(PredecessorEvent::Died),
            None if self.new.has_closed => self.tell_old(PredecessorEvent::Left),
            None => {}
        }
    }

    fn tell_old(&mut self, event: predecessor::PredecessorEvent) {
        use predecessor::{PredecessorAction, PredecessorEvent, PredecessorStage};
        if self.old.is_dead {
            return;
        }
        let action = self.predecessor.on(event);
        self.log.push(format!("predecessor: {event:?} -> {action:?}"));
        match action {
            None => {}
            Some(PredecessorAction::Welcome) => self.new.inbox.push_back(Message::Welcome),
            Some(PredecessorAction::Freeze) => self.freezes = true,
            Some(PredecessorAction::Send) => self.pieces_left = PIECES,
            Some(PredecessorAction::Commit) if self.new.is_open() => {
                self.new.inbox.push_back(Message::Commit);
            }
            Some(PredecessorAction::Commit) => self.tell_old(PredecessorEvent::Left),
            Some(PredecessorAction::CallOff) => {
                if !self.new.is_open() || !self.rules.tells_first {
                    self.tell_old(PredecessorEvent::Told);
                } else if self.new.inbox.len() < ROOM {
                    self.new.inbox.push_back(Message::CalledOff);
                    self.tell_old(PredecessorEvent::Told);
                } else {
                    let is_told = !self.rules.kills_the_untold;
                    self.tell_old(if is_told {
                        PredecessorEvent::Told
                    } else {
                        PredecessorEvent::NotTold
                    });
                }
            }
            Some(PredecessorAction::Kill) => {
                self.kill_new();
                // All its messages are read before its death counts.
                while let Some(message) = self.old.inbox.pop_front() {
                    if message == Message::Taken {
                        self.tell_old(PredecessorEvent::Taken);
                    }
                }
                self.tell_old(PredecessorEvent::Died);
            }
            Some(PredecessorAction::TakeBack) => self.took_back = true,
        }
        match self.predecessor.stage() {
            PredecessorStage::CalledOff => self.old.has_closed = true,
            PredecessorStage::HandedOver => self.old.die(),
            _ => {}
        }
    }

    fn new_works(&mut self) {
        use successor::SuccessorEvent;
        if !self.new.runs() || self.new.has_closed {
            return;
        }
        if std::mem::take(&mut self.owes_taken) && self.old.is_open() {
            self.old.inbox.push_back(Message::Taken);
            return;
        }
        let death_first = !self.rules.reads_all_first && self.old.is_dead;
        if death_first {
            return self.tell_new(SuccessorEvent::Died);
        }
        match self.new.inbox.pop_front() {
            Some(Message::Welcome) => self.tell_new(SuccessorEvent::Welcomed),
            Some(Message::Whole) => self.tell_new(SuccessorEvent::Whole),
            Some(Message::Commit) => self.tell_new(SuccessorEvent::Committed),
            Some(Message::CalledOff) => self.tell_new(SuccessorEvent::CalledOff),
            Some(_) => {}
            None if self.old.is_dead => self.tell_new(SuccessorEvent::Died),
            None if self.old.has_closed && !self.rules.needs_death => {
                self.tell_new(SuccessorEvent::Died);
            }
            None if self.old.has_closed => self.tell_new(SuccessorEvent::Left),
            None => {}
        }
    }

    fn tell_new(&mut self, event: successor::SuccessorEvent) {
        use successor::{SuccessorAction, SuccessorEvent};
        let action = self.successor.on(event);
        self.log.push(format!("successor: {event:?} -> {action:?}"));
        match action {
            None => {}
            Some(SuccessorAction::Prepare) => {
                let is_fit = self.is_calm || self.rng.chance(900);
                self.tell_new(if is_fit {
                    SuccessorEvent::Prepared
                } else {
                    SuccessorEvent::Unfit
                });
            }
            Some(SuccessorAction::SayPrepared) => self.say(Message::Prepared),
            Some(SuccessorAction::SayReady) => {
                self.could_say_ready = self.old.is_open();
                self.say(Message::Ready);
                if !self.could_say_ready && self.rules.must_say_ready {
                    self.tell_new(SuccessorEvent::NotTold);
                }
            }
            Some(SuccessorAction::Serve) => {
                self.served = true;
                if self.rules.says_taken_first {
                    self.say(Message::Taken);
                } else {
                    self.owes_taken = true;
                }
            }
            Some(SuccessorAction::Refuse) => {
                self.say(Message::Refused);
                self.new.die();
            }
            Some(SuccessorAction::End) => self.new.die(),
        }
    }

    fn say(&mut self, message: Message) {
        if self.old.is_open() {
            self.old.inbox.push_back(message);
        }
    }

    /// Runs until everything that can still happen has happened.
    fn settle(&mut self) -> Result<(), String> {
        self.is_calm = true;
        (self.old.hangs, self.new.hangs) = (false, false);
        for _ in 0..200 {
            self.step()?;
        }
        // A predecessor that still waits finds the successor too slow.
        self.tell_old(predecessor::PredecessorEvent::Late);
        for _ in 0..200 {
            self.step()?;
        }
        let lost = |what: &str| Err(format!("{what}\n{}", self.log.join("\n")));
        if !self.old.is_dead && !self.old_serves() {
            return lost("the predecessor lives, and neither serves nor has handed over");
        }
        if self.was_holding_when_old_died
            && !self.new.is_dead
            && !self.took_back
            && !self.new_serves()
        {
            return lost(
                "the successor held everything when the predecessor died, and does not serve",
            );
        }
        let has_handed_over = self.predecessor.stage() == predecessor::PredecessorStage::HandedOver;
        if has_handed_over && !self.served {
            return lost("the predecessor has handed over to nobody");
        }
        Ok(())
    }
}

fn run(seed: u64, rules: Rules) -> Result<(), String> {
    let mut world = World::new(seed, rules);
    for _ in 0..world.rng.between(5, 80) {
        world.step()?;
    }
    world.settle()
}

/// The first of these seeds that breaks a rule, with the error.
fn first_failure(rules: Rules, seeds: u64) -> Option<(u64, String)> {
    (1..=seeds).find_map(|seed| run(seed, rules).err().map(|error| (seed, error)))
}

#[test]
fn no_two_processes_serve_and_no_session_is_lost_that_somebody_holds() {
    if let Some((seed, error)) = first_failure(ALL, 50_000) {
        panic!("seed {seed}: {error}");
    }
}

#[test]
fn handovers_succeed_and_are_called_off_at_every_stage() {
    let (mut taken, mut alone, mut called_off) = (0, 0, 0);
    for seed in 1..=5_000 {
        let mut world = World::new(seed, ALL);
        for _ in 0..world.rng.between(5, 80) {
            world.step().unwrap();
        }
        world.settle().unwrap();
        let has_committed = world.predecessor.stage() == predecessor::PredecessorStage::HandedOver;
        taken += u32::from(world.served && has_committed);
        alone += u32::from(world.served && !has_committed);
        called_off += u32::from(world.took_back);
    }
    assert!(taken > 500 && alone > 2 && called_off > 500, "{taken} {alone} {called_off}");
}

#[test]
fn each_rule_is_needed() {
    let without = [
        ("kills_the_untold", Rules { kills_the_untold: false, must_say_ready: false, ..ALL }),
        ("says_taken_first", Rules { says_taken_first: false, ..ALL }),
        ("must_say_ready", Rules { must_say_ready: false, kills_the_untold: false, ..ALL }),
        ("needs_death", Rules { needs_death: false, tells_first: false, ..ALL }),
        ("reads_all_first", Rules { reads_all_first: false, ..ALL }),
        ("tells_first", Rules { tells_first: false, ..ALL }),
    ];
    for (rule, rules) in without {
        assert!(first_failure(rules, 50_000).is_some(), "nothing breaks without {rule}");
    }
}
