//! Tests of the outbox, with batches of a real VNI.

use std::sync::Arc;

use ahash::RandomState;

use crate::ids::{Moment, PeerId, ShardId};
use crate::outbox::{Gather, Outbox, OutboxBounds};
use crate::policy::{Rights, Selection};
use crate::session::Cut;
use crate::table::{self, Batch, Origin, Vnet};
use crate::wire::{
    Action, Capabilities, Destination, Extensions, Hello, Message, NextHop, Vni, split,
};

const READER: PeerId = PeerId(2);
const BOUNDS: OutboxBounds =
    OutboxBounds { budget: 6_000, low_water: 5000, copy_max: 500, write_max: 1000 };

/// One VNI with an announcer and a reader in sync.
struct Source(Vnet);

impl Source {
    fn new(vni: u32) -> Self {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut vnet = Vnet::new(Vni(vni), table::TableBounds::default(), hasher);
        let member = vnet.member(Self::origin(READER));
        vnet.subscribe(member);
        assert!(vnet.chunk(READER, 1000, Moment(0)).is_some_and(|(_, chunk)| chunk.in_sync));
        Self(vnet)
    }

    fn origin(peer: PeerId) -> Origin {
        Origin {
            peer,
            shard: ShardId(0),
            is_server: false,
            rights: Rights::default(),
            selection: Selection::default(),
        }
    }

    /// A batch with these changes of routes by the number of their destination.
    fn batch(&mut self, announcer: u64, changes: &[(Action, u8)]) -> Arc<Batch> {
        let member = self.0.member(Self::origin(PeerId(announcer)));
        for (action, number) in changes {
            let destination = Destination::new([10, 0, 0, *number].into(), 32).expect("a prefix");
            let hop = NextHop::standard([0xfd00, 0, 0, 0, 0, 0, 0, 1].into());
            self.0.update(member, *action, &destination, &hop);
        }
        self.0.seal();
        let mut sealed = self.0.take_sealed();
        assert_eq!(sealed.len(), 1);
        sealed.remove(0).1
    }

    fn add(&mut self, numbers: std::ops::Range<u8>) -> Arc<Batch> {
        let changes: Vec<_> = numbers.map(|number| (Action::Add, number)).collect();
        self.batch(1, &changes)
    }
}

fn written(outbox: &mut Outbox) -> Vec<Vec<Message>> {
    std::iter::from_fn(|| outbox.next_write(&BOUNDS, Gather::default))
        .map(|write| messages(&write.to_vec()))
        .collect()
}

fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some(frame) = split(bytes).expect("a frame") {
        messages.push(Message::decode(&frame).expect("a message"));
        bytes = &bytes[frame.len()..];
    }
    assert!(bytes.is_empty(), "a write ends within a message");
    messages
}

#[test]
fn at_rest_it_keeps_no_memory_but_what_waits() {
    let mut source = Source::new(1);
    let mut outbox = Outbox::default();
    outbox.control(&Message::Keepalive);
    outbox.offer(&BOUNDS, READER, &source.add(0..3)).expect("room");
    outbox.rest();
    assert_eq!(written(&mut outbox).len(), 1, "what waits is kept");
    outbox.rest();
    assert_eq!((outbox.queue.capacity(), outbox.control.capacity()), (0, 0));
}

#[test]
fn small_batches_go_out_in_one_write() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    for i in 0..5 {
        assert!(outbox.offer(&BOUNDS, READER, &source.add(i..i + 1)).is_ok_and(|queued| queued));
    }
    let writes = written(&mut outbox);
    assert_eq!(writes.iter().map(Vec::len).collect::<Vec<_>>(), [5]);
    assert!(outbox.is_empty());
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn large_batches_go_out_in_one_write_that_copies_nothing() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    let batch = source.add(0..100);
    assert!(outbox.offer(&BOUNDS, READER, &batch).is_ok());
    let next = source.add(100..150);
    assert!(outbox.offer(&BOUNDS, READER, &next).is_ok());
    let bounds = OutboxBounds { write_max: 1 << 20, ..BOUNDS };
    let write = outbox.next_write(&bounds, Gather::default).expect("a write");
    let places: Vec<_> = write.slices(0).map(<[u8]>::as_ptr).collect();
    assert_eq!(places, [batch.bytes().as_ptr(), next.bytes().as_ptr()]);
}

