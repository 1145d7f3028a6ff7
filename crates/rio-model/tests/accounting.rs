//! The driver's accounts, alone: they are plain data, so these tests run on any system.

// The files are the driver's; what only its calls use is not used here.
#![allow(dead_code)]

#[path = "../../kael-rt/src/sys/windows/rio/error.rs"]
mod error;
#[path = "../../kael-rt/src/sys/windows/rio/queues.rs"]
mod queues;
#[path = "../../kael-rt/src/sys/windows/rio/regions.rs"]
mod regions;
#[path = "../../kael-rt/src/sys/windows/rio/room.rs"]
mod room;
#[path = "../../kael-rt/src/sys/windows/rio/slab.rs"]
mod slab;

use error::Error;
use queues::{Direction, Queues};
use regions::{Purpose, Regions, Slice};
use room::Room;
use slab::{Key, Slab};

#[test]
fn a_key_names_what_was_put_in_and_not_what_came_after_it() {
    let mut slab = Slab::new(2);
    let first = slab.insert('a').unwrap();
    let second = slab.insert('b').unwrap();
    assert!(slab.is_full() && slab.insert('c').is_none());
    assert_eq!(slab.remove(first), Some('a'));
    assert_eq!(slab.remove(first), None);
    let third = slab.insert('c').unwrap();
    assert_ne!(first, third);
    assert_eq!(slab.get(first), None);
    assert_eq!(slab.get(second), Some(&mut 'b'));
    assert_eq!(slab.used(), 2);
    assert_eq!(Key::from_bits(third.to_bits()), third);
    assert_eq!(slab.get(Key::from_bits(u64::MAX)), None);
    assert!(Slab::<char>::new(0).insert('d').is_none());
}

#[test]
fn room_is_reserved_before_and_given_back_after() {
    let mut room = Room::new(10);
    assert_eq!(room.reserve(6), Ok(()));
    assert_eq!(room.reserve(5), Err(Error::CompletionRoom));
    assert_eq!((room.reserve(4), room.left()), (Ok(()), 0));
    room.release(6);
    assert_eq!(room.left(), 6);
}

#[test]
#[should_panic(expected = "never reserved")]
fn room_is_not_given_back_twice() {
    let mut room = Room::new(10);
    room.reserve(3).unwrap();
    room.release(3);
    room.release(3);
}

#[test]
fn w04_a_region_for_sends_carries_one_send_whatever_part_of_it() {
    let mut regions = Regions::new(2);
    let region = regions.insert(7, 100, Purpose::Sends).unwrap();
    let slice = |offset, len| Slice { region, offset, len };
    assert_eq!(regions.id_for(slice(0, 10), Purpose::Sends), Ok(7));
    regions.begin(region);
    assert_eq!(regions.id_for(slice(50, 10), Purpose::Sends), Err(Error::RegionBusy));
    assert_eq!(regions.id_for(slice(50, 10), Purpose::Receives), Err(Error::Purpose));
    assert_eq!(regions.remove(region), Err(Error::RegionBusy));
    assert_eq!(regions.idle().count(), 0);
    regions.end(region);
    assert_eq!(regions.id_for(slice(50, 10), Purpose::Sends), Ok(7));
    assert_eq!(regions.remove(region), Ok(7));
    assert_eq!(regions.id_for(slice(50, 10), Purpose::Sends), Err(Error::Gone));
}

#[test]
fn a_region_for_receives_carries_many_and_no_send() {
    let mut regions = Regions::new(1);
    let region = regions.insert(7, 100, Purpose::Receives).unwrap();
    assert_eq!(regions.insert(8, 100, Purpose::Receives), Err(Error::Regions));
    let slice = |offset, len| Slice { region, offset, len };
    for offset in [0, 50] {
        assert_eq!(regions.id_for(slice(offset, 50), Purpose::Receives), Ok(7));
        regions.begin(region);
    }
    assert_eq!(regions.id_for(slice(0, 50), Purpose::Sends), Err(Error::Purpose));
    regions.end(region);
    assert_eq!(regions.remove(region), Err(Error::RegionBusy));
    regions.end(region);
    assert_eq!(regions.remove(region), Ok(7));
}

#[test]
fn a_slice_lies_in_its_region() {
    let mut regions = Regions::new(1);
    let region = regions.insert(7, 100, Purpose::Receives).unwrap();
    for (offset, len) in [(0, 101), (100, 1), (1, 100), (u32::MAX, 2), (2, u32::MAX)] {
        let slice = Slice { region, offset, len };
        assert_eq!(regions.id_for(slice, Purpose::Receives), Err(Error::Bounds), "{slice:?}");
    }
    assert_eq!(regions.id_for(Slice { region, offset: 99, len: 1 }, Purpose::Receives), Ok(7));
}

