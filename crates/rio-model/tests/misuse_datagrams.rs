//! What `misuse.rs` shows of streams, of datagrams: the model finds out each way to break the contract of the calls with
//! addresses.

#![cfg(windows)]

#[allow(dead_code, unused_imports)]
#[path = "../../kael-rt/src/sys/windows/rio/mod.rs"]
mod rio;
#[allow(dead_code)]
mod support;

use rio_model::Violation;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, UdpSocket};
use std::os::windows::io::FromRawSocket;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use support::{close, connect, datagram_socket, listener};
use windows_sys::Win32::Networking::WinSock::{
    AF_INET, RIO_BUF, RIO_BUFFERID, RIO_CQ, RIO_EXTENSION_FUNCTION_TABLE, RIO_MSG_COMMIT_ONLY,
    RIO_MSG_DEFER, RIO_RQ, RIORESULT, SOCKADDR_IN, SOCKET, WSAGetLastError,
};

const WSAEFAULT: i32 = 10014;
const WSAEINVAL: i32 = 10022;
const WSAEMSGSIZE: i32 = 10040;
const WSAEOPNOTSUPP: i32 = 10045;
const WSAENOBUFS: i32 = 10055;
const WSAENOTCONN: i32 = 10057;

/// Bytes of a SOCKADDR_INET.
const ADDRESS: u32 = 28;

/// The counts are the process's, so one test at a time.
static ONE: Mutex<()> = Mutex::new(());

/// Registered memory of a bench.
#[repr(C, align(16))]
struct Memory([u8; 200]);

/// The functions as a program without a driver sees them, a datagram socket, one to talk to, and two registered buffers
/// of 200 bytes, of which the second begins with the other socket's address.
struct Bench {
    table: RIO_EXTENSION_FUNCTION_TABLE,
    completions: RIO_CQ,
    queue: RIO_RQ,
    buffers: [RIO_BUFFERID; 2],
    memory: [*mut Memory; 2],
    socket: SOCKET,
    addr: SocketAddr,
    other: UdpSocket,
    _one: MutexGuard<'static, ()>,
}

type Slice = (RIO_BUFFERID, u32, u32);

impl Bench {
    fn new() -> Bench {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let table = rio_model::table();
        // SAFETY: without a notification, there is no pointer.
        let completions = unsafe { table.RIOCreateCompletionQueue.unwrap()(8, ptr::null()) };
        assert_ne!(completions, 0);
        let (socket, addr) = datagram_socket();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let memory = [(); 2].map(|()| Box::into_raw(Box::new(Memory([b'x'; 200]))));
        let name = SOCKADDR_IN {
            sin_family: AF_INET,
            sin_port: other.local_addr().unwrap().port().to_be(),
            ..Default::default()
        };
        // SAFETY: it is aligned for any address, and has room.
        unsafe {
            let mut name = name;
            name.sin_addr.S_un.S_addr = u32::from(std::net::Ipv4Addr::LOCALHOST).to_be();
            memory[1].cast::<SOCKADDR_IN>().write(name);
        }
        // SAFETY: memory that is never freed.
        let buffers = memory
            .map(|at| unsafe { table.RIORegisterBuffer.unwrap()(at.cast_const().cast(), 200) });
        let queue = open(&table, completions, socket);
        Bench { table, completions, queue, buffers, memory, socket, addr, other, _one: one }
    }

    fn receive(&self, data: Option<Slice>, from: Option<Slice>) -> Result<(), i32> {
        self.call(false, data, [None, from, None, None], 0)
    }

    fn send(&self, data: Option<Slice>, to: Option<Slice>) -> Result<(), i32> {
        self.call(true, data, [None, to, None, None], 0)
    }

    fn call(
        &self,
        sends: bool,
        data: Option<Slice>,
        others: [Option<Slice>; 4],
        flags: u32,
    ) -> Result<(), i32> {
        let count = u32::from(data.is_some());
        call(&self.table, self.queue, sends, (data, count), others, flags)
    }

    /// What has ended: status and bytes of each.
    fn dequeue(&self) -> Vec<(i32, u32)> {
        let mut results = [RIORESULT::default(); 8];
        // SAFETY: room for eight.
        let count = unsafe {
            self.table.RIODequeueCompletion.unwrap()(self.completions, results.as_mut_ptr(), 8)
        };
        results[..count as usize].iter().map(|it| (it.Status, it.BytesTransferred)).collect()
    }

