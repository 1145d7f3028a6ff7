//! Queued writes: the runtime sends them by itself, in order and whole; an error is the next call's; a peer that does not
//! read holds the writer up; buffers come back.

mod rig;
#[path = "support/sequence.rs"]
mod sequence;

use kael_rt::buf::{IoBuf, IoBufs};
#[cfg(not(kael_backend = "sim"))]
use kael_rt::net::TcpListener;
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, sleep};
use rig::{READINESS, pair, size, within_limit};
use sequence::{expect_piece, expect_sequence, sequence};
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::ErrorKind;
#[cfg(all(unix, not(kael_backend = "sim")))]
use std::io::{Read, Write};
#[cfg(all(unix, not(kael_backend = "sim")))]
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A buffer that counts how many of its kind there are.
struct Counted {
    bytes: Vec<u8>,
    alive: Rc<Cell<usize>>,
}

impl Counted {
    fn new(bytes: Vec<u8>, alive: &Rc<Cell<usize>>) -> Counted {
        alive.set(alive.get() + 1);
        Counted { bytes, alive: alive.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // Whoever sends from it now sends what nobody wrote.
        self.bytes.fill(255);
        self.alive.set(self.alive.get() - 1);
    }
}

// SAFETY: the bytes are a vector's, which stay where they are.
unsafe impl IoBuf for Counted {
    fn as_init(&self) -> &[u8] {
        &self.bytes
    }
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn queued_send_order_is_kept_among_all_kinds_of_writes() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let rounds = size(300, 3000);
            let total = rounds * 1700;
            let reader = kael_rt::spawn(async move { expect_sequence(&b, total).await });
            let mut at = 0;
            for round in 0..rounds {
                let mut next = |len: usize| {
                    at += len;
                    sequence(at - len, len)
                };
                assert_eq!(a.write_queued(next(100)).await.unwrap(), 100);
                let parts: VecDeque<_> = (0..20).map(|_| next(10)).collect();
                assert_eq!(a.write_queued_vectored(parts).await.unwrap(), 200);
                assert_eq!(a.write_queued_vectored((next(150), next(50))).await.unwrap(), 200);
                if round % 2 == 0 {
                    assert_eq!(a.write_all(next(200)).await.0.unwrap(), 200);
                } else {
                    assert_eq!(a.write_queued(next(200)).await.unwrap(), 200);
                }
                let rope: Vec<_> = (0..40).map(|_| next(25)).collect();
                assert_eq!(a.write_all_vectored(rope).await.0.unwrap(), 1000);
            }
            a.flush().await.unwrap();
            a.close().await.unwrap();
            reader.await.unwrap();
        });
    });
}

#[test]
fn queued_send_is_held_up_by_a_peer_that_does_not_read() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            const BLOCK: usize = 1 << 20;
            let mut queued = 0;
            // The socket takes some; sixteen are queued; the next one waits.
            let mut waiting = loop {
                assert!(queued < 64, "nothing holds the writer up");
                let mut write = a.write_queued(sequence(queued * BLOCK, BLOCK));
                match poll_once(&mut write) {
                    Poll::Ready(taken) => assert_eq!(taken.unwrap(), BLOCK),
                    Poll::Pending => break write,
                }
                queued += 1;
                for _ in 0..4 {
                    kael_rt::yield_now().await;
                }
            };
            assert!(queued >= 16, "only {queued} could be queued");
            assert!(poll_once(&mut waiting).is_pending());
            let reader = kael_rt::spawn(async move {
                expect_sequence(&b, (queued + 1) * BLOCK).await;
                b
            });
            assert_eq!(waiting.await.unwrap(), BLOCK);
            a.flush().await.unwrap();
            let b = reader.await.unwrap();
            a.close().await.unwrap();
            assert_eq!(b.read(vec![0; 1]).await.0.unwrap(), 0);
        });
    });
}

#[test]
fn queued_send_buffers_come_back_once_and_only_when_sent() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let alive = Rc::new(Cell::new(0));
            for round in 0..size(200, 2000) {
                for part in 0..5 {
                    let bytes = sequence(part * 100, 100);
                    a.write_queued(Counted::new(bytes, &alive)).await.unwrap();
                }
                // Where the calls are ours, they are made at once; elsewhere nothing is handed over before the core turns.
                let held = if READINESS { 0 } else { 5 };
                // (On Windows what is over in one poll is told so often, and then with the next turn.)
                let is_told = alive.get() == held || cfg!(windows) && alive.get() <= 5;
                assert!(is_told, "in round {round} a buffer went before it was sent");
                a.flush().await.unwrap();
                assert_eq!(alive.get(), 0, "in round {round} a buffer did not come back");
                assert_eq!(b.read_exact(vec![0; 500]).await.1, sequence(0, 500));
            }
        });
    });
}

