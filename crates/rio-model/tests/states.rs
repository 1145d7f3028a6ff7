//! The state of a stream over registered I/O, and when a packet is asked for, alone: they are plain data, so these tests
//! run on any system.

// The files are the library's; what only its calls use is not used here.
#![allow(dead_code)]

#[path = "../../kael-rt/src/sys/windows/rio/bell.rs"]
mod bell;
#[path = "../../kael-rt/src/sys/windows/registered/state.rs"]
mod state;

use bell::Bell;
use state::{Part, Receive, SLOT, Send};

const RESET: i32 = 10054;
const SHUT_DOWN: i32 = 109;

#[test]
fn w01_what_comes_for_a_dropped_receive_is_the_next_ones() {
    let mut receive = Receive::default();
    assert!(receive.may_post());
    receive.post();
    // Its request is dropped, and another one waits for the same.
    assert!(!receive.may_post() && receive.held().is_empty());
    receive.came(0, 5);
    assert_eq!(receive.held(), 0..5);
    assert!(!receive.may_post(), "what is held would be written over");
    receive.take(2);
    assert_eq!(receive.held(), 2..5);
    receive.take(3);
    assert!(receive.held().is_empty() && receive.may_post());
}

#[test]
fn w01_the_first_end_stays_behind_what_came_before() {
    let mut receive = Receive::default();
    receive.post();
    // The direction is ended while the system has a receive, which brings something all the same.
    receive.end(0);
    receive.came(0, SLOT + 1);
    assert_eq!((receive.held(), receive.ended()), (0..SLOT as usize, Some(0)));
    receive.take(SLOT as usize);
    assert!(!receive.may_post());
    receive.end(-RESET);
    assert_eq!(receive.ended(), Some(0));

    let mut receive = Receive::default();
    receive.post();
    receive.came(RESET, 7);
    assert!(receive.held().is_empty());
    assert_eq!((receive.ended(), receive.is_posted()), (Some(-RESET), false));
}

#[test]
fn w04_one_send_is_in_flight_and_nothing_is_copied_into_its_slot() {
    let mut send = Send::default();
    assert_eq!((send.next(), send.is_pending()), (None, false));
    send.filled(10);
    let part = send.next().unwrap();
    assert_eq!(part, Part { slot: 0, offset: 0, len: 10 });
    // It was refused for want of memory: the same is asked for again.
    assert_eq!(send.next(), Some(part));
    send.post();
    assert_eq!(send.next(), None);
    assert_eq!(send.front().0, 1, "the other slot is copied into");
    send.filled(SLOT as usize);
    assert!(!send.has_room());
    assert_eq!(send.next(), None, "the slot that is full waits for the one in flight");
    // A part of it was sent, and the rest goes first.
    send.came(4);
    assert_eq!(send.next(), Some(Part { slot: 0, offset: 4, len: 6 }));
    send.post();
    send.came(6);
    assert_eq!(send.next(), Some(Part { slot: 1, offset: 0, len: SLOT }));
    assert!(send.has_room() && send.front() == (0, 0..SLOT as usize));
    send.post();
    send.came(SLOT);
    assert!(!send.is_pending());
}

#[test]
fn a_direction_ends_behind_what_was_written() {
    let mut send = Send::default();
    send.hear();
    assert!(send.end(SHUT_DOWN), "nothing is to be sent");
    assert_eq!((send.failed(), send.unheard()), (Some(SHUT_DOWN), None));

    let mut send = Send::default();
    send.filled(1);
    assert!(!send.end(SHUT_DOWN) && send.ends() && send.failed().is_none());
    send.next().unwrap();
    send.post();
    send.came(1);
    assert!(send.ends_now(SHUT_DOWN) && !send.ends_now(SHUT_DOWN));
    assert_eq!(send.failed(), Some(SHUT_DOWN));
}

#[test]
fn an_error_of_a_send_stays_and_what_was_not_sent_is_forgotten() {
    let mut send = Send::default();
    send.filled(1);
    send.next().unwrap();
    send.post();
    send.filled(1);
    // The queue is given up while a send is in flight: its slot is still the system's.
    send.give_up(RESET);
    assert!(send.is_pending() && send.is_posted() && send.next().is_none());
    send.fail(SHUT_DOWN);
    assert_eq!((send.failed(), send.is_pending(), send.next()), (Some(RESET), false, None));
    assert_eq!(send.unheard(), Some(RESET));
    send.hear();
    assert_eq!((send.unheard(), send.failed()), (None, Some(RESET)));
    assert!(send.end(SHUT_DOWN), "there is nothing to wait for");
    assert_eq!(send.failed(), Some(RESET));
}

#[test]
fn w03_a_packet_is_asked_for_before_each_sleep_with_something_in_flight_and_once() {
    let mut bell = Bell::default();
    for _ in 0..3 {
        assert!(!bell.is_wanted(0), "nothing could come");
        assert!(bell.is_wanted(1));
        bell.asked(true);
        assert!(bell.is_armed() && !bell.is_wanted(1), "one packet is to come");
        bell.rang();
    }
    bell.asked(false);
    assert!(bell.is_wanted(1), "none will come, so it is asked for again");
}