    /// Waits for so many.
    fn wait(&self, count: usize) -> Vec<(i32, u32)> {
        let began = std::time::Instant::now();
        let mut ended = Vec::new();
        while ended.len() < count {
            assert!(began.elapsed().as_secs() < 30, "time limit: {ended:?}");
            ended.extend(self.dequeue());
            std::thread::yield_now();
        }
        ended
    }
}

fn open(table: &RIO_EXTENSION_FUNCTION_TABLE, completions: RIO_CQ, socket: SOCKET) -> RIO_RQ {
    // SAFETY: numbers.
    let queue = unsafe {
        table.RIOCreateRequestQueue.unwrap()(
            socket,
            2,
            1,
            2,
            1,
            completions,
            completions,
            ptr::null(),
        )
    };
    assert_ne!(queue, 0);
    queue
}

fn call(
    table: &RIO_EXTENSION_FUNCTION_TABLE,
    queue: RIO_RQ,
    sends: bool,
    (data, count): (Option<Slice>, u32),
    others: [Option<Slice>; 4],
    flags: u32,
) -> Result<(), i32> {
    let buffer = |slice: Option<Slice>| {
        slice.map(|(id, offset, len)| RIO_BUF { BufferId: id, Offset: offset, Length: len })
    };
    let all = [data, others[0], others[1], others[2], others[3]].map(buffer);
    let [data, local, remote, control, flags_out] =
        all.each_ref().map(|it| it.as_ref().map_or(ptr::null(), ptr::from_ref));
    let context = ptr::null();
    let function = if sends { table.RIOSendEx.unwrap() } else { table.RIOReceiveEx.unwrap() };
    // SAFETY: descriptions, or null; what they name is never freed.
    let taken =
        unsafe { function(queue, data, count, local, remote, control, flags_out, flags, context) };
    // SAFETY: this thread's last error.
    if taken == 0 { Err(unsafe { WSAGetLastError() }) } else { Ok(()) }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // SAFETY: a number. The transfers that are left write into memory that is never freed.
        unsafe { self.table.RIOCloseCompletionQueue.unwrap()(self.completions) };
        close(self.socket);
    }
}

/// How many violations `act` was, of this kind and of all.
fn violations(kind: Violation, act: impl FnOnce()) -> (u64, u64) {
    let before = (rio_model::count(kind), rio_model::total());
    act();
    (rio_model::count(kind) - before.0, rio_model::total() - before.1)
}

#[test]
fn datagrams_go_with_their_addresses_and_come_with_them() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::Address, || {
        bench.receive(Some((a, 0, 100)), Some((a, 100, ADDRESS))).unwrap();
        bench.receive(Some((a, 128, 4)), None).unwrap();
        bench.other.send_to(b"hello", bench.addr).unwrap();
        bench.other.send_to(b"too long", bench.addr).unwrap();
        assert_eq!(bench.wait(2), [(0, 5), (WSAEMSGSIZE, 4)]);
        // SAFETY: nothing is in flight.
        let memory = unsafe { &(*bench.memory[0]).0 };
        assert_eq!(&memory[..5], b"hello");
        let port = u16::from_be_bytes([memory[102], memory[103]]);
        assert_eq!(port, bench.other.local_addr().unwrap().port());
        // With bytes, and without any.
        bench.send(Some((b, 100, 10)), Some((b, 0, ADDRESS))).unwrap();
        assert_eq!(bench.wait(1), [(0, 10)]);
        bench.send(None, Some((b, 0, ADDRESS))).unwrap();
        assert_eq!(bench.wait(1), [(0, 0)]);
        for len in [10, 0] {
            assert_eq!(bench.other.recv_from(&mut [0; 20]).unwrap(), (len, bench.addr));
        }
    });
    assert_eq!(found, (0, 0));
}

