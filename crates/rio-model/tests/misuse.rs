//! The model finds out each way to break the contract, and refuses it with Windows' error. A model that overlooks one
//! would say nothing about a driver.

#![cfg(windows)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use rio_model::Violation;
use std::ffi::c_void;
use std::net::TcpStream;
use std::ptr;
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use support::{Port, close, connect, listener};
use windows_sys::Win32::Networking::WinSock::{
    RIO_BUF, RIO_BUFFERID, RIO_CORRUPT_CQ, RIO_CQ, RIO_EXTENSION_FUNCTION_TABLE,
    RIO_IOCP_COMPLETION, RIO_MSG_COMMIT_ONLY, RIO_MSG_DEFER, RIO_NOTIFICATION_COMPLETION,
    RIO_NOTIFICATION_COMPLETION_0, RIO_NOTIFICATION_COMPLETION_0_1, RIO_RQ, RIORESULT, SOCKET,
    WSAGetLastError,
};

const WSAEFAULT: i32 = 10014;
const WSAEINVAL: i32 = 10022;
const WSAEALREADY: i32 = 10037;
const WSAENOBUFS: i32 = 10055;

/// The counts are the process's, so one test at a time.
static ONE: Mutex<()> = Mutex::new(());

/// The functions as a program without a driver sees them, a connection, and two registered buffers of 100 bytes.
struct Bench {
    table: RIO_EXTENSION_FUNCTION_TABLE,
    completions: RIO_CQ,
    queue: RIO_RQ,
    buffers: [RIO_BUFFERID; 2],
    socket: SOCKET,
    client: TcpStream,
    _port: Port,
    _one: MutexGuard<'static, ()>,
}

impl Bench {
    /// Room for four completions, which a queue of two receives and two sends takes.
    fn new() -> Bench {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let table = rio_model::table();
        let port = Port::new();
        let packet = port.packet();
        let notification = RIO_NOTIFICATION_COMPLETION {
            Type: RIO_IOCP_COMPLETION,
            Anonymous: RIO_NOTIFICATION_COMPLETION_0 {
                Iocp: RIO_NOTIFICATION_COMPLETION_0_1 {
                    IocpHandle: packet.port,
                    CompletionKey: packet.key as *mut c_void,
                    Overlapped: packet.overlapped.as_ptr().cast(),
                },
            },
        };
        // SAFETY: the port is open as long as the queue is used.
        let completions =
            unsafe { table.RIOCreateCompletionQueue.unwrap()(4, &raw const notification) };
        assert_ne!(completions, 0);
        // SAFETY: memory that is never freed.
        let buffers = [(); 2].map(|()| unsafe {
            table.RIORegisterBuffer.unwrap()(Box::leak(Box::new([b'x'; 100])).as_mut_ptr(), 100)
        });
        let (mut clients, sockets) = connect(&listener(), 1);
        let (client, socket) = (clients.remove(0), sockets[0]);
        let mut bench =
            Bench { table, completions, queue: 0, buffers, socket, client, _port: port, _one: one };
        bench.queue = bench.open(2, 2).unwrap();
        bench
    }

    fn open(&self, receives: u32, sends: u32) -> Result<RIO_RQ, i32> {
        // SAFETY: numbers.
        let queue = unsafe {
            self.table.RIOCreateRequestQueue.unwrap()(
                self.socket,
                receives,
                1,
                sends,
                1,
                self.completions,
                self.completions,
                ptr::null(),
            )
        };
        if queue == 0 { Err(last_error()) } else { Ok(queue) }
    }

    fn receive(&self, buffer: RIO_BUFFERID, offset: u32, len: u32) -> Result<(), i32> {
        let buffer = RIO_BUF { BufferId: buffer, Offset: offset, Length: len };
        // SAFETY: the buffers are never freed.
        let taken = unsafe {
            self.table.RIOReceive.unwrap()(self.queue, &raw const buffer, 1, 0, ptr::null())
        };
        if taken == 0 { Err(last_error()) } else { Ok(()) }
    }

