//! Counts heap allocations of I/O in its steady state: none, for each public operation. The counter is the allocator
//! of the whole process and counts for each thread apart, so the tests may run side by side.

#![cfg(not(kael_backend = "sim"))] // Its subjects are this system's own limits.

#[path = "support/counting.rs"]
mod counting;
mod rig;
#[path = "support/steady.rs"]
mod steady;

use counting::Counting;
use kael_rt::buf::BufferPool;
use kael_rt::fs::File;
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::ops::link;
use kael_rt::time::Duration;
use rig::{READINESS, TempFile, pair, size, within_limit};
use steady::expect_no_allocation;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 100_000;

#[test]
fn r41_tcp_queued_ping_pong() {
    within_limit(|| {
        kael_rt::block_on(async {
            const MESSAGE: &[u8] = &[7; 64];
            let (a, b) = pair().await;
            let _echo = kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(64);
                loop {
                    let (n, back) = b.read(buf).await;
                    if n.unwrap() == 0 {
                        return;
                    }
                    b.write_queued_vectored((&MESSAGE[..32], &MESSAGE[32..])).await.unwrap();
                    buf = back;
                }
            });
            let mut kept = vec![0; 64];
            expect_no_allocation("queued TCP ping-pong", size(ROUNDS, 1_000_000), async || {
                a.write_queued(MESSAGE).await.unwrap();
                let (n, buf) = a.read_exact(std::mem::take(&mut kept)).await;
                assert_eq!(n.unwrap(), 64);
                kept = buf;
            })
            .await;
        });
    });
}

/// What is received in a buffer of a pool goes back from there; both ends do so.
#[test]
fn r41_pooled_tcp_ping_pong() {
    within_limit(|| {
        kael_rt::block_on(async {
            let pool = BufferPool::new(16, 1024).unwrap();
            let (a, b) = pair().await;
            let echo = pool.clone();
            let _echo = kael_rt::spawn(async move {
                let mut pieces = b.recv_stream(&echo);
                while let Some(piece) = pieces.next().await.unwrap() {
                    b.write_queued(piece).await.unwrap();
                }
            });
            let mut kept = Some(pool.get().await);
            kept.as_mut().unwrap().put(&[7; 64]);
            expect_no_allocation("pooled TCP ping-pong", size(ROUNDS, 1_000_000), async || {
                a.write_queued(kept.take().unwrap()).await.unwrap();
                kept = a.recv_pooled(&pool).await.unwrap();
                assert_eq!(kept.as_ref().unwrap().len(), 64);
            })
            .await;
        });
    });
}

#[test]
fn r41_pooled_file_reads() {
    within_limit(|| {
        let page = TempFile::new("pooled-reads", &[7; 4096]);
        kael_rt::block_on(async {
            let pool = BufferPool::new(4, 4096).unwrap();
            let file = File::open(&page.0).await.unwrap();
            expect_no_allocation("file reads into a pool", size(ROUNDS, 1_000_000), async || {
                let (n, buf) = file.read_at(pool.get().await, 0).await;
                assert_eq!((n.unwrap(), buf[4095]), (4096, 7));
            })
            .await;
        });
    });
}

#[test]
fn r41_links() {
    within_limit(|| {
        let file = TempFile::new("r41-links", &[9; 4096]);
        kael_rt::block_on(async {
            let file = File::options().read(true).write(true).open(&file.0).await.unwrap();
            let mut kept = (vec![1; 512], vec![2; 512]);
            expect_no_allocation("links", size(20_000, ROUNDS), async || {
                let (from, into) = std::mem::take(&mut kept);
                let done = link((file.write_at(from, 0), file.read_at(into, 0))).await;
                assert_eq!(done.broken, None);
                kept = (done.results.0.1, done.results.1.1);
            })
            .await;
        });
    });
}

/// After its first piece: a stream of more pieces than are read of it.
#[test]
fn r41_read_streams() {
    within_limit(|| {
        let file = TempFile::new("r41-stream", &[]);
        kael_rt::block_on(async {
            let pool = BufferPool::new(16, 64).unwrap();
            let file = File::options().read(true).write(true).open(&file.0).await.unwrap();
            file.set_len(1 << 32).await.unwrap();
            let mut pieces = file.read_stream(&pool, ..).depth(8);
            expect_no_allocation("pieces of a file", size(ROUNDS, 1_000_000), async || {
                assert_eq!(pieces.next().await.unwrap().unwrap().len(), 64);
            })
            .await;
        });
    });
}

