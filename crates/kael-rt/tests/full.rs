//! Queues that are full: a submission queue of two entries, a completion queue of eight, and slots that grow while
//! the kernel holds what is in them. Everything completes, and reaches whom it belongs to.

#![cfg(not(kael_backend = "sim"))] // Its subjects are this system's own limits.

#[path = "support/flood.rs"]
mod flood;
mod rig;

use flood::{expect_nothing_left, flood, pattern};
use kael_rt::JoinHandle;
use kael_rt::net::{TcpStream, UdpSocket};
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::{Duration, timeout};
use rig::{READINESS, pair, size, within_limit};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// For one task.
const LIMIT: Duration = Duration::from_secs(40);

/// A task's output; it comes in time unless something was lost.
async fn ended<T: 'static>(task: JoinHandle<T>) -> T {
    timeout(LIMIT, task).await.expect("nothing was lost").unwrap()
}

/// The smallest queues there are, and they stay so.
fn smallest() -> Runtime {
    let runtime = Builder::new().queue_depth(2).queue_limit(2).build().unwrap();
    // Where the calls are ours, there is no queue.
    assert_eq!(runtime.granted().queue_entries, if READINESS { [0, 0] } else { [2, 8] });
    runtime
}

#[test]
fn r11_a_flooded_completion_queue_loses_nothing() {
    within_limit(|| {
        const TASKS: usize = 500;
        let rounds = size(100_000, 1_000_000) / TASKS;
        let file = pattern("r11-flood");
        let runtime = smallest();
        runtime.block_on(flood(&file, TASKS, rounds, LIMIT));
        expect_nothing_left(&runtime);
    });
}

/// What waits for a peer completes from the kernel's task work, not at the submission.
#[test]
fn r11_a_burst_of_wakes_overflows_and_loses_nothing() {
    within_limit(|| {
        let sockets = size(400, 4000);
        let runtime = smallest();
        runtime.block_on(async {
            let mut receivers = Vec::new();
            let mut targets = Vec::new();
            for _ in 0..sockets {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                targets.push(socket.local_addr().unwrap());
                receivers.push(kael_rt::spawn(async move {
                    for round in 0u32..25 {
                        let (n, buf) = socket.recv(Vec::with_capacity(8)).await;
                        assert_eq!(n.unwrap(), 4);
                        assert_eq!(buf, round.to_le_bytes());
                    }
                }));
            }
            kael_rt::yield_now().await;
            // Sent by somebody else, so that all come while the core does something else.
            let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            for round in 0u32..25 {
                for target in &targets {
                    sender.send_to(&round.to_le_bytes(), target).unwrap();
                }
                kael_rt::yield_now().await;
            }
            for receiver in receivers {
                ended(receiver).await;
            }
        });
        expect_nothing_left(&runtime);
    });
}

/// In its drop, it writes to some streams, and drops others on which reads are under way.
struct Bomb {
    writers: Vec<Rc<TcpStream>>,
    dropped: Vec<JoinHandle<()>>,
    finished: Rc<Cell<usize>>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        for writer in self.writers.drain(..) {
            let finished = self.finished.clone();
            drop(kael_rt::spawn(async move {
                assert_eq!(writer.write_all("boom").await.0.unwrap(), 4);
                finished.set(finished.get() + 1);
            }));
        }
        for task in self.dropped.drain(..) {
            task.abort();
        }
    }
}

#[test]
fn r12_two_entries_take_pushes_from_tasks_and_from_drop() {
    within_limit(|| {
        let streams = size(300, 3000);
        let runtime = smallest();
        runtime.block_on(async {
            let finished = Rc::new(Cell::new(0));
            let mut bomb =
                Bomb { writers: Vec::new(), dropped: Vec::new(), finished: finished.clone() };
            let (mut readers, mut ends) = (Vec::new(), Vec::new());
            for _ in 0..streams {
                let (here, there) = pair().await;
                bomb.writers.push(Rc::new(here));
                readers.push(kael_rt::spawn(async move {
                    let (n, buf) = there.read_exact(vec![0; 4]).await;
                    assert_eq!(n.unwrap(), 4);
                    assert_eq!(buf, b"boom");
                }));
                // A stream with a read under way; its peer waits for the end.
                let (here, there) = pair().await;
                bomb.dropped.push(kael_rt::spawn(async move {
                    let (n, _) = here.read(vec![0; 16]).await;
                    unreachable!("nobody writes: {n:?}");
                }));
                ends.push(kael_rt::spawn(async move {
                    let (n, _) = there.read(vec![0; 16]).await;
                    assert_eq!(n.unwrap(), 0);
                }));
            }
            kael_rt::yield_now().await;
            drop(bomb);
            for task in readers.into_iter().chain(ends) {
                ended(task).await;
            }
            assert_eq!(finished.get(), streams);
        });
        expect_nothing_left(&runtime);
    });
}

