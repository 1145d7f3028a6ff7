//! Futures that make descriptors, dropped at each stage: whatever the kernel opened for them is closed.
//!
//! One test at a time: they count the descriptors of the process.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/drops.rs"]
mod drops;

use drops::{leave_in, open_fds, open_now, poll_once, turns, within, zeros};
use kael_rt::fs::{self, File};
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, Instant};
use std::future::Future;
use std::net::{SocketAddr, TcpListener as StdTcpListener, TcpStream as StdTcpStream};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;

type Any = Pin<Box<dyn Future<Output = Box<dyn std::any::Any>>>>;

fn boxed<F: Future + 'static>(future: F) -> Any
where
    F::Output: 'static,
{
    Box::pin(async move { Box::new(future.await) as Box<dyn std::any::Any> })
}

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|error| error.into_inner())
}

/// What a thread that looks up a name takes at most, where the name's servers do not answer.
const LONG: Duration = Duration::from_secs(60);
/// When a future that is not ready after so many polls is dropped.
const POLLS: usize = 7;

/// How the runtime and the future end.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    /// The future first, in the running runtime.
    Future,
    /// The runtime first.
    Runtime,
    /// The future is a task that the runtime's end drops.
    Task,
}

/// Drops the future that `make` makes after each number of polls, with and without a turn after the last.
#[track_caller]
fn at_each_stage(what: &str, make: fn() -> Any) {
    let _alone = alone();
    if cfg!(windows) {
        // What its libraries make once in a process stays.
        within("the runtime never ended", move || stage(make, End::Runtime, POLLS, true));
    }
    let before = open_fds();
    for end in [End::Future, End::Runtime, End::Task] {
        for (polls, turn) in (0..POLLS).flat_map(|polls| [(polls, false), (polls, true)]) {
            within("the runtime never ended", move || stage(make, end, polls, turn));
            // Only a thread that looks up a name may go on after the runtime's end. It opens one file after the other, so
            // it is the thread that is waited for.
            let (began, mut left) = (Instant::now(), open_now());
            while (is_looking_up() || left != before) && began.elapsed() < LONG {
                std::thread::yield_now();
                left = open_now();
            }
            assert_eq!(left, before, "{what}: {end:?} after {polls} polls, turn {turn}");
        }
    }
}

/// A thread of a pool is there.
#[cfg(unix)]
fn is_looking_up() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads.flatten().any(|thread| {
        // One that has ended meanwhile has no name any more.
        std::fs::read_to_string(thread.path().join("comm"))
            .is_ok_and(|name| name.trim_end() == "kael-blocking")
    })
}

/// A thread that looks up a name opens something and has it to the end.
#[cfg(windows)]
fn is_looking_up() -> bool {
    false
}

fn stage(make: fn() -> Any, end: End, polls: usize, turn: bool) {
    let runtime = Builder::new().build().unwrap();
    let mut kept = Some(make());
    let (alive, left) = runtime.block_on(async {
        if end == End::Task {
            drop(kael_rt::spawn(kept.take().unwrap()));
            turns(polls as u32).await;
            return (Vec::new(), Vec::new());
        }
        let begun = open_now();
        for poll in 0..polls {
            if let Poll::Ready(output) = poll_once(kept.as_mut().unwrap()) {
                kept = None;
                drop(output);
                break;
            }
            if turn || poll + 1 < polls {
                turns(2).await;
            }
        }
        if end == End::Future {
            drop(kept.take());
            // The cancel goes out with a turn, and the close with a later one. A thread that looks up a name has
            // descriptors of its own for a while.
            let (began, mut left) = (Instant::now(), open_now());
            while left != begun && began.elapsed() < LONG {
                turns(1).await;
                left = open_now();
            }
            return (begun, left);
        }
        (Vec::new(), Vec::new())
    });
    assert_eq!(left, alive, "open in the running runtime after {polls} polls, turn {turn}");
    drop(runtime);
    drop(kept);
}