#[test]
fn r41_tcp_ping_pong() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let _echo = kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(64);
                loop {
                    let (n, back) = b.read(buf).await;
                    if n.unwrap() == 0 {
                        return;
                    }
                    let (n, back) = b.write(back).await;
                    assert_eq!(n.unwrap(), 64);
                    buf = back;
                }
            });
            let mut kept = vec![7; 64];
            expect_no_allocation("TCP ping-pong", size(ROUNDS, 1_000_000), async || {
                let (n, buf) = a.write(std::mem::take(&mut kept)).await;
                assert_eq!(n.unwrap(), 64);
                let (n, buf) = a.read(buf).await;
                assert_eq!(n.unwrap(), 64);
                kept = buf;
            })
            .await;
        });
    });
}

#[test]
fn r41_whole_transfers() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let mut kept = vec![7; 4096];
            let mut other = vec![0; 4096];
            expect_no_allocation("write_all and read_exact", size(20_000, ROUNDS), async || {
                let (n, buf) = a.write_all(std::mem::take(&mut kept)).await;
                assert_eq!(n.unwrap(), 4096);
                kept = buf;
                let (n, buf) = b.read_exact(std::mem::take(&mut other)).await;
                assert_eq!(n.unwrap(), 4096);
                other = buf;
            })
            .await;
            assert_eq!(kept, other);
        });
    });
}

#[test]
fn r41_vectored() {
    within_limit(|| {
        let file = TempFile::new("r41-vectored", &[5; 8192]);
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let file = File::options().read(true).write(true).open(&file.0).await.unwrap();
            let mut out = Some([vec![1u8; 32], vec![2; 32]]);
            let mut into = Some([Vec::with_capacity(16), Vec::with_capacity(48)]);
            expect_no_allocation("vectored reads and writes", size(20_000, ROUNDS), async || {
                let (n, bufs) = a.write_vectored(out.take().unwrap()).await;
                assert_eq!(n.unwrap(), 64);
                let (n, bufs) = file.write_vectored_at(bufs, 0).await.map_n(64);
                assert_eq!(n, 64);
                out = Some(bufs);
                let (n, bufs) = b.read_vectored(into.take().unwrap()).await;
                assert_eq!(n.unwrap(), 64);
                let (n, bufs) = file.read_vectored_at(bufs, 4096).await.map_n(64);
                assert_eq!(n, 64);
                into = Some(bufs);
            })
            .await;
            assert_eq!(into.unwrap()[1], [5; 48]);
        });
    });
}

#[test]
fn r16_zero_copy_sends_allocate_nothing() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            // Reading acknowledges at once; else the kernel would wait for more, and the sender for it.
            let _reader = kael_rt::spawn(async move {
                let mut into = vec![0; 8192];
                loop {
                    let (n, buf) = b.read(into).await;
                    if n.unwrap() == 0 {
                        return;
                    }
                    into = buf;
                }
            });
            let mut out = vec![7; 4096];
            let mut parts = Some([vec![1u8; 1000], vec![2; 3096]]);
            // Where the calls are ours, the sender may be so far ahead that only a part fits.
            let is_sent = |n: usize| n == 4096 || READINESS && n > 0;
            expect_no_allocation("zero-copy sends", size(20_000, ROUNDS), async || {
                let (n, buf) = a.send_zc(std::mem::take(&mut out)).await;
                assert!(is_sent(n.unwrap()));
                out = buf;
                let (n, bufs) = a.send_zc_vectored(parts.take().unwrap()).await;
                assert!(is_sent(n.unwrap()));
                parts = Some(bufs);
            })
            .await;
        });
    });
}

/// Shorter to write where a result is expected.
trait MapN<B> {
    fn map_n(self, n: usize) -> (usize, B);
}

impl<B> MapN<B> for (std::io::Result<usize>, B) {
    fn map_n(self, n: usize) -> (usize, B) {
        assert_eq!(self.0.unwrap(), n);
        (n, self.1)
    }
}

#[test]
fn r41_udp() {
    within_limit(|| {
        kael_rt::block_on(async {
            let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let (to_a, to_b) = (a.local_addr().unwrap(), b.local_addr().unwrap());
            b.connect(to_a).await.unwrap();
            let (mut out, mut into) = (vec![3; 100], Vec::with_capacity(200));
            expect_no_allocation("UDP there and back", size(ROUNDS, 1_000_000), async || {
                let (n, buf) = a.send_to(std::mem::take(&mut out), to_b).await;
                assert_eq!(n.unwrap(), 100);
                out = buf;
                let (n, buf) = b.recv(std::mem::take(&mut into)).await;
                assert_eq!(n.unwrap(), 100);
                let (n, buf) = b.send(buf).await;
                assert_eq!(n.unwrap(), 100);
                let (got, buf) = a.recv_from(buf).await;
                assert_eq!(got.unwrap(), (100, to_b));
                into = buf;
            })
            .await;
        });
    });
}

