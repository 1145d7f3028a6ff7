//! Futures that are leaked: forgotten, in a cycle of Rc, in a leaked box. Nothing is freed under the kernel, and what is
//! lost is the operation itself at most.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/canary.rs"]
mod canary;
#[path = "support/drops.rs"]
mod drops;

use canary::{damaged, in_use};
use drops::{Plain, READINESS, adopt, full, open_fds, plain_pair, poll_once, turns, within};
use kael_rt::CancelToken;
use kael_rt::fs::{self, File};
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::time::{Duration, sleep, timeout};
use std::cell::RefCell;
use std::future::Future;
use std::io::Write;
use std::mem;
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;

type Any = Pin<Box<dyn Future<Output = ()>>>;

/// The bytes of each operation's buffer.
const SIZE: usize = 16 << 10;

fn boxed<F: Future + 'static>(future: F) -> Any {
    Box::pin(async move { drop(future.await) })
}

/// What the operations are on. It is dropped before the runtime is.
struct On {
    file: File,
    path: std::path::PathBuf,
    listener: TcpListener,
    streams: Vec<(TcpStream, Plain)>,
    socket: UdpSocket,
    token: CancelToken,
}

impl On {
    async fn new() -> On {
        let path = std::env::temp_dir().join(format!("kael-forget-{}", std::process::id()));
        let file = File::options().read(true).write(true).create(true).open(&path).await.unwrap();
        file.write_all_at(vec![1; SIZE], 0).await.0.unwrap();
        let streams = (0..9).map(|_| plain_pair()).map(|(a, b)| (adopt(a), b));
        On {
            file,
            path,
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            streams: streams.collect(),
            socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
            token: CancelToken::new(),
        }
    }

    /// One operation of every kind.
    fn all(&self) -> Vec<Any> {
        let (file, socket, listener) = (&self.file, &self.socket, &self.listener);
        let stream = |i: usize| &self.streams[i].0;
        let (addr, to) = (listener.local_addr().unwrap(), socket.local_addr().unwrap());
        let parts = || vec![vec![0; SIZE / 4]; 4];
        let brief = Duration::from_millis(1);
        vec![
            boxed(file.read_at(vec![0; SIZE], 0)),
            boxed(file.read_exact_at(vec![0; SIZE], 0)),
            boxed(file.read_vectored_at(parts(), 0)),
            boxed(file.write_at(vec![0; SIZE], 0)),
            boxed(file.write_all_at(vec![0; SIZE], 0)),
            boxed(file.write_vectored_at(parts(), 0)),
            boxed(file.sync_all()),
            boxed(file.sync_data()),
            boxed(file.set_len(SIZE as u64)),
            boxed(file.allocate(0, SIZE as u64)),
            boxed(file.metadata()),
            boxed(File::open(&self.path)),
            boxed(fs::metadata(&self.path)),
            boxed(fs::read(self.path.clone())),
            boxed(listener.accept()),
            boxed(listener.accept()),
            boxed(TcpStream::connect(addr)),
            boxed(stream(0).read(vec![0; SIZE])),
            boxed(stream(0).read(vec![0; SIZE])),
            boxed(stream(1).read_exact(vec![0; SIZE])),
            boxed(stream(2).peek(vec![0; SIZE])),
            boxed(stream(3).read_vectored(parts())),
            boxed(stream(4).write(vec![0; SIZE])),
            boxed(stream(5).write_all(vec![0; 64 * SIZE])),
            boxed(stream(5).write_all(vec![0; SIZE])),
            boxed(stream(6).write_vectored(parts())),
            boxed(stream(6).shutdown(Shutdown::Write)),
            boxed(stream(7).read(vec![0; SIZE]).timeout(brief)),
            boxed(stream(8).read(vec![0; SIZE]).cancel_on(&self.token)),
            boxed(socket.recv(vec![0; SIZE])),
            boxed(socket.recv_from(vec![0; SIZE])),
            boxed(socket.send_to(vec![0; SIZE], to)),
            boxed(sleep(brief)),
            boxed(timeout(brief, sleep(brief))),
            boxed(self.token.cancelled()),
        ]
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Forget,
    Cycle,
    LeakedBox,
}

fn leak(future: Any, way: Way) {
    match way {
        Way::Forget => mem::forget(future),
        Way::Cycle => {
            type Link = RefCell<Option<Rc<dyn std::any::Any>>>;
            let cycle: Rc<(Any, Link)> = Rc::new((future, RefCell::new(None)));
            *cycle.1.borrow_mut() = Some(cycle.clone());
        }
        Way::LeakedBox => {
            Box::leak(Box::new(future));
        }
    }
}

/// How far the futures are when they are leaked.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Far {
    Unpolled,
    Queued,
    /// The kernel has had them for a while; some are done and unread.
    Submitted,
}

fn round(way: Way, far: Far) {
    within("the runtime never ended", move || {
        let runtime = kael_rt::runtime::Builder::new().queue_depth(16).build().unwrap();
        let peers = runtime.block_on(async {
            let on = On::new().await;
            let mut futures = on.all();
            if far != Far::Unpolled {
                for future in &mut futures {
                    let _ = poll_once(future);
                }
            }
            if far == Far::Submitted {
                turns(3).await;
            }
            futures.into_iter().for_each(|future| leak(future, way));
            let to = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            to.send_to(&[1; 512], on.socket.local_addr().unwrap()).unwrap();
            fs::remove_file(&on.path).await.unwrap();
            on.streams.into_iter().map(|(_, peer)| peer).collect::<Vec<_>>()
        });
        // What comes now, or with the cancel, may only be written to what is alive.
        for mut peer in peers.iter() {
            // What was done at its first poll has let go of its stream, which is closed.
            assert!(peer.write_all(&[1; 512]).is_ok() || READINESS);
        }
        drop(runtime);
    });
}

#[test]
fn r03_leaked_futures_of_every_operation_leak_no_more_than_themselves() {
    // The thread's end is the end of what the kernel does, and what is made once is made.
    round(Way::Forget, Far::Submitted);
    damaged();
    let repeats = if full() { 100 } else { 4 };
    for way in [Way::Forget, Way::Cycle, Way::LeakedBox] {
        for far in [Far::Unpolled, Far::Queued, Far::Submitted] {
            for _ in 0..repeats {
                let (bytes, fds) = (in_use(), open_fds().len());
                round(way, far);
                assert_eq!(damaged(), 0, "freed memory was written to ({way:?}, {far:?})");
                // Threads of the pool end by themselves, and have something until then.
                let end = std::time::Instant::now() + Duration::from_secs(20);
                while far != Far::Unpolled
                    && in_use().saturating_sub(bytes) >= 3 * SIZE
                    && std::time::Instant::now() < end
                {
                    std::thread::yield_now();
                }
                let (bytes, fds) = (in_use().saturating_sub(bytes), open_fds().len() - fds);
                match far {
                    // The buffers and descriptors are the futures' own, and are gone with them.
                    Far::Unpolled => {
                        assert!(bytes < (24 + 64 + 8) * SIZE, "{bytes} bytes leaked ({way:?})");
                        assert!(fds <= 12, "{fds} descriptors leaked ({way:?})");
                    }
                    // The operations were in their slots, and the runtime's end has dropped them.
                    Far::Queued | Far::Submitted => {
                        assert!(bytes < 3 * SIZE, "{bytes} bytes leaked ({way:?}, {far:?})");
                        assert_eq!(fds, 0, "descriptors leaked ({way:?}, {far:?})");
                    }
                }
            }
        }
    }
}
