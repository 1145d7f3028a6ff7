//! At each bound the driver says which it is, before the system is asked; nothing is lost by it, and it goes on.

#![cfg(windows)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use rio::{Error, Purpose, Queue, Rio, Sizes, Slice, Slots};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ptr::NonNull;
use support::{Port, close, connect, listener};
use windows_sys::Win32::Networking::WinSock::{INVALID_SOCKET, SOCKET};

const SIZES: Sizes = Sizes { completions: 4, queues: 2, regions: 3 };

/// A driver, and two connections of which none has a queue.
fn start() -> (Rio, Port, Vec<TcpStream>, Vec<SOCKET>) {
    let port = Port::new();
    let rio = port.rio(&rio_model::table(), SIZES);
    let (clients, sockets) = connect(&listener(), 2);
    (rio, port, clients, sockets)
}

/// Sleeps until something has ended, and takes it out.
fn next(rio: &mut Rio, port: &mut Port) -> Vec<(u64, i32, u32)> {
    loop {
        let mut ended = Vec::new();
        rio.drain(|context, status, bytes| ended.push((context, status, bytes))).unwrap();
        if !ended.is_empty() {
            return ended;
        }
        rio.before_sleep().unwrap();
        port.wait();
        rio.notified();
    }
}

fn commit(rio: &mut Rio) {
    rio.commit(|_: Queue, code| panic!("refused with {code}"));
}

#[test]
fn queues_and_their_room_run_out() {
    let (mut rio, _port, _clients, sockets) = start();
    assert_eq!(rio.open_queue(sockets[0], 3, 2), Err(Error::CompletionRoom));
    assert_eq!(rio.open_queue(sockets[0], 0, 0), Err(Error::Bounds));
    let first = rio.open_queue(sockets[0], 1, 1).unwrap();
    let second = rio.open_queue(sockets[1], 1, 0).unwrap();
    assert_eq!(rio.open_queue(sockets[1], 1, 0), Err(Error::Queues));
    rio.close_queue(second, close).unwrap();
    assert_eq!(rio.close_queue(second, close), Err(Error::Gone));
    assert_eq!(rio.room(), 2);
    rio.close_queue(first, close).unwrap();
    assert_eq!((rio.room(), rio_model::total()), (4, 0));
}

#[test]
fn a_queue_is_full_until_a_completion_was_taken_out() {
    let (mut rio, mut port, mut clients, sockets) = start();
    let mut slots = Slots::new(&mut rio, Purpose::Receives, 2, 64).unwrap();
    let [a, b] = [slots.take().unwrap(), slots.take().unwrap()];
    assert!(slots.take().is_none());
    let queue = rio.open_queue(sockets[0], 1, 1).unwrap();
    rio.receive(queue, slots.slice(&a, 64), 1).unwrap();
    assert_eq!(rio.receive(queue, slots.slice(&b, 64), 2), Err(Error::QueueFull));
    commit(&mut rio);
    clients[0].write_all(b"hello").unwrap();
    assert_eq!(next(&mut rio, &mut port), [(1, 0, 5)]);
    // SAFETY: the receive is over.
    assert_eq!(unsafe { &slots.bytes(&a)[..5] }, b"hello");
    rio.receive(queue, slots.slice(&b, 64), 2).unwrap();
    commit(&mut rio);
    // Closing the socket ends what is in flight; only then is there room again, and the memory free.
    rio.close_queue(queue, close).unwrap();
    assert_eq!((rio.in_flight(), rio.room()), (1, 2));
    let ended = next(&mut rio, &mut port);
    assert!(matches!(ended[..], [(2, status, 0)] if status != 0), "{ended:?}");
    assert_eq!((rio.in_flight(), rio.room()), (0, 4));
    slots.end(&mut rio).unwrap();
    close(sockets[1]);
    assert_eq!(rio_model::total(), 0);
}

