//! What datagram sockets over registered I/O receive into and send from, alone: it is plain data, so these tests run on any
//! system.

// The files are the library's; what only its calls use is not used here.
#![allow(dead_code)]

#[path = "../../kael-rt/src/sys/windows/registered/datagrams/inbox.rs"]
mod inbox;
#[path = "../../kael-rt/src/sys/windows/registered/names.rs"]
mod names;
#[path = "../../kael-rt/src/sys/windows/registered/datagrams/outbox.rs"]
mod outbox;

use inbox::{Held, Inbox, RECEIVES, ROOM};
use names::{Ended, Way};
use outbox::{Outbox, SENDS};

const RESET: i32 = 10054;

/// One that somebody has asked, with all its receives posted.
fn posted() -> Inbox {
    let mut inbox = Inbox::new();
    assert!(!inbox.may_post(), "nobody has asked for anything");
    inbox.want();
    post(&mut inbox);
    inbox
}

fn post(inbox: &mut Inbox) -> u32 {
    let mut count = 0;
    if inbox.may_post() {
        while let Some(slot) = inbox.free_slot() {
            inbox.post(slot);
            count += 1;
        }
    }
    count
}

#[test]
fn w07_what_comes_for_a_dropped_receive_is_the_next_ones_and_in_its_order() {
    let mut inbox = posted();
    // Nobody waits, and the slots do not say what came first.
    for (slot, bytes) in [(5, 100), (2, 0), (63, ROOM + 1)] {
        inbox.came(slot, Ok(bytes));
    }
    inbox.came(0, Err(RESET));
    let expected = [(5, Ok(100)), (2, Ok(0)), (63, Ok(ROOM)), (0, Err(RESET))];
    for (slot, result) in expected {
        // However often it is asked for without being taken.
        assert_eq!(inbox.first(), Some(Held { slot, result }));
        assert_eq!(inbox.first(), Some(Held { slot, result }));
        inbox.take();
    }
    assert_eq!(inbox.first(), None);
}

#[test]
fn w07_what_is_held_is_not_received_into() {
    let mut inbox = posted();
    for slot in 0..RECEIVES {
        inbox.came(slot, Ok(1));
    }
    assert!(inbox.is_idle() && !inbox.may_post() && inbox.free_slot().is_none());
    // Half of them go, and only those are posted again: together, so that they share a call.
    for taken in 1..=RECEIVES / 2 {
        assert!(!inbox.may_post());
        inbox.take();
        assert_eq!(inbox.may_post(), taken == RECEIVES / 2);
    }
    assert_eq!(post(&mut inbox), RECEIVES / 2);
    assert_eq!(inbox.first().unwrap().slot, RECEIVES / 2);
}

#[test]
fn a_receive_that_came_to_nothing_is_posted_again() {
    let mut inbox = posted();
    for slot in 0..RECEIVES / 2 {
        assert!(!inbox.may_post());
        inbox.came_to_nothing(slot);
    }
    assert_eq!((inbox.first(), post(&mut inbox)), (None, RECEIVES / 2));
}

#[test]
fn whoever_waits_for_a_datagram_waits_for_a_receive_that_is_posted() {
    let mut inbox = posted();
    let mut chance = 1_u64;
    for _ in 0..100_000 {
        chance =
            chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let slot = (chance >> 58) as u32;
        match chance >> 40 & 3 {
            0 => inbox.take(),
            1 => drop(post(&mut inbox)),
            _ if inbox.is_posted(slot) && chance >> 42 & 7 == 0 => inbox.came_to_nothing(slot),
            _ if inbox.is_posted(slot) => inbox.came(slot, Ok(4)),
            _ => {}
        }
        assert!(inbox.first().is_some() || !inbox.is_idle() || inbox.may_post());
    }
}

#[test]
fn another_socket_finds_nothing_of_the_last_ones() {
    let mut inbox = posted();
    inbox.came(7, Ok(3));
    for slot in (0..RECEIVES).filter(|slot| *slot != 7) {
        // The socket was closed.
        inbox.came(slot, Err(995));
    }
    inbox.begin();
    assert!(inbox.first().is_none() && !inbox.may_post());
    inbox.want();
    assert_eq!(post(&mut inbox), RECEIVES);
}

#[test]
fn w08_datagrams_that_find_no_slot_wait_in_their_order_and_none_is_lost() {
    let mut outbox = Outbox::new();
    for one in 0..SENDS + 10 {
        outbox.push(one);
    }
    let mut slots: Vec<u32> = Vec::new();
    for one in 0..SENDS {
        let (slot, got) = outbox.next().unwrap();
        assert_eq!(got, one);
        assert!(!slots.contains(&slot), "one at a time is in a slot");
        slots.push(slot);
    }
    assert_eq!(outbox.next(), None);
    // Room for one, but the system is short of memory: it stays the first.
    outbox.free_again(slots[9]);
    let (slot, got) = outbox.next().unwrap();
    assert_eq!((slot, got), (slots[9], SENDS));
    outbox.put_back(slot, got);
    // One is given up that has not been sent.
    assert_eq!(outbox.remove(|one| *one == SENDS + 1), Some(SENDS + 1));
    assert_eq!(outbox.remove(|one| *one == SENDS + 1), None);
    let rest: Vec<u32> = (SENDS..SENDS + 10).filter(|one| *one != SENDS + 1).collect();
    for one in rest {
        let (slot, got) = outbox.next().unwrap();
        assert_eq!((slot, got), (slots[9], one));
        outbox.free_again(slot);
    }
    assert_eq!(outbox.next(), None);
}

#[test]
fn names_come_back_as_they_were() {
    for way in [Way::Stream(0), Way::Stream(1023), Way::Datagrams(0), Way::Datagrams(15)] {
        assert_eq!(Way::from_bits(way.to_bits()), way);
    }
    let all = [
        Ended::Receive(0),
        Ended::Receive(1023),
        Ended::Send(1023),
        Ended::Datagram { socket: 15, slot: 63 },
        Ended::Datagram { socket: 0, slot: 0 },
        Ended::SentDatagram { slot: 63 },
    ];
    for ended in all {
        assert_eq!(Ended::from_bits(ended.to_bits()), ended);
    }
}