/// A drop that has no room in the queue for its cancel and its close.
#[test]
fn r12_streams_dropped_in_one_go_all_close() {
    within_limit(|| {
        let streams = size(300, 3000);
        let runtime = smallest();
        runtime.block_on(async {
            let mut reads = Vec::new();
            let mut ends = Vec::new();
            for _ in 0..streams {
                let (here, there) = pair().await;
                let mut read = Box::pin(async move { here.read(vec![0; 16]).await.0 });
                std::future::poll_fn(|cx| {
                    assert!(read.as_mut().poll(cx).is_pending());
                    std::task::Poll::Ready(())
                })
                .await;
                reads.push(read);
                ends.push(kael_rt::spawn(async move {
                    assert_eq!(there.read(vec![0; 16]).await.0.unwrap(), 0);
                }));
            }
            drop(reads);
            for end in ends {
                ended(end).await;
            }
        });
        expect_nothing_left(&runtime);
    });
}

/// Counts one when it goes, which it does also in a panic.
struct Counts(Rc<Cell<usize>>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A few receives are with the kernel, which writes bytes, the sender's address and lengths into their slots. Then
/// thousands of operations make the slots grow.
#[test]
fn r21_slots_stay_where_they_are_while_they_grow() {
    within_limit(|| {
        const SOCKETS: usize = 40;
        let each = size(10_000, 100_000) / SOCKETS;
        let runtime = Builder::new().max_in_flight(262_144).build().unwrap();
        runtime.block_on(async {
            let mut sockets = Vec::new();
            for _ in 0..SOCKETS {
                sockets.push(Rc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap()));
            }
            let senders: Vec<_> =
                (0..7).map(|_| std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
            let (answers, over) = (Rc::new(RefCell::new(0)), Rc::new(Cell::new(0)));
            let mut tasks = Vec::new();
            for nth in 0..each {
                for (socket_nth, socket) in sockets.iter().enumerate() {
                    let (socket, answers) = (socket.clone(), answers.clone());
                    let over = Counts(over.clone());
                    let sender = senders[(nth + socket_nth) % 7].local_addr().unwrap();
                    tasks.push(kael_rt::spawn(async move {
                        let _over = over;
                        let buf = Vec::with_capacity(64);
                        let room: *const u8 = buf.as_ptr();
                        let (got, buf) = socket.recv_from(buf).await;
                        assert_eq!(got.unwrap(), (16, sender));
                        assert_eq!(buf.as_ptr(), room);
                        assert_eq!(buf[..8], nth.to_le_bytes());
                        assert_eq!(buf[8..], socket_nth.to_le_bytes());
                        *answers.borrow_mut() += 1;
                    }));
                }
                if nth == 0 {
                    // The first ones of each socket are with the kernel before the slots grow.
                    kael_rt::yield_now().await;
                }
            }
            kael_rt::yield_now().await;
            assert_eq!(*answers.borrow(), 0);
            for nth in 0..each {
                for (socket_nth, socket) in sockets.iter().enumerate() {
                    let mut bytes = [0; 16];
                    bytes[..8].copy_from_slice(&nth.to_le_bytes());
                    bytes[8..].copy_from_slice(&socket_nth.to_le_bytes());
                    let to = socket.local_addr().unwrap();
                    senders[(nth + socket_nth) % 7].send_to(&bytes, to).unwrap();
                }
                if nth % 50 == 49 {
                    // The kernel's buffers hold a few hundred.
                    while *answers.borrow() < (nth + 1) * SOCKETS {
                        assert_eq!(over.get(), *answers.borrow(), "a receive got something else");
                        kael_rt::yield_now().await;
                    }
                }
            }
            for task in tasks {
                ended(task).await;
            }
        });
        expect_nothing_left(&runtime);
    });
}