#[test]
fn a_region_is_busy_while_a_send_uses_it_and_is_not_deregistered() {
    let (mut rio, mut port, mut clients, sockets) = start();
    let memory = NonNull::from(Box::leak(Box::new([b'x'; 64]))).cast();
    // SAFETY: never freed.
    let region = unsafe { rio.register(memory, 64, Purpose::Sends) }.unwrap();
    let slice = |offset, len| Slice { region, offset, len };
    let queue = rio.open_queue(sockets[0], 1, 2).unwrap();
    rio.send(queue, slice(0, 10), 1).unwrap();
    assert_eq!(rio.send(queue, slice(10, 10), 2), Err(Error::RegionBusy));
    assert_eq!(rio.deregister(region), Err(Error::RegionBusy));
    assert_eq!(rio.send(queue, slice(60, 5), 2), Err(Error::Bounds));
    assert_eq!(rio.receive(queue, slice(0, 10), 2), Err(Error::Purpose));
    commit(&mut rio);
    // Over, but in use until it was taken out.
    clients[0].read_exact(&mut [0; 10]).unwrap();
    assert_eq!(rio.deregister(region), Err(Error::RegionBusy));
    assert_eq!(next(&mut rio, &mut port), [(1, 0, 10)]);
    assert_eq!(rio.deregister(region), Ok(()));
    assert_eq!(rio.deregister(region), Err(Error::Gone));
    assert_eq!(rio.send(queue, slice(0, 10), 2), Err(Error::Gone));
    rio.close_queue(queue, close).unwrap();
    close(sockets[1]);
    assert_eq!(rio_model::total(), 0);
}

#[test]
fn regions_run_out_and_what_was_registered_in_vain_is_given_back() {
    let (mut rio, _port, _clients, sockets) = start();
    assert!(matches!(Slots::new(&mut rio, Purpose::Sends, 4, 64), Err(Error::Regions)));
    assert!(matches!(Slots::new(&mut rio, Purpose::Sends, 0, 64), Err(Error::Bounds)));
    assert!(matches!(Slots::new(&mut rio, Purpose::Receives, 1, u32::MAX), Err(Error::Bounds)));
    let slots = Slots::new(&mut rio, Purpose::Sends, 3, 64).unwrap();
    slots.end(&mut rio).unwrap();
    sockets.into_iter().for_each(close);
    assert_eq!(rio_model::total(), 0);
}

#[test]
fn a_socket_that_is_none_takes_no_room() {
    let (mut rio, _port, _clients, sockets) = start();
    sockets.into_iter().for_each(close);
    // The number of one that is closed may be another test's by now; these are nobody's.
    for socket in [INVALID_SOCKET, 1 << 30] {
        assert!(matches!(rio.open_queue(socket, 2, 2), Err(Error::System(_))));
        assert_eq!(rio.room(), 4);
    }
}

#[test]
fn without_anything_in_flight_no_packet_is_asked_for() {
    let (mut rio, mut port, mut clients, sockets) = start();
    rio.before_sleep().unwrap();
    assert_eq!(rio.calls().notifies, 0);
    let mut slots = Slots::new(&mut rio, Purpose::Receives, 1, 64).unwrap();
    let slot = slots.take().unwrap();
    let queue = rio.open_queue(sockets[0], 1, 1).unwrap();
    rio.receive(queue, slots.slice(&slot, 64), 1).unwrap();
    commit(&mut rio);
    for _ in 0..3 {
        // A packet is on its way: it is not asked for again.
        rio.before_sleep().unwrap();
        assert!(!port.try_wait(0));
    }
    assert_eq!(rio.calls().notifies, 1);
    clients[0].write_all(b"hello").unwrap();
    port.wait();
    rio.notified();
    assert_eq!(next(&mut rio, &mut port), [(1, 0, 5)]);
    rio.close_queue(queue, close).unwrap();
    close(sockets[1]);
    assert_eq!(rio_model::total(), 0);
}