#[test]
fn r07_open_dropped_at_each_stage() {
    at_each_stage("open", || boxed(File::open(zeros())));
    at_each_stage("open nothing", || boxed(File::open("/nothing/here")));
    at_each_stage("create", || {
        let path = std::env::temp_dir().join(format!("kael-r07-{}", std::process::id()));
        boxed(async move {
            let file = File::create(&path).await?;
            fs::remove_file(&path).await?;
            std::io::Result::Ok(file)
        })
    });
    at_each_stage("fs::read", || {
        // One without a length, where there are such files.
        boxed(fs::read(if cfg!(unix) { "/proc/self/cmdline".into() } else { zeros() }))
    });
    at_each_stage("open and close", || boxed(async { File::open(zeros()).await?.close().await }));
    at_each_stage("open with a time limit", || boxed(File::open(zeros()).timeout(Duration::ZERO)));
}

#[test]
fn r07_bind_dropped_at_each_stage() {
    at_each_stage("TcpListener::bind", || boxed(TcpListener::bind("127.0.0.1:0")));
    at_each_stage("TcpListener::bind by name", || boxed(TcpListener::bind("localhost:0")));
    at_each_stage("UdpSocket::bind", || boxed(UdpSocket::bind("127.0.0.1:0")));
    at_each_stage("UdpSocket::bind elsewhere", || boxed(UdpSocket::bind("192.0.2.1:1")));
}

#[test]
fn r07_connect_dropped_at_each_stage() {
    at_each_stage("connect", || {
        boxed(async {
            let listener = StdTcpListener::bind("127.0.0.1:0").unwrap();
            TcpStream::connect(listener.local_addr().unwrap()).await
        })
    });
    at_each_stage("connect to nobody", || boxed(TcpStream::connect("127.0.0.1:1")));
    at_each_stage("connect by name", || boxed(TcpStream::connect("localhost:1")));
}

/// The kernel waits for an answer that does not come: the queue of the listener is full.
#[test]
fn r07_a_connect_that_waits_dropped_at_each_stage() {
    fn full() -> SocketAddr {
        use std::sync::OnceLock;
        static FULL: OnceLock<(StdTcpListener, Vec<StdTcpStream>)> = OnceLock::new();
        let (listener, _) = FULL.get_or_init(|| {
            let listener = StdTcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            // Only the length of its queue changes.
            socket2::SockRef::from(&listener).listen(0).unwrap();
            let mut clients = Vec::new();
            while let Ok(client) = StdTcpStream::connect_timeout(&addr, Duration::from_millis(300))
            {
                clients.push(client);
            }
            (listener, clients)
        });
        listener.local_addr().unwrap()
    }
    {
        let _alone = alone();
        full();
    }
    at_each_stage("connect without an answer", || boxed(TcpStream::connect(full())));
    at_each_stage("connect without an answer, with a time limit", || {
        boxed(kael_rt::time::timeout(Duration::from_micros(200), TcpStream::connect(full())))
    });
}

#[test]
fn r07_accept_dropped_at_each_stage() {
    at_each_stage("accept without a peer", || {
        boxed(async { TcpListener::bind("127.0.0.1:0").await.unwrap().accept().await })
    });
    at_each_stage("accept", || {
        boxed(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = StdTcpStream::connect(listener.local_addr().unwrap()).unwrap();
            listener.accept().await.map(drop)
        })
    });
    at_each_stage("accept after an accept that was dropped", || {
        boxed(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let mut client = None;
            let connect = || client = Some(StdTcpStream::connect(addr).unwrap());
            leave_in(listener.accept(), connect).await;
            kael_rt::time::sleep(Duration::from_micros(100)).await;
            listener.accept().await.map(drop)
        })
    });
    at_each_stage("a pair of streams that is closed", || {
        boxed(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (peer, _) = listener.accept().await.unwrap();
            stream.write_all("bytes").await.0.unwrap();
            stream.close().await.unwrap();
            peer.detach().await.unwrap()
        })
    });
}