#[test]
fn control_overtakes_updates() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    assert!(outbox.offer(&BOUNDS, READER, &source.add(0..100)).is_ok());
    outbox.control(&Message::Keepalive);
    assert_eq!(written(&mut outbox)[0], [Message::Keepalive]);
}

#[test]
fn the_first_keepalive_is_answered_behind_the_longest_hello() {
    let mut outbox = Outbox::default();
    let name = "n".repeat(Extensions::MAX_STRING);
    let extensions = Some(Extensions::new(Capabilities::STREAM, name.clone(), name));
    let hello = Message::Hello(Hello { keepalive_interval: 5, is_server: true, extensions });
    outbox.control(&hello);
    outbox.control(&Message::Keepalive);
    assert_eq!(written(&mut outbox), [[hello, Message::Keepalive]]);
}

#[test]
fn keepalive_answers_do_not_pile_up() {
    let mut outbox = Outbox::default();
    for _ in 0..100_000 {
        outbox.control(&Message::Keepalive);
    }
    assert!(written(&mut outbox)[0].len() < 300);
}

#[test]
fn a_batch_with_nothing_for_a_peer_is_not_queued() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    let own = source.batch(READER.0, &[(Action::Add, 1)]);
    assert!(outbox.offer(&BOUNDS, READER, &own).is_ok_and(|queued| !queued));
    assert!(outbox.is_empty());
}

#[test]
fn a_batch_over_the_budget_is_refused_from_the_first_unsent() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    let first = source.add(0..100);
    assert!(outbox.offer(&BOUNDS, READER, &first).is_ok());
    assert!(outbox.offer(&BOUNDS, READER, &source.add(100..150)).is_ok());
    let refusal = outbox.offer(&BOUNDS, READER, &source.add(150..250)).expect_err("too much");
    assert!(Arc::ptr_eq(&refusal.from, &first));
    assert!(outbox.is_empty() && outbox.bytes() == 0);
}

#[test]
fn a_mebibyte_waits_and_then_the_next_batch_is_refused() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    // However large its references are, so that only bytes count.
    let (bounds, batch) = (OutboxBounds::default(), source.add(0..200));
    let mut taken = 0;
    while outbox.offer(&bounds, READER, &batch).is_ok() {
        taken += batch.len();
        assert_eq!(outbox.bytes(), taken);
    }
    assert!(taken <= 1 << 20 && taken + batch.len() > 1 << 20, "{taken} bytes");
}

#[test]
fn so_many_references_wait_and_then_the_next_batch_is_refused() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    let (bounds, batch) = (OutboxBounds::default(), source.add(0..1));
    for _ in 0..1024 {
        assert!(outbox.offer(&bounds, READER, &batch).is_ok());
    }
    assert!(outbox.bytes() < bounds.budget / 2);
    let refusal = outbox.offer(&bounds, READER, &batch).expect_err("too many");
    assert!(Arc::ptr_eq(&refusal.from, &batch) && outbox.is_empty());
}

#[test]
fn one_batch_is_taken_whatever_its_size() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    let bounds = OutboxBounds { budget: 1, ..BOUNDS };
    assert!(outbox.offer(&bounds, READER, &source.add(0..100)).is_ok());
}

#[test]
fn a_change_of_what_is_unsent_is_refused_so_that_both_become_one() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    let first = source.add(0..2);
    assert!(outbox.offer(&BOUNDS, READER, &first).is_ok());
    assert!(outbox.offer(&BOUNDS, READER, &source.add(2..3)).is_ok());
    let back = source.batch(1, &[(Action::Remove, 1)]);
    let refusal = outbox.offer(&BOUNDS, READER, &back).expect_err("both are pending");
    assert!(Arc::ptr_eq(&refusal.from, &first));
    assert!(outbox.is_empty());
}