#[test]
fn queued_send_errors_are_the_next_calls() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let alive = Rc::new(Cell::new(0));
            b.set_linger(Some(kael_rt::time::Duration::ZERO)).unwrap();
            drop(b);
            // The reset may be seen with any of them, but it is seen, and stays.
            let mut first = None;
            for _ in 0..1000 {
                if let Err(error) = a.write_queued(Counted::new(vec![1; 100], &alive)).await {
                    first = Some(error);
                    break;
                }
                kael_rt::yield_now().await;
            }
            let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
            let first = first.expect("nobody was told that the peer has gone");
            assert!(kinds.contains(&first.kind()), "{first}");
            assert!(a.flush().await.is_err(), "the error was forgotten");
            assert!(a.write_all("x").await.0.is_err(), "the error was forgotten");
            assert!(a.write_queued("x").await.is_err(), "the error was forgotten");
            assert_eq!(alive.get(), 0, "a buffer did not come back");
        });
    });
}

#[test]
fn queued_send_is_finished_by_close_and_by_the_drop_of_a_stream_with_room() {
    within_limit(|| {
        kael_rt::block_on(async {
            for round in 0..size(50, 500) {
                let (a, b) = pair().await;
                for part in 0..10 {
                    a.write_queued(sequence(part * 50, 50)).await.unwrap();
                }
                // The simulated kernel may take a part only, and the rest is given up.
                if round % 2 == 0 || cfg!(kael_backend = "sim") {
                    a.close().await.unwrap();
                } else {
                    drop(a);
                }
                expect_sequence(&b, 500).await;
                assert_eq!(b.read(vec![0; 1]).await.0.unwrap(), 0, "the end did not follow");
            }
        });
    });
}

#[test]
fn queued_send_of_a_dropped_stream_leaves_no_gap() {
    within_limit(|| {
        kael_rt::block_on(async {
            const BLOCK: usize = 1 << 20;
            let alive = Rc::new(Cell::new(0));
            let (a, b) = pair().await;
            let mut queued = 0;
            while queued < 40 {
                let bytes = sequence(queued * BLOCK, BLOCK);
                if poll_once(a.write_queued(Counted::new(bytes, &alive))).is_pending() {
                    break;
                }
                queued += 1;
                for _ in 0..4 {
                    kael_rt::yield_now().await;
                }
            }
            drop(a);
            // What had come is a beginning of what was written; then the stream ends.
            let mut at = 0;
            loop {
                let (n, bytes) = b.read(Vec::with_capacity(64 * 1024)).await;
                match n {
                    Ok(0) | Err(_) => break,
                    Ok(_) => expect_piece(at, &bytes),
                }
                at += bytes.len();
            }
            let all = queued * BLOCK;
            assert!(at < all, "the test queued too little to leave anything: {at} of {all} came");
            assert_eq!(alive.get(), 0, "a buffer did not come back");
        });
    });
}

#[test]
fn queued_send_needs_no_spare_slot_and_no_large_queue() {
    within_limit(|| {
        for (slots, entries) in [(16, 2), (16, 64), (64, 2)] {
            let runtime = Builder::new().max_in_flight(slots).queue_depth(entries).build().unwrap();
            runtime.block_on(async {
                let (a, b) = pair().await;
                let total = size(2000, 20_000) * 10;
                let reader = kael_rt::spawn(async move { expect_sequence(&b, total).await });
                for at in (0..total).step_by(10) {
                    assert_eq!(a.write_queued(sequence(at, 10)).await.unwrap(), 10);
                }
                a.flush().await.unwrap();
                reader.await.unwrap();
            });
        }
    });
}

#[test]
fn queued_send_ends_with_the_runtime() {
    within_limit(|| {
        let alive = Rc::new(Cell::new(0));
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        let streams = runtime.block_on(async {
            let (a, b) = pair().await;
            for _ in 0..24 {
                // Some are sent, some wait in the kernel, some at the gate.
                if poll_once(a.write_queued(Counted::new(vec![7; 1 << 20], &alive))).is_pending() {
                    break;
                }
                kael_rt::yield_now().await;
            }
            (a, b)
        });
        drop(runtime);
        assert_eq!(alive.get(), 0, "a buffer was not freed by the end");
        assert_eq!(handle.metrics().cores[0].leaked, 0);
        drop(streams);
    });
}

#[test]
fn queued_send_on_a_closed_stream_or_of_nothing() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            assert_eq!(a.write_queued("").await.unwrap(), 0);
            assert_eq!(a.write_queued_vectored(Vec::<Vec<u8>>::new()).await.unwrap(), 0);
            assert_eq!(a.write_all_vectored(["", ""]).await.0.unwrap(), 0);
            a.write_queued("last").await.unwrap();
            a.shutdown(std::net::Shutdown::Write).await.unwrap();
            assert_eq!(b.read_exact(vec![0; 4]).await.1, b"last");
            assert_eq!(b.read(vec![0; 4]).await.0.unwrap(), 0);
            a.write_queued("late").await.unwrap();
            assert_eq!(a.flush().await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
    });
}

#[test]
fn a_tuple_and_a_rope_are_several_buffers() {
    let rope: VecDeque<&str> = VecDeque::from(["a", "", "bc"]);
    assert_eq!((rope.count(), rope.total_len()), (3, 3));
    let head_and_body = ("head", vec![1, 2, 3]);
    assert_eq!((head_and_body.count(), head_and_body.total_len()), (2, 7));
    assert_eq!(head_and_body.get(1), [1, 2, 3]);
}

