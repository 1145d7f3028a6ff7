//! A runtime that is dropped while operations are under way: nothing is freed that the kernel may still write to.
//!
//! The allocator keeps what is freed and checks it when each round's thread has ended: Linux ends a thread only when the
//! kernel's workers are done with its operations, so no later write can come.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/again.rs"]
mod again;
#[path = "support/canary.rs"]
mod canary;
#[path = "support/drops.rs"]
mod drops;

use again::in_own_process;
use canary::damaged;
use drops::{
    READINESS, adopt, full, into_file, open_fds, plain_pair, poll_once, turns, within, zeros,
};
use kael_rt::fs::File;
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::runtime::{Builder, Runtime};
use std::any::Any;
use std::future::Future;
use std::io::Write;
use std::mem;
use std::net::TcpStream as StdTcpStream;
#[cfg(unix)]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The tests of this program share the allocator. (Those that count descriptors are in a process of their own.)
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|error| error.into_inner())
}

/// What becomes of a future whose operation is under way.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Fate {
    Dropped,
    Forgotten,
    InATask,
    /// It lives longer than its runtime.
    Kept,
}

const FATES: [Fate; 4] = [Fate::Dropped, Fate::Forgotten, Fate::InATask, Fate::Kept];

fn begin<F: Future + Unpin + 'static>(mut future: F, fate: Fate, kept: &mut Vec<Box<dyn Any>>) {
    if fate == Fate::InATask {
        drop(kael_rt::spawn(async move { drop(future.await) }));
        return;
    }
    if poll_once(&mut future).is_ready() {
        if !READINESS {
            panic!("it was handed over and not waited for");
        }
        return;
    }
    match fate {
        Fate::Dropped => drop(future),
        Fate::Forgotten => mem::forget(future),
        _ => kept.push(Box::new(future)),
    }
}

/// Memory that /proc/self/mem is read from: a worker of the kernel copies it page by page. The file, and where in it.
#[cfg(unix)]
fn source() -> (std::path::PathBuf, u64) {
    static SOURCE: OnceLock<Vec<u8>> = OnceLock::new();
    ("/proc/self/mem".into(), SOURCE.get_or_init(|| vec![0x5a; 16 << 20]).as_ptr() as u64)
}

/// Where there is no such file, one that is long takes its time.
#[cfg(windows)]
fn source() -> (std::path::PathBuf, u64) {
    (zeros(), 0)
}

/// Reads of memory that are with workers of the kernel, and cannot be stopped.
fn slow_reads(runtime: &Runtime, fate: Fate, kept: &mut Vec<Box<dyn Any>>) {
    runtime.block_on(async {
        let (path, at) = source();
        let file = File::open(path).await.unwrap();
        for _ in 0..2 {
            begin(file.read_at(vec![0; 16 << 20], at), fate, kept);
            begin(file.read_exact_at(vec![0; 8 << 20], at), fate, kept);
            begin(file.read_vectored_at(vec![vec![0; 8 << 20], vec![0; 4096]], at), fate, kept);
        }
        turns(1).await;
    });
}

#[test]
fn r01_slow_reads_under_way_at_the_end_write_into_nothing_freed() {
    let _alone = alone();
    source();
    let rounds = if full() { 1_000 } else { 24 };
    for round in 0..rounds {
        let fate = FATES[round % FATES.len()];
        within("the runtime never ended", move || {
            let runtime = Builder::new().build().unwrap();
            let mut kept = Vec::new();
            slow_reads(&runtime, fate, &mut kept);
            let handle = runtime.handle();
            drop(runtime);
            drop(kept);
            assert_eq!(handle.metrics().cores[0].leaked, 0, "the kernel lets go of these");
        });
        assert_eq!(damaged(), 0, "the kernel wrote into freed memory ({fate:?}, round {round})");
    }
}

/// Writes to everything that the operations wait for until it is told to stop.
fn noise(stop: Arc<AtomicBool>, to: Vec<Box<dyn Write + Send>>, connect: std::net::SocketAddr) {
    let (mut to, mut connections) = (to, Vec::new());
    while !stop.load(Relaxed) {
        // The other end may be closed, which is what this is about.
        to.iter_mut().for_each(|to| drop(to.write(&[0x5a; 512])));
        if connections.len() < 64 {
            connections.extend(StdTcpStream::connect_timeout(&connect, Duration::from_millis(50)));
        }
    }
}

/// Stops the noise when a round fails, too.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

struct Datagrams(std::net::UdpSocket);