#[test]
fn w08_an_address_lies_whole_beside_its_bytes_in_their_region() {
    let mut regions = Regions::new(2);
    let region = regions.insert(7, 100, Purpose::Sends).unwrap();
    let slice = Slice { region, offset: 40, len: 20 };
    for address in [0, 12, 60, 72] {
        assert_eq!(regions.id_with_address(slice, address, Purpose::Sends), Ok(7), "{address}");
    }
    // In the bytes, from either side; not aligned; beyond the end, and far beyond.
    for address in [16, 40, 56, 2, 61, 76, 100, u32::MAX - 3] {
        let asked = regions.id_with_address(slice, address, Purpose::Sends);
        assert_eq!(asked, Err(Error::Bounds), "{address}");
    }
    // No bytes, and an address all the same.
    let empty = Slice { region, offset: 0, len: 0 };
    assert_eq!(regions.id_with_address(empty, 0, Purpose::Sends), Ok(7));
    // It is in flight with them, and nothing else may use it.
    regions.begin(region);
    assert_eq!(regions.id_with_address(slice, 0, Purpose::Sends), Err(Error::RegionBusy));
    let other = regions.insert(8, 100, Purpose::Receives).unwrap();
    let asked = regions.id_with_address(Slice { region: other, ..slice }, 0, Purpose::Sends);
    assert_eq!(asked, Err(Error::Purpose));
}

#[test]
fn a_queue_has_its_limits_by_direction() {
    let mut queues = Queues::new(1);
    let queue = queues.insert(5, [2, 1]).unwrap();
    assert_eq!(queues.insert(6, [1, 1]), Err(Error::Queues));
    queues.set_id(queue, 9);
    for direction in [Direction::Receive, Direction::Receive, Direction::Send] {
        assert_eq!(queues.id_for(queue, direction), Ok(9));
        queues.begin(queue, direction);
    }
    assert_eq!(queues.id_for(queue, Direction::Receive), Err(Error::QueueFull));
    assert_eq!(queues.id_for(queue, Direction::Send), Err(Error::QueueFull));
    assert_eq!(queues.end(queue, Direction::Receive), None);
    assert_eq!(queues.id_for(queue, Direction::Receive), Ok(9));
}

#[test]
fn w02_a_queue_waits_for_one_commit_however_much_was_deferred() {
    let mut queues = Queues::new(3);
    let [a, b, c] = [10, 20, 30].map(|id| {
        let queue = queues.insert(0, [8, 8]).unwrap();
        queues.set_id(queue, id);
        queue
    });
    for _ in 0..4 {
        queues.begin(a, Direction::Receive);
        queues.begin(b, Direction::Send);
        queues.begin(c, Direction::Receive);
    }
    queues.begin(c, Direction::Send);
    // One in the middle is taken out before its turn: the others keep their places.
    assert_eq!(queues.take_touched(a), Ok((10, [true, false])));
    assert_eq!(queues.take_touched(a), Ok((10, [false, false])));
    assert_eq!(queues.take_touched(c), Ok((30, [true, true])));
    queues.begin(a, Direction::Send);
    assert_eq!(queues.pop_touched(), Some((a, 10, [false, true])));
    assert_eq!(queues.pop_touched(), Some((b, 20, [false, true])));
    assert_eq!(queues.pop_touched(), None);
}

#[test]
fn a_closed_queue_keeps_its_room_until_its_last_completion() {
    let mut queues = Queues::new(1);
    let queue = queues.insert(5, [2, 3]).unwrap();
    queues.begin(queue, Direction::Receive);
    queues.begin(queue, Direction::Send);
    queues.take_touched(queue).unwrap();
    assert_eq!(queues.close(queue), Ok(5));
    assert_eq!(queues.remove_if_over(queue), None);
    assert_eq!(queues.close(queue), Err(Error::Gone));
    assert_eq!(queues.id_for(queue, Direction::Send), Err(Error::Gone));
    assert_eq!(queues.end(queue, Direction::Send), None);
    assert!(queues.is_full());
    assert_eq!(queues.end(queue, Direction::Receive), Some(5));
    assert!(!queues.is_full());
}

#[test]
fn an_idle_queue_gives_its_room_back_when_it_is_closed() {
    let mut queues = Queues::new(1);
    let queue = queues.insert(5, [2, 3]).unwrap();
    assert_eq!(queues.close(queue), Ok(5));
    assert_eq!(queues.remove_if_over(queue), Some(5));
    assert_eq!(queues.remove_if_over(queue), None);
    let next = queues.insert(6, [1, 1]).unwrap();
    assert_ne!(queue, next);
    queues.forget(next);
    assert!(!queues.is_full());
}

#[test]
fn each_bound_has_an_error_that_says_which_and_a_code_that_is_winsocks() {
    for full in [Error::Regions, Error::Queues, Error::CompletionRoom, Error::QueueFull] {
        assert!(full.is_full() && full.code() == 10055, "{full:?}");
    }
    assert!(Error::System(10055).is_full() && Error::RegionBusy.is_full());
    for other in [Error::Purpose, Error::Bounds, Error::Gone, Error::Corrupt, Error::System(10054)]
    {
        assert!(!other.is_full(), "{other:?}");
    }
}