#[test]
fn r41_file_reads() {
    within_limit(|| {
        let file = TempFile::new("r41-file", &[9; 65_536]);
        kael_rt::block_on(async {
            let file = File::options().read(true).write(true).open(&file.0).await.unwrap();
            let mut kept = vec![0; 4096];
            let mut round = 0u64;
            expect_no_allocation("file reads", size(ROUNDS, 1_000_000), async || {
                round += 1;
                let (n, buf) = file.read_at(std::mem::take(&mut kept), round % 16 * 4096).await;
                assert_eq!(n.unwrap(), 4096);
                kept = buf;
            })
            .await;
            expect_no_allocation("whole file transfers", size(20_000, ROUNDS), async || {
                round += 1;
                let buf = std::mem::take(&mut kept);
                let (n, buf) = file.read_exact_at(buf, round % 16 * 4096).await;
                assert_eq!(n.unwrap(), 4096);
                let (n, buf) = file.write_all_at(buf, round % 16 * 4096).await;
                assert_eq!(n.unwrap(), 4096);
                kept = buf;
            })
            .await;
            expect_no_allocation("metadata", size(20_000, ROUNDS), async || {
                assert_eq!(file.metadata().await.unwrap().len(), 65_536);
            })
            .await;
        });
    });
}

#[test]
fn r41_timed_reads() {
    within_limit(|| {
        let runtime = kael_rt::runtime::Builder::new().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (a, b) = pair().await;
            let limit = Duration::from_millis(5);
            let (mut out, mut into) = (vec![1; 8], Vec::with_capacity(64));
            expect_no_allocation("reads in time", size(20_000, ROUNDS), async || {
                let (n, buf) = a.write(std::mem::take(&mut out)).await;
                assert_eq!(n.unwrap(), 8);
                out = buf;
                let (n, buf) = b.read(std::mem::take(&mut into)).timeout(limit).await;
                assert_eq!(n.unwrap(), 8);
                into = buf;
            })
            .await;
            expect_no_allocation("reads that are stopped", size(20_000, ROUNDS), async || {
                let (n, buf) = b.read(std::mem::take(&mut into)).timeout(limit).await;
                assert_eq!(n.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
                into = buf;
            })
            .await;
        });
    });
}

#[test]
fn r41_accepted_connections() {
    within_limit(|| {
        kael_rt::block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            expect_no_allocation("connect, accept, close", size(5_000, ROUNDS), async || {
                let client = TcpStream::connect(addr).await.unwrap();
                let (stream, peer) = listener.accept().await.unwrap();
                assert_eq!(peer.ip(), addr.ip());
                // A reset leaves no port behind that could not be used again for a minute.
                client.set_linger(Some(Duration::ZERO)).unwrap();
                drop(client);
                stream.close().await.unwrap();
            })
            .await;
        });
    });
}

/// More reads in one poll than are answered at once: the others wait for the next turn.
#[cfg(kael_backend = "epoll")]
#[test]
fn r41_the_first_reads_that_wait_for_a_turn() {
    use counting::allocations;
    use std::future::{Future, poll_fn};
    use std::pin::Pin;
    use std::task::Poll;

    within_limit(|| {
        kael_rt::block_on(async {
            let path = TempFile::new("alloc-late", &[7; 4096]);
            let file = File::open(&path.0).await.unwrap();
            let mut first = file.read_at(vec![0; 64], 0);
            if poll_fn(|cx| Poll::Ready(Pin::new(&mut first).poll(cx).is_pending())).await {
                // The emulation of a processor does not know of that: the pool does the reads, and starts its threads.
                println!("not checked: this system does not say what of a file is in memory");
                return;
            }
            // So many that the next ones are counted anew.
            for _ in 0..100 {
                assert_eq!(file.read_at(vec![0; 64], 0).await.0.unwrap(), 64);
            }
            let mut reads: Vec<_> = (0..48).map(|_| Some(file.read_at(vec![0; 64], 0))).collect();
            let before = allocations();
            poll_fn(|cx| {
                for place in &mut reads {
                    if let Some(read) = place
                        && let Poll::Ready((n, _)) = Pin::new(read).poll(cx)
                    {
                        assert_eq!(n.unwrap(), 64);
                        *place = None;
                    }
                }
                if reads.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            assert_eq!(allocations() - before, 0, "allocations in 48 reads");
        });
    });
}