    fn send(&self, buffer: RIO_BUFFERID, offset: u32, len: u32, flags: u32) -> Result<(), i32> {
        let buffer = RIO_BUF { BufferId: buffer, Offset: offset, Length: len };
        // SAFETY: the buffers are never freed.
        let taken = unsafe {
            self.table.RIOSend.unwrap()(self.queue, &raw const buffer, 1, flags, ptr::null())
        };
        if taken == 0 { Err(last_error()) } else { Ok(()) }
    }

    fn dequeue(&self) -> u32 {
        let mut results = [RIORESULT::default(); 4];
        // SAFETY: room for four.
        unsafe {
            self.table.RIODequeueCompletion.unwrap()(self.completions, results.as_mut_ptr(), 4)
        }
    }

    fn notify(&self) -> i32 {
        // SAFETY: a number.
        unsafe { self.table.RIONotify.unwrap()(self.completions) }
    }

    fn deregister(&self, buffer: RIO_BUFFERID) {
        // SAFETY: a number.
        unsafe { self.table.RIODeregisterBuffer.unwrap()(buffer) };
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // SAFETY: a number. The transfers that are left write into memory that is never freed.
        unsafe { self.table.RIOCloseCompletionQueue.unwrap()(self.completions) };
        close(self.socket);
    }
}

fn last_error() -> i32 {
    // SAFETY: this thread's last error.
    unsafe { WSAGetLastError() }
}

/// How many violations `act` was, of this kind and of all.
fn violations(kind: Violation, act: impl FnOnce()) -> (u64, u64) {
    let before = (rio_model::count(kind), rio_model::total());
    act();
    (rio_model::count(kind) - before.0, rio_model::total() - before.1)
}

#[test]
fn slices_lie_in_their_buffers() {
    let bench = Bench::new();
    let [a, _] = bench.buffers;
    let found = violations(Violation::Bounds, || {
        assert_eq!(bench.receive(a, 90, 11), Err(WSAEINVAL));
        assert_eq!(bench.receive(a, u32::MAX, 2), Err(WSAEINVAL));
        assert_eq!(bench.send(a, 0, 101, 0), Err(WSAEINVAL));
        assert_eq!(bench.receive(a, 90, 10), Ok(()));
    });
    assert_eq!(found, (3, 3));
}

#[test]
fn buffers_are_registered() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::UnknownBuffer, || {
        bench.deregister(b);
        assert_eq!(bench.receive(b, 0, 10), Err(WSAEFAULT));
        assert_eq!(bench.send(b, 0, 10, 0), Err(WSAEFAULT));
        assert_eq!(bench.receive(0xffff_ffff, 0, 10), Err(WSAEFAULT));
        bench.deregister(b);
        assert_eq!(bench.receive(a, 0, 10), Ok(()));
    });
    assert_eq!(found, (4, 4));
}

#[test]
fn nothing_in_use_is_deregistered() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::DeregisteredInUse, || {
        bench.receive(a, 0, 10).unwrap();
        bench.deregister(a);
        // Over, but not taken out: still in use.
        bench.send(b, 0, 10, 0).unwrap();
        bench.deregister(b);
        assert_eq!(bench.dequeue(), 1);
    });
    assert_eq!(found, (2, 2));
    // The send's buffer is free now, the receive's is not.
    assert_eq!(violations(Violation::DeregisteredInUse, || bench.deregister(b)), (0, 0));
}

#[test]
fn a_registration_carries_one_send_and_nothing_else() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::ReusedInFlight, || {
        bench.send(a, 0, 10, RIO_MSG_DEFER).unwrap();
        assert_eq!(bench.send(a, 50, 10, RIO_MSG_DEFER), Err(WSAEINVAL));
        assert_eq!(bench.receive(a, 50, 10), Err(WSAEINVAL));
        bench.receive(b, 0, 10).unwrap();
        // Receives may share it.
        bench.receive(b, 10, 10).unwrap();
        assert_eq!(bench.send(b, 20, 10, 0), Err(WSAEINVAL));
    });
    assert_eq!(found, (3, 3));
}

#[test]
fn queues_do_not_overflow() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::RequestRoom, || {
        bench.receive(a, 0, 10).unwrap();
        bench.receive(a, 10, 10).unwrap();
        assert_eq!(bench.receive(a, 20, 10), Err(WSAENOBUFS));
        // A send that is over counts until it was taken out.
        bench.send(b, 0, 10, 0).unwrap();
        assert_eq!(bench.dequeue(), 1);
        bench.send(b, 0, 10, 0).unwrap();
    });
    assert_eq!(found, (1, 1));
    let found = violations(Violation::CompletionRoom, || {
        assert_eq!(bench.open(1, 0), Err(WSAENOBUFS));
        assert_eq!(bench.open(0, 0), Err(WSAEINVAL));
    });
    assert_eq!(found, (1, 2));
}