impl Write for Datagrams {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn r01_receives_under_way_at_the_end_write_into_nothing_freed() {
    let _alone = alone();
    let rounds = if full() { 1_000 } else { 40 };
    for round in 0..rounds {
        let fate = FATES[round % FATES.len()];
        within("the runtime never ended", move || {
            let runtime = Builder::new().build().unwrap();
            let stop = Arc::new(AtomicBool::new(false));
            let _stop = Stop(stop.clone());
            let mut kept: Vec<Box<dyn Any>> = Vec::new();
            let noise = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                let to = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                to.connect(socket.local_addr().unwrap()).unwrap();
                let (reader, writer) = std::io::pipe().unwrap();
                let pipe = File::from_std(into_file(reader)).unwrap();
                let mut peers: Vec<Box<dyn Write + Send>> =
                    vec![Box::new(Datagrams(to)), Box::new(writer)];
                let mut streams = Vec::new();
                for _ in 0..6 {
                    let (ours, theirs) = plain_pair();
                    theirs.set_nonblocking(true).unwrap();
                    peers.push(Box::new(theirs));
                    streams.push(adopt(ours));
                }
                begin(pipe.read_at(vec![0; 64 << 10], 0), fate, &mut kept);
                begin(socket.recv_from(vec![0; 2048]), fate, &mut kept);
                begin(socket.recv(vec![0; 2048]), fate, &mut kept);
                begin(listener.accept(), fate, &mut kept);
                begin(listener.accept(), fate, &mut kept);
                begin(streams[0].read(vec![0; 4096]), fate, &mut kept);
                begin(streams[1].read_exact(vec![0; 1 << 20]), fate, &mut kept);
                begin(streams[2].peek(vec![0; 4096]), fate, &mut kept);
                begin(streams[3].read_vectored(vec![vec![0; 512]; 16]), fate, &mut kept);
                begin(streams[4].write_all(vec![0; 1 << 20]), fate, &mut kept);
                begin(streams[5].write_vectored(vec![vec![0; 1 << 18]; 16]), fate, &mut kept);
                let addr = listener.local_addr().unwrap();
                let flag = stop.clone();
                let noise = thread::spawn(move || noise(flag, peers, addr));
                turns(round as u32 % 3).await;
                if round % 2 == 0 {
                    kept.push(Box::new((pipe, socket, listener, streams)));
                }
                noise
            });
            drop(runtime);
            drop(kept);
            stop.store(true, Relaxed);
            noise.join().unwrap();
        });
        assert_eq!(damaged(), 0, "the kernel wrote into freed memory ({fate:?}, round {round})");
    }
}

#[test]
fn the_end_gives_every_descriptor_back() {
    in_own_process("the_end_gives_every_descriptor_back", || {
        let before = open_fds();
        for fate in FATES {
            for submitted in [0, 2] {
                within("the runtime never ended", move || {
                    let runtime = Builder::new().queue_depth(4).build().unwrap();
                    let mut kept: Vec<Box<dyn Any>> = Vec::new();
                    runtime.block_on(async {
                        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                        let addr = listener.local_addr().unwrap();
                        for _ in 0..20 {
                            let (ours, theirs) = plain_pair();
                            let stream = adopt(ours);
                            begin(stream.read(vec![0; 64]), fate, &mut kept);
                            kept.push(Box::new(theirs));
                        }
                        begin(listener.accept(), fate, &mut kept);
                        begin(File::open(zeros()), fate, &mut kept);
                        begin(Box::pin(TcpStream::connect(addr)), fate, &mut kept);
                        turns(submitted).await;
                    });
                    drop(runtime);
                    drop(kept);
                });
                assert_eq!(open_fds(), before, "{fate:?}, {submitted} turns");
            }
        }
    });
}

/// The bytes come with the cancel, when nobody can read them any more; the stream outlives its runtime.
#[test]
fn bytes_that_come_at_the_end_keep_no_descriptor() {
    in_own_process("bytes_that_come_at_the_end_keep_no_descriptor", || {
        let before = open_fds();
        within("the runtime never ended", || {
            let runtime = Builder::new().build().unwrap();
            let stream = runtime.block_on(async {
                let (stream, mut peer) = drops::pair();
                let mut read = stream.read(vec![0; 64]);
                assert!(poll_once(&mut read).is_pending());
                drop(read);
                peer.write_all(b"late").unwrap();
                stream
            });
            drop(runtime);
            drop(stream);
        });
        assert_eq!(open_fds(), before);
    });
}

/// A worker of the kernel that is held up: reading a page that is being made takes as long as the maker likes.
#[test]
fn the_end_waits_no_longer_than_its_limit_and_counts_what_it_leaves() {
    let _alone = alone();
    within("the runtime never ended", || {
        let runtime = Builder::new().shutdown_timeout(Duration::ZERO).build().unwrap();
        let mut kept = Vec::new();
        slow_reads(&runtime, Fate::Dropped, &mut kept);
        let (handle, began) = (runtime.handle(), Instant::now());
        drop(runtime);
        assert!(began.elapsed() < Duration::from_secs(5), "it waited for the kernel");
        // All six may have been done by then; what was not is counted, and its memory stays.
        assert!(handle.metrics().cores[0].leaked <= 6);
    });
    assert_eq!(damaged(), 0, "the kernel wrote into freed memory");
}