#[test]
fn a_change_of_what_is_sent_is_not_refused() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    assert!(outbox.offer(&BOUNDS, READER, &source.add(0..2)).is_ok());
    assert_eq!(written(&mut outbox).len(), 1);
    let back = source.batch(1, &[(Action::Remove, 1)]);
    assert!(outbox.offer(&BOUNDS, READER, &back).is_ok());
}

#[test]
fn other_vnis_stay_when_one_is_refused_or_forgotten() {
    let (mut one, mut two, mut outbox) = (Source::new(1), Source::new(2), Outbox::default());
    assert!(outbox.offer(&BOUNDS, READER, &one.add(0..1)).is_ok());
    assert!(outbox.offer(&BOUNDS, READER, &two.add(0..1)).is_ok());
    assert!(outbox.offer(&BOUNDS, READER, &one.batch(1, &[(Action::Remove, 0)])).is_err());
    assert_eq!(written(&mut outbox)[0].len(), 1);
    assert!(outbox.offer(&BOUNDS, READER, &one.add(1..2)).is_ok());
    assert!(outbox.offer(&BOUNDS, READER, &two.add(1..2)).is_ok());
    outbox.forget(Vni(2));
    let [Message::Update(update)] = &written(&mut outbox)[0][..] else { panic!("one update") };
    assert_eq!(update.vni, Vni(1));
    assert_eq!(outbox.bytes(), 0);
}

#[test]
fn what_has_begun_is_forgotten_with_its_subscription() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    assert!(outbox.offer(&BOUNDS, READER, &source.add(0..50)).is_ok());
    assert!(outbox.next_record(Some(Cut::Most(400)), Gather::default).is_some());
    outbox.forget(Vni(1));
    assert!(outbox.is_empty() && outbox.bytes() == 0);
}

/// The rest follows without fail, so no cursor begins there: the journal may forget it, however long the peer takes.
#[test]
fn a_batch_of_which_a_part_is_written_pins_no_journal() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    let batch = source.add(0..50);
    let (start, pin) = (batch.start, Arc::downgrade(&batch));
    assert!(outbox.offer(&BOUNDS, READER, &batch).is_ok());
    drop(batch);
    assert_eq!(pin.strong_count(), 1, "a cursor may begin at what waits");
    assert!(outbox.next_record(Some(Cut::Most(400)), Gather::default).is_some());
    assert_eq!(outbox.in_flight(Vni(1)), Some(start));
    let mut dropped = 0;
    outbox.finished(|_| dropped += 1);
    assert_eq!((dropped, pin.strong_count()), (1, 0));
    let waiting = outbox.waiting(Vni(1), |_| true);
    assert_eq!((waiting.batches, waiting.first, waiting.is_in_answer), (1, Some(start), false));
    let rest = written(&mut outbox).concat();
    assert!((1..50).contains(&rest.len()), "{} messages follow", rest.len());
}

#[test]
fn records_hold_whole_messages_and_at_least_one() {
    let (mut source, mut outbox) = (Source::new(1), Outbox::default());
    assert!(outbox.offer(&BOUNDS, READER, &source.add(0..20)).is_ok());
    assert!(outbox.next_record(None, Gather::default).is_none());
    let one = outbox.next_record(Some(Cut::One), Gather::default).expect("a record");
    assert_eq!(messages(&one.to_vec()).len(), 1);
    let more = outbox.next_record(Some(Cut::Most(200)), Gather::default).expect("a record");
    assert!(more.len() <= 200 && messages(&more.to_vec()).len() > 1);
    outbox.control(&Message::Keepalive);
    let control = outbox.next_record(None, Gather::default).expect("a record");
    assert_eq!(messages(&control.to_vec()), [Message::Keepalive]);
}

#[test]
fn the_end_of_a_table_follows_its_last_chunk() {
    let mut outbox = Outbox::default();
    let batch = Source::new(1).add(0..3);
    outbox.catch_up(READER, Vni(1), Some(&batch), true);
    let writes = written(&mut outbox).concat();
    assert_eq!(writes.len(), 4);
    assert_eq!(writes[3], Message::EndOfTable(Vni(1)));
}