#[test]
fn one_notification_at_a_time() {
    let mut bench = Bench::new();
    let [a, _] = bench.buffers;
    let found = violations(Violation::NotifiedTwice, || {
        assert_eq!(bench.notify(), 0);
        assert!(!bench._port.try_wait(0));
        assert_eq!(bench.notify(), WSAEALREADY);
        // Over at once, so the packet is there; after it, one may be asked for again, and comes at once.
        bench.send(a, 0, 10, 0).unwrap();
        bench._port.wait();
        assert_eq!(bench.notify(), 0);
        bench._port.wait();
        assert_eq!(bench.dequeue(), 1);
    });
    assert_eq!(found, (1, 1));
}

#[test]
fn one_thread_at_a_time_in_a_queue() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let second = |act: &(dyn Fn() + Sync), other: &(dyn Fn() + Sync)| {
        let barrier = Arc::new(Barrier::new(2));
        let first = Arc::new(Mutex::new(true));
        let hook_barrier = barrier.clone();
        // The first one in stays until the other has tried.
        let hook = move || {
            if std::mem::take(&mut *first.lock().unwrap()) {
                hook_barrier.wait();
                hook_barrier.wait();
            }
        };
        rio_model::inside(Some(Arc::new(hook)));
        std::thread::scope(|scope| {
            scope.spawn(act);
            barrier.wait();
            other();
            barrier.wait();
        });
        rio_model::inside(None);
    };
    let found = violations(Violation::Concurrent, || {
        second(&|| assert_eq!(bench.dequeue(), 0), &|| assert_eq!(bench.dequeue(), RIO_CORRUPT_CQ));
        // A receive and a send use the same queue.
        second(&|| bench.send(a, 0, 10, RIO_MSG_DEFER).unwrap(), &|| {
            assert_eq!(bench.receive(b, 0, 10), Err(WSAEINVAL));
        });
        // The completion queue and the request queue are two; and to commit is always allowed.
        second(&|| assert_eq!(bench.dequeue(), 0), &|| bench.receive(b, 0, 10).unwrap());
        second(&|| bench.receive(b, 10, 10).unwrap(), &|| {
            // SAFETY: it has no arguments but a number.
            let done = unsafe {
                bench.table.RIOSend.unwrap()(
                    bench.queue,
                    ptr::null(),
                    0,
                    RIO_MSG_COMMIT_ONLY,
                    ptr::null(),
                )
            };
            assert_eq!(done, 1);
        });
    });
    assert_eq!(found, (2, 2));
}

#[test]
fn arguments_go_together() {
    let bench = Bench::new();
    let [a, _] = bench.buffers;
    let found = violations(Violation::Arguments, || {
        // To commit is to do nothing else.
        assert_eq!(bench.send(a, 0, 10, RIO_MSG_COMMIT_ONLY), Err(WSAEINVAL));
        assert_eq!(bench.send(a, 0, 10, RIO_MSG_COMMIT_ONLY | RIO_MSG_DEFER), Err(WSAEINVAL));
    });
    assert_eq!(found, (2, 2));
}

#[test]
fn what_is_deferred_waits_for_the_commit() {
    use std::io::Read;
    let mut bench = Bench::new();
    let [a, _] = bench.buffers;
    bench.send(a, 0, 10, RIO_MSG_DEFER).unwrap();
    bench.client.set_nonblocking(true).unwrap();
    assert!(bench.client.read(&mut [0; 10]).is_err());
    // SAFETY: it has no arguments but a number.
    let done = unsafe {
        bench.table.RIOSend.unwrap()(bench.queue, ptr::null(), 0, RIO_MSG_COMMIT_ONLY, ptr::null())
    };
    assert_eq!((done, bench.dequeue()), (1, 1));
    bench.client.set_nonblocking(false).unwrap();
    bench.client.read_exact(&mut [0; 10]).unwrap();
}