#[test]
fn addresses_lie_in_their_buffers() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::Bounds, || {
        let data = Some((a, 0, 10));
        assert_eq!(bench.receive(data, Some((a, 180, ADDRESS))), Err(WSAEINVAL));
        assert_eq!(bench.receive(data, Some((a, u32::MAX, ADDRESS))), Err(WSAEINVAL));
        assert_eq!(bench.send(data, Some((b, 176, ADDRESS))), Err(WSAEINVAL));
        assert_eq!(bench.send(None, Some((b, 0, 0))), Err(WSAEINVAL));
    });
    assert_eq!(found, (4, 4));
    let found = violations(Violation::UnknownBuffer, || {
        assert_eq!(bench.receive(Some((a, 0, 10)), Some((5, 0, ADDRESS))), Err(WSAEFAULT));
        assert_eq!(bench.send(Some((a, 0, 10)), Some((5, 0, ADDRESS))), Err(WSAEFAULT));
    });
    assert_eq!(found, (2, 2));
}

#[test]
fn addresses_are_long_enough_and_aligned_and_beside_the_bytes() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::Address, || {
        let data = Some((a, 0, 50));
        for (offset, len) in [(100, ADDRESS - 1), (100, 16), (101, ADDRESS), (102, ADDRESS)] {
            assert_eq!(bench.receive(data, Some((a, offset, len))), Err(WSAEINVAL));
            assert_eq!(bench.send(data, Some((a, offset, len))), Err(WSAEINVAL));
        }
        assert_eq!(bench.receive(data, Some((a, 48, ADDRESS))), Err(WSAEINVAL));
        assert_eq!(bench.receive(data, Some((a, 0, 200))), Err(WSAEINVAL));
        assert_eq!(bench.send(Some((b, 20, 50)), Some((b, 0, ADDRESS))), Err(WSAEINVAL));
        // As long as one likes, and right behind the bytes.
        assert_eq!(bench.receive(Some((a, 0, 52)), Some((a, 52, 100))), Ok(()));
    });
    assert_eq!(found, (11, 11));
}

#[test]
fn an_address_in_flight_is_used_by_nothing_else() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::ReusedInFlight, || {
        bench.receive(Some((a, 0, 50)), Some((a, 100, ADDRESS))).unwrap();
        // Bytes over bytes, an address over an address, and either over the other.
        assert_eq!(bench.receive(Some((a, 49, 10)), None), Err(WSAEINVAL));
        assert_eq!(bench.receive(Some((a, 60, 10)), Some((a, 120, ADDRESS))), Err(WSAEINVAL));
        assert_eq!(bench.receive(Some((a, 90, 20)), None), Err(WSAEINVAL));
        assert_eq!(bench.receive(Some((a, 60, 10)), Some((a, 24, ADDRESS))), Err(WSAEINVAL));
        bench.receive(Some((a, 50, 50)), Some((a, 128, ADDRESS))).unwrap();
        // A send has the registration of its address to itself, too.
        assert_eq!(bench.send(Some((b, 100, 10)), Some((a, 172, ADDRESS))), Err(WSAEINVAL));
        let to = Some((b, 0, ADDRESS));
        bench.call(true, Some((b, 100, 10)), [None, to, None, None], RIO_MSG_DEFER).unwrap();
        assert_eq!(bench.send(None, to), Err(WSAEINVAL));
        assert_eq!(bench.send(Some((b, 150, 10)), to), Err(WSAEINVAL));
    });
    assert_eq!(found, (7, 7));
    let found = violations(Violation::DeregisteredInUse, || {
        for buffer in bench.buffers {
            // SAFETY: a number.
            unsafe { bench.table.RIODeregisterBuffer.unwrap()(buffer) };
        }
    });
    assert_eq!(found, (2, 2));
}

#[test]
fn who_has_no_peer_names_one() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::NoPeer, || {
        assert_eq!(bench.send(Some((a, 0, 10)), None), Err(WSAENOTCONN));
        assert_eq!(bench.send(None, None), Err(WSAENOTCONN));
        let plain = bench.table.RIOSend.unwrap();
        let data = RIO_BUF { BufferId: a, Offset: 0, Length: 10 };
        // SAFETY: a description.
        let taken = unsafe { plain(bench.queue, &raw const data, 1, 0, ptr::null()) };
        // SAFETY: this thread's last error.
        assert_eq!((taken, unsafe { WSAGetLastError() }), (0, WSAENOTCONN));
        // Connected before there is a queue, it has one, and may name another all the same.
        let (socket, _) = datagram_socket();
        // SAFETY: it is closed below, and not by this.
        let std = ManuallyDrop::new(unsafe { UdpSocket::from_raw_socket(socket as u64) });
        std.connect(bench.other.local_addr().unwrap()).unwrap();
        let queue = open(&bench.table, bench.completions, socket);
        for (data, to) in [(Some((a, 0, 10)), None), (None, None), (None, Some((b, 0, ADDRESS)))] {
            let count = u32::from(data.is_some());
            call(&bench.table, queue, true, (data, count), [None, to, None, None], 0).unwrap();
            assert_eq!(bench.wait(1)[0].0, 0);
        }
        close(socket);
    });
    assert_eq!(found, (3, 3));
    for len in [10, 0, 0] {
        assert_eq!(bench.other.recv(&mut [0; 20]).unwrap(), len);
    }
}