/// One round of a server that queues its answers is one call: the read's, which carries the answer.
#[test]
#[cfg(not(kael_backend = "sim"))] // It counts the system's calls.
fn queued_send_round_trips_enter_once() {
    use std::io::{Read, Write};
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            const ROUNDS: u64 = 1000;
            let client = std::thread::spawn(move || {
                let mut stream = std::net::TcpStream::connect(addr).unwrap();
                stream.set_nodelay(true).unwrap();
                for _ in 0..ROUNDS + 1 {
                    stream.write_all(&[7; 64]).unwrap();
                    stream.read_exact(&mut [0; 64]).unwrap();
                }
            });
            let (stream, _) = listener.accept().await.unwrap();
            let mut before = 0;
            for round in 0..ROUNDS + 1 {
                // A buffer that is not filled says that no more is there.
                let (n, buf) = stream.read(Vec::with_capacity(65)).await;
                if n.unwrap() != 64 {
                    panic!("the client writes 64 bytes at once");
                }
                if round == 0 {
                    before = handle.metrics().cores[0].syscalls;
                }
                stream.write_queued(buf).await.unwrap();
            }
            let calls = handle.metrics().cores[0].syscalls - before;
            // The last answer rides along with whatever comes next. Where the calls are ours, a round is the wait, the
            // read and the write; with registered I/O also the request for a packet.
            let each = if cfg!(kael_rio = "model") {
                4
            } else if READINESS {
                3
            } else {
                1
            };
            // A read of Windows finds what has come meanwhile, and needs no wait then.
            let least = if cfg!(windows) { 2 * ROUNDS } else { each * ROUNDS - 1 };
            // The emulated kqueue interrupts waits, and ends them for nothing, so that some are made again.
            let again = if cfg!(kael_backend = "kqueue") { ROUNDS } else { 5 };
            assert!(
                (least..=each * ROUNDS + again).contains(&calls),
                "{calls} calls for {ROUNDS} rounds"
            );
            stream.flush().await.unwrap();
            client.join().unwrap();
            assert_eq!(handle.metrics().cores[0].queued_sends, ROUNDS + 1);
        });
    });
}

/// More than the socket takes at once, and nobody behind it.
#[test]
fn queued_send_of_much_is_sent_whole() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let alive = Rc::new(Cell::new(0));
            let total = size(8, 32) << 20;
            a.write_queued(Counted::new(sequence(0, total), &alive)).await.unwrap();
            sleep(Duration::from_millis(5)).await;
            assert_eq!(alive.get(), 1, "the buffer is gone before all of it was sent");
            expect_sequence(&b, total).await;
            a.flush().await.unwrap();
            assert_eq!(alive.get(), 0);
        });
    });
}

/// The last answer meets a full socket: what is left of it goes out when the peer makes room, though nothing else happens
/// on the core then, and nobody waits for it.
#[cfg(all(unix, not(kael_backend = "sim")))] // Windows takes a send whole, and the simulator has its own tests.
#[test]
fn queued_send_that_met_a_full_socket_needs_no_other_event() {
    const ANSWER: usize = 4_000;
    within_limit(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        socket2::SockRef::from(&server).set_send_buffer_size(8192).unwrap();
        let (server_fd, client_fd) = (server.as_raw_fd(), client.as_raw_fd());
        let (queued, seen) = std::sync::mpsc::channel();
        let core = std::thread::spawn(move || {
            kael_rt::block_on(async {
                let server = kael_rt::net::TcpStream::from_std(server).unwrap();
                while server.read_exact(vec![0]).await.0.is_ok() {
                    server.write_queued(vec![7; ANSWER]).await.unwrap();
                    queued.send(()).unwrap();
                }
            });
        });
        // What the kernel has taken over: all of it, or an answer has met a full socket.
        let is_taken = |bytes: usize| {
            let began = std::time::Instant::now();
            let all = || number(server_fd, libc::TIOCOUTQ) + number(client_fd, libc::FIONREAD);
            // What is on its way counts twice for a moment.
            let mut is_taken = all() == bytes;
            while !is_taken && began.elapsed() < Duration::from_millis(300) {
                std::thread::yield_now();
                is_taken = all() == bytes;
            }
            is_taken
        };
        let mut answers = 0;
        while answers == 0 || is_taken(answers * ANSWER) {
            client.write_all(&[1]).unwrap();
            seen.recv().unwrap();
            answers += 1;
        }
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let result = client.read_exact(&mut vec![0; answers * ANSWER]);
        assert!(result.is_ok(), "what was left of answer {answers} never came: {result:?}");
        drop(client);
        core.join().unwrap();
    });
}

/// What the kernel says of a socket.
#[cfg(all(unix, not(kael_backend = "sim")))]
fn number(fd: i32, request: libc::c_ulong) -> usize {
    let mut number: libc::c_int = 0;
    // SAFETY: both requests write an int.
    assert_eq!(unsafe { libc::ioctl(fd, request as _, &raw mut number) }, 0);
    number as usize
}
