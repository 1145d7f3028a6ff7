//! What the driver makes of each answer that the system may give, also of those that no system here ever gives. The
//! system is eleven functions with a list; and the driver is seen not to allocate.

#![cfg(windows)]
#![allow(
    clippy::missing_const_for_thread_local,
    reason = "they are const; clippy does not see it on this target"
)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;

use rio::{Error, Packet, Purpose, Queue, Region, Rio, Sizes, Slice};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use windows_sys::Win32::Networking::WinSock::{
    RIO_BUF, RIO_CORRUPT_CQ, RIO_EXTENSION_FUNCTION_TABLE, RIO_MSG_COMMIT_ONLY, RIO_MSG_DEFER,
    RIO_NOTIFICATION_COMPLETION, RIORESULT, SOCKET, WSASetLastError,
};
use windows_sys::core::{BOOL, PCSTR};

/// The system of one thread.
struct Fake {
    /// What will be taken out: each request, as soon as it is made.
    results: [RIORESULT; 600],
    count: usize,
    /// FALSE and this error, for the next request or commit.
    request_error: i32,
    commit_error: i32,
    notify_answer: i32,
    corrupt: bool,
}

thread_local! {
    static FAKE: RefCell<Fake> = const {
        RefCell::new(Fake {
            results: [RIORESULT { Status: 0, BytesTransferred: 0, SocketContext: 0, RequestContext: 0 }; 600],
            count: 0,
            request_error: 0,
            commit_error: 0,
            notify_answer: 0,
            corrupt: false,
        })
    };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn fake<T>(act: impl FnOnce(&mut Fake) -> T) -> T {
    FAKE.with(|fake| act(&mut fake.borrow_mut()))
}

fn fails(code: i32) -> BOOL {
    // SAFETY: it sets a number of this thread.
    unsafe { WSASetLastError(code) };
    0
}

/// # Safety
///
/// `data` is null or a description. The others below need nothing.
unsafe extern "system" fn request(
    _: isize,
    data: *const RIO_BUF,
    _: u32,
    flags: u32,
    context: *const c_void,
) -> BOOL {
    fake(|fake| {
        if flags == RIO_MSG_COMMIT_ONLY {
            return match std::mem::take(&mut fake.commit_error) {
                0 => 1,
                code => fails(code),
            };
        }
        assert_eq!(flags, RIO_MSG_DEFER);
        let error = std::mem::take(&mut fake.request_error);
        if error == 0 || error == 997 {
            let place = fake.count;
            fake.results[place] = RIORESULT {
                Status: 0,
                // SAFETY: a description, by our contract.
                BytesTransferred: unsafe { (*data).Length },
                SocketContext: 0,
                RequestContext: context as u64,
            };
            fake.count += 1;
        }
        if error == 0 { 1 } else { fails(error) }
    })
}

/// # Safety
///
/// Room for `size` results.
unsafe extern "system" fn dequeue(_: isize, array: *mut RIORESULT, size: u32) -> u32 {
    fake(|fake| {
        if fake.corrupt {
            return RIO_CORRUPT_CQ;
        }
        let taken = fake.count.min(size as usize);
        for index in 0..taken {
            // SAFETY: room for so many, by our contract.
            unsafe { array.add(index).write(fake.results[index]) };
        }
        fake.results.copy_within(taken..fake.count, 0);
        fake.count -= taken;
        taken as u32
    })
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn notify(_: isize) -> i32 {
    fake(|fake| fake.notify_answer)
}

/// # Safety
///
/// As [`request`].
unsafe extern "system" fn request_ex(
    queue: isize,
    data: *const RIO_BUF,
    count: u32,
    local: *const RIO_BUF,
    remote: *const RIO_BUF,
    control: *const RIO_BUF,
    flags_out: *const RIO_BUF,
    flags: u32,
    context: *const c_void,
) -> BOOL {
    assert!(local.is_null() && control.is_null() && flags_out.is_null());
    // SAFETY: null or descriptions, by our contract.
    let [data_len, remote_len] =
        [data, remote].map(|it| unsafe { it.as_ref() }.map_or(0, |it| it.Length));
    assert_eq!(count, u32::from(data_len > 0), "without bytes there is no buffer");
    assert!(remote.is_null() || remote_len == 28);
    // An empty datagram's address stands for the bytes that this system says to have sent.
    // SAFETY: the same contract.
    unsafe { request(queue, if data.is_null() { remote } else { data }, 1, flags, context) }
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn create_completions(
    _: u32,
    _: *const RIO_NOTIFICATION_COMPLETION,
) -> isize {
    1
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn create_queue(
    _: SOCKET,
    _: u32,
    _: u32,
    _: u32,
    _: u32,
    _: isize,
    _: isize,
    _: *const c_void,
) -> isize {
    2
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn register(_: PCSTR, _: u32) -> isize {
    3
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn nothing(_: isize) {}

fn table() -> RIO_EXTENSION_FUNCTION_TABLE {
    RIO_EXTENSION_FUNCTION_TABLE {
        RIOReceive: Some(request),
        RIOSend: Some(request),
        RIOReceiveEx: Some(request_ex),
        RIOSendEx: Some(request_ex),
        RIOCreateCompletionQueue: Some(create_completions),
        RIOCloseCompletionQueue: Some(nothing),
        RIOCreateRequestQueue: Some(create_queue),
        RIODequeueCompletion: Some(dequeue),
        RIODeregisterBuffer: Some(nothing),
        RIONotify: Some(notify),
        RIORegisterBuffer: Some(register),
        ..Default::default()
    }
}

/// A driver with one queue for 300 receives and 2 sends, and a region for each direction.
fn start() -> (Rio, Queue, [Region; 2]) {
    let packet = Packet { port: ptr::null_mut(), key: 0, overlapped: NonNull::dangling() };
    let sizes = Sizes { completions: 400, queues: 2, regions: 2 };
    // SAFETY: nothing behind these functions looks at the port.
    let mut rio = unsafe { Rio::new(&table(), packet, sizes) }.unwrap();
    let memory = NonNull::dangling();
    // SAFETY: nor at the memory.
    let receives = unsafe { rio.register(memory, 100, Purpose::Receives) }.unwrap();
    // SAFETY: as above.
    let sends = unsafe { rio.register(memory, 100, Purpose::Sends) }.unwrap();
    let queue = rio.open_queue(7, 300, 2).unwrap();
    (rio, queue, [receives, sends])
}

fn slice(region: Region) -> Slice {
    Slice { region, offset: 0, len: 10 }
}

#[test]
fn a_table_with_a_gap_is_none() {
    let packet = Packet { port: ptr::null_mut(), key: 0, overlapped: NonNull::dangling() };
    let sizes = Sizes { completions: 1, queues: 1, regions: 1 };
    let gaps = [
        RIO_EXTENSION_FUNCTION_TABLE { RIONotify: None, ..table() },
        RIO_EXTENSION_FUNCTION_TABLE { RIOSendEx: None, ..table() },
    ];
    for gap in gaps {
        // SAFETY: it is not used.
        let made = unsafe { Rio::new(&gap, packet, sizes) };
        assert_eq!(made.err(), Some(Error::System(10045)));
    }
    for completions in [0, u32::MAX] {
        // SAFETY: nor is this one.
        let made = unsafe { Rio::new(&table(), packet, Sizes { completions, ..sizes }) };
        assert_eq!(made.err(), Some(Error::Bounds));
    }
}

#[test]
fn a_refused_request_has_not_happened() {
    let (mut rio, queue, [receives, sends]) = start();
    fake(|fake| fake.request_error = 10055);
    assert_eq!(rio.send(queue, slice(sends), 1), Err(Error::System(10055)));
    assert_eq!(rio.in_flight(), 0);
    rio.commit(|_, _| unreachable!());
    assert_eq!(rio.calls().commits, 0);
    // Neither place nor region is taken.
    assert_eq!(rio.send(queue, slice(sends), 1), Ok(()));
    fake(|fake| fake.request_error = 10014);
    assert_eq!(rio.receive(queue, slice(receives), 2), Err(Error::System(10014)));
    assert_eq!(rio.in_flight(), 1);
}

#[test]
fn datagrams_have_their_addresses_beside_them_and_are_refused_like_all_else() {
    let (mut rio, queue, [receives, sends]) = start();
    fake(|fake| fake.request_error = 10055);
    assert_eq!(rio.send_to(queue, slice(sends), Some(12), 1), Err(Error::System(10055)));
    assert_eq!(rio.send_to(queue, slice(sends), Some(8), 1), Err(Error::Bounds));
    assert_eq!(rio.send_to(queue, slice(sends), Some(76), 1), Err(Error::Bounds));
    assert_eq!(rio.receive_from(queue, slice(receives), 96, 1), Err(Error::Bounds));
    assert_eq!(rio.receive_from(queue, slice(sends), 12, 1), Err(Error::Purpose));
    assert_eq!(rio.in_flight(), 0);
    assert_eq!(rio.send_to(queue, slice(sends), Some(12), 1), Ok(()));
    assert_eq!(rio.send_to(queue, slice(sends), Some(12), 2), Err(Error::RegionBusy));
    assert_eq!(rio.receive_from(queue, slice(receives), 12, 3), Ok(()));
    let mut ended = Vec::new();
    assert_eq!(rio.drain(|context, status, bytes| ended.push((context, status, bytes))), Ok(2));
    assert_eq!(ended, [(1, 0, 10), (3, 0, 10)]);
    // To the peer of a connected socket; and without any bytes.
    assert_eq!(rio.send_to(queue, slice(sends), None, 4), Ok(()));
    assert_eq!(rio.drain(|_, _, _| {}), Ok(1));
    let empty = Slice { len: 0, ..slice(sends) };
    assert_eq!(rio.send_to(queue, empty, Some(0), 5), Ok(()));
    assert_eq!(rio.drain(|_, _, _| {}), Ok(1));
}

#[test]
fn a_request_that_fails_as_pending_was_taken() {
    let (mut rio, queue, [_, sends]) = start();
    fake(|fake| fake.request_error = 997);
    assert_eq!(rio.send(queue, slice(sends), 5), Ok(()));
    let mut ended = Vec::new();
    assert_eq!(rio.drain(|context, status, bytes| ended.push((context, status, bytes))), Ok(1));
    assert_eq!(ended, [(5, 0, 10)]);
}

#[test]
fn a_refused_commit_names_its_queue_and_the_others_are_committed() {
    let (mut rio, first, [receives, sends]) = start();
    let second = rio.open_queue(8, 1, 1).unwrap();
    rio.receive(first, slice(receives), 1).unwrap();
    rio.send(second, slice(sends), 2).unwrap();
    fake(|fake| fake.commit_error = 10022);
    let mut refused = Vec::new();
    rio.commit(|queue, code| refused.push((queue, code)));
    assert_eq!(refused, [(second, 10022)]);
    assert_eq!(rio.calls().commits, 2);
    rio.commit(|_, _| unreachable!());
    assert_eq!(rio.calls().commits, 2);
}

#[test]
fn what_is_deferred_is_committed_before_its_socket_is_closed() {
    let (mut rio, queue, [receives, _]) = start();
    rio.receive(queue, slice(receives), 1).unwrap();
    let mut closed = None;
    rio.close_queue(queue, |socket| closed = Some(socket)).unwrap();
    assert_eq!((closed, rio.calls().commits), (Some(7), 1));
    rio.commit(|_, _| unreachable!());
    assert_eq!(rio.receive(queue, slice(receives), 2), Err(Error::Gone));
    assert_eq!(rio.room(), 400 - 302);
    assert_eq!(rio.drain(|_, _, _| {}), Ok(1));
    assert_eq!((rio.room(), rio.in_flight()), (400, 0));
}

#[test]
fn all_that_has_ended_is_taken_out_at_once() {
    let (mut rio, queue, [receives, _]) = start();
    for context in 0..300 {
        rio.receive(queue, slice(receives), context).unwrap();
    }
    assert_eq!(rio.receive(queue, slice(receives), 300), Err(Error::QueueFull));
    let mut next = 0;
    let count = rio.drain(|context, _, _| {
        assert_eq!(context, next);
        next += 1;
    });
    assert_eq!((count, rio.calls().dequeues), (Ok(300), 3));
    assert_eq!(rio.drain(|_, _, _| unreachable!()), Ok(0));
}

#[test]
fn an_answer_to_nobody_is_counted_and_ignored() {
    let (mut rio, queue, [receives, _]) = start();
    rio.receive(queue, slice(receives), 1).unwrap();
    // The same one twice, and one that never was.
    fake(|fake| {
        fake.results[1] = fake.results[0];
        fake.results[2] = RIORESULT { RequestContext: u64::MAX, ..fake.results[0] };
        fake.count = 3;
    });
    let mut ended = Vec::new();
    assert_eq!(rio.drain(|context, _, _| ended.push(context)), Ok(3));
    assert_eq!((&ended[..], rio.strays(), rio.in_flight()), (&[1][..], 2, 0));
}

#[test]
fn a_corrupt_queue_is_an_error() {
    let (mut rio, ..) = start();
    fake(|fake| fake.corrupt = true);
    assert_eq!(rio.drain(|_, _, _| unreachable!()), Err(Error::Corrupt));
}

#[test]
fn a_packet_is_asked_for_once_until_it_has_come() {
    let (mut rio, queue, [receives, _]) = start();
    rio.receive(queue, slice(receives), 1).unwrap();
    fake(|fake| fake.notify_answer = 10022);
    assert_eq!(rio.before_sleep(), Err(Error::System(10022)));
    fake(|fake| fake.notify_answer = 0);
    for _ in 0..3 {
        assert_eq!(rio.before_sleep(), Ok(()));
    }
    assert_eq!(rio.calls().notifies, 2);
    rio.notified();
    fake(|fake| fake.notify_answer = 10037);
    // That a packet is on its way was unknown, and is known now.
    assert_eq!(rio.before_sleep(), Err(Error::System(10037)));
    assert_eq!(rio.before_sleep(), Ok(()));
    assert_eq!(rio.calls().notifies, 3);
}

struct Counting;

// SAFETY: the system's allocator, and a count.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the same contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn nothing_is_allocated_after_the_set_up() {
    let (mut rio, _, [receives, sends]) = start();
    let before = ALLOCATIONS.get();
    for round in 0..1_000 {
        let queue = rio.open_queue(9, 40, 1).unwrap();
        for context in 0..40 {
            rio.receive(queue, slice(receives), context).unwrap();
        }
        rio.send(queue, slice(sends), round).unwrap();
        rio.commit(|_, _| {});
        rio.before_sleep().unwrap();
        rio.notified();
        assert_eq!(rio.drain(|_, _, _| {}), Ok(41));
        rio.close_queue(queue, |_| {}).unwrap();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(rio.calls().commits, 2_000);
}