#[test]
fn a_socket_is_connected_before_it_has_a_queue() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::ConnectedLate, || {
        // SAFETY: it is closed by the bench, and not by this.
        let std = ManuallyDrop::new(unsafe { UdpSocket::from_raw_socket(bench.socket as u64) });
        std.connect(bench.other.local_addr().unwrap()).unwrap();
        assert_eq!(bench.send(Some((a, 0, 10)), None), Err(WSAEINVAL));
        assert_eq!(bench.send(Some((a, 0, 10)), Some((b, 0, ADDRESS))), Err(WSAEINVAL));
    });
    assert_eq!(found, (2, 2));
}

#[test]
fn arguments_go_together() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let to = Some((b, 0, ADDRESS));
    let data = Some((a, 0, 10));
    let found = violations(Violation::Arguments, || {
        // A buffer that is not counted, and a count without one.
        let ex = |data, others, flags| call(&bench.table, bench.queue, true, data, others, flags);
        assert_eq!(ex((data, 0), [None, to, None, None], 0), Err(WSAEINVAL));
        assert_eq!(ex((None, 1), [None, to, None, None], 0), Err(WSAEINVAL));
        assert_eq!(ex((data, 2), [None, to, None, None], 0), Err(WSAEINVAL));
        // Our own address is reserved in a send.
        assert_eq!(ex((data, 1), [to, to, None, None], 0), Err(WSAEINVAL));
        // To commit is to do nothing else.
        let commit = RIO_MSG_COMMIT_ONLY;
        assert_eq!(ex((None, 0), [None, to, None, None], commit), Err(WSAEINVAL));
        assert_eq!(ex((None, 0), [None, None, None, to], commit), Err(WSAEINVAL));
        assert_eq!(ex((None, 0), [None, None, None, None], commit), Ok(()));
        // A connection has no addresses, and no empty datagrams.
        let (_clients, sockets) = connect(&listener(), 1);
        let stream = open(&bench.table, bench.completions, sockets[0]);
        for (data, remote) in [(Some((a, 0, 10)), to), (None, None)] {
            let count = u32::from(data.is_some());
            let others = [None, remote, None, None];
            for sends in [false, true] {
                let asked = call(&bench.table, stream, sends, (data, count), others, 0);
                assert_eq!(asked, Err(WSAEINVAL));
            }
        }
        close(sockets[0]);
    });
    assert_eq!(found, (10, 10));
    // What this model does not have is no violation.
    let found = violations(Violation::Arguments, || {
        for others in [[None, to, to, None], [None, to, None, to]] {
            assert_eq!(bench.call(true, data, others, 0), Err(WSAEOPNOTSUPP));
        }
        assert_eq!(bench.call(false, data, [to, None, None, None], 0), Err(WSAEOPNOTSUPP));
    });
    assert_eq!(found, (0, 0));
}

#[test]
fn queues_do_not_overflow() {
    let bench = Bench::new();
    let [a, b] = bench.buffers;
    let found = violations(Violation::RequestRoom, || {
        for slot in 0..3 {
            let asked = bench.receive(Some((a, slot * 8, 8)), Some((a, 100 + slot * 28, ADDRESS)));
            assert_eq!(asked, if slot < 2 { Ok(()) } else { Err(WSAENOBUFS) });
        }
        // Either is in its order.
        bench.other.send_to(b"first", bench.addr).unwrap();
        bench.other.send_to(b"", bench.addr).unwrap();
        assert_eq!(bench.wait(2), [(0, 5), (0, 0)]);
        bench.send(None, Some((b, 0, ADDRESS))).unwrap();
        assert_eq!(bench.wait(1), [(0, 0)]);
    });
    assert_eq!(found, (1, 1));
}
