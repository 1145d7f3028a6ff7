//! Sends without a copy: the buffer is back when the kernel has let go of it and not before, whatever becomes of the
//! peer, of the future, and of the send.

mod rig;

use kael_rt::{
    CancelToken,
    net::{TcpStream, UdpSocket},
    time::Duration,
};
use rig::{pair, size, within_limit};
use std::{io::ErrorKind, rc::Rc};

/// The bytes of a stream, by their place in it: they repeat after a prime number.
struct Pattern(Vec<u8>);

const PERIOD: usize = 65_521;
const LONGEST: usize = 1 << 20;

impl Pattern {
    fn new() -> Rc<Pattern> {
        let byte = |i: usize| ((i % PERIOD) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        Rc::new(Pattern((0..PERIOD + LONGEST).map(|i| byte(i) as u8).collect()))
    }

    fn at(&self, place: usize, len: usize) -> &[u8] {
        &self.0[place % PERIOD..][..len]
    }
}

/// Reads to the end, and compares. The number of bytes that came.
async fn check(stream: TcpStream, pattern: Rc<Pattern>) -> usize {
    let (mut place, mut buf) = (0, Vec::with_capacity(LONGEST / 4));
    loop {
        let (n, back) = stream.read(buf).await;
        let n = n.unwrap();
        if n == 0 {
            return place;
        }
        assert!(back[..n] == *pattern.at(place, n), "bytes after {place} were overwritten");
        place += n;
        buf = back;
    }
}

/// From 1 byte to 1 MiB: mostly small, and each size class sooner or later.
fn length(round: usize) -> usize {
    let most = [1, 16, 700, 4096, 20_000, 100, 65_536, 3, 2000, LONGEST][round % 10];
    // One in a hundred rounds is as long as it can be.
    let most = if most == LONGEST && !(round / 10).is_multiple_of(10) { 50_000 } else { most };
    most - round * 7919 % most.div_ceil(3)
}

#[test]
fn r16_a_buffer_that_is_back_may_be_overwritten_at_once() {
    within_limit(|| {
        kael_rt::block_on(async {
            let pattern = Pattern::new();
            let (a, b) = pair().await;
            let reader = kael_rt::spawn(check(b, pattern.clone()));
            let (mut place, mut buf) = (0, Vec::with_capacity(LONGEST));
            for round in 0..size(5_000, 1_000_000) {
                buf.clear();
                buf.extend_from_slice(pattern.at(place, length(round)));
                let (n, back) = a.send_zc(buf).await;
                buf = back;
                buf.fill(!0);
                place += n.unwrap();
            }
            a.close().await.unwrap();
            assert_eq!(reader.await.unwrap(), place);
        });
    });
}

#[test]
fn r16_several_buffers_that_are_back_may_be_overwritten_at_once() {
    within_limit(|| {
        kael_rt::block_on(async {
            let pattern = Pattern::new();
            let (a, b) = pair().await;
            let reader = kael_rt::spawn(check(b, pattern.clone()));
            let (mut place, mut bufs) = (0, vec![Vec::new(), Vec::new(), Vec::new()]);
            for round in 0..size(2_000, 100_000) {
                let mut next = place;
                for (i, buf) in bufs.iter_mut().enumerate() {
                    // One of them may be empty.
                    let len = if i == round % 7 { 0 } else { length(round + i) / 3 };
                    buf.clear();
                    buf.extend_from_slice(pattern.at(next, len));
                    next += len;
                }
                let (n, back) = a.send_zc_vectored(bufs).await;
                bufs = back;
                bufs.iter_mut().for_each(|buf| buf.fill(!0));
                place += n.unwrap();
            }
            a.close().await.unwrap();
            assert_eq!(reader.await.unwrap(), place);
        });
    });
}

#[test]
fn r16_datagrams_are_sent_as_they_were() {
    within_limit(|| {
        kael_rt::block_on(async {
            let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            a.connect(b.local_addr().unwrap()).await.unwrap();
            let (mut buf, mut into) = (Vec::new(), Vec::with_capacity(20_000));
            for round in 0..size(2_000, 100_000) {
                let len = round * 7919 % 9_000;
                buf.clear();
                buf.resize(len, round as u8);
                let (n, back) = a.send_zc(buf).await;
                assert_eq!(n.unwrap(), len);
                buf = back;
                buf.fill(!(round as u8));
                let (n, back) = b.recv(into).await;
                assert_eq!(n.unwrap(), len);
                assert!(back.iter().all(|byte| *byte == round as u8), "datagram {round}");
                into = back;
            }
        });
    });
}

#[test]
fn r16_nothing_to_send_is_sent_at_once() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            assert_eq!(a.send_zc("").await.0.unwrap(), 0);
            assert_eq!(a.send_zc_vectored(["", ""]).await.0.unwrap(), 0);
            assert_eq!(a.send_zc("x").await.0.unwrap(), 1);
            assert_eq!(b.read(vec![0; 8]).await.1, b"x");
        });
    });
}

/// Writes until the peer's window is shut and this side's buffer is full.
async fn stuff(stream: &TcpStream) {
    let brief = Duration::from_millis(2);
    while stream.write(vec![0; 1 << 16]).timeout(brief).await.0.is_ok() {}
}

/// A send that nothing was taken of is stopped at once. If there was room after all, the buffer is back when the peer
/// has read, and not before.
#[test]
fn r16_a_send_that_is_stopped_gives_its_buffer_back() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let mut stopped = 0;
            for round in 0..20 {
                stuff(&a).await;
                let token = CancelToken::new();
                let stop = token.clone();
                let timed = a.send_zc(vec![7; 5000]).timeout(Duration::from_millis(1));
                let halves = [vec![7; 4000], vec![7; 1000]];
                let cancelled = a.send_zc_vectored(halves).cancel_on(&token);
                let send = kael_rt::spawn(async move {
                    if round % 2 == 0 {
                        return timed.await;
                    }
                    let (result, halves) = cancelled.await;
                    (result, halves.concat())
                });
                kael_rt::yield_now().await;
                stop.cancel();
                if cfg!(windows) {
                    // Windows goes on with a send until it is told to stop, and that is told with the next turn.
                    kael_rt::time::sleep(Duration::from_millis(2)).await;
                }
                let (result, bytes) = loop {
                    if send.is_finished() {
                        break send.await.unwrap();
                    }
                    let read = b.read(Vec::with_capacity(1 << 20));
                    drop(read.timeout(Duration::from_millis(20)).await);
                };
                assert_eq!(bytes, [7; 5000]);
                stopped += u32::from(result.is_err());
            }
            assert!(stopped > 0, "none was stopped");
            drop(b);
        });
    });
}

#[test]
fn r16_a_peer_that_resets_midway_ends_the_send() {
    within_limit(|| {
        kael_rt::block_on(async {
            for round in 0..size(40, 10_000) {
                let (a, b) = pair().await;
                let send = kael_rt::spawn(async move {
                    let mut buf = vec![7; LONGEST];
                    // The bytes are taken until the reset comes; then there is an error, and it stays.
                    loop {
                        let (result, back) = a.send_zc(buf).await;
                        assert_eq!(back.len(), LONGEST);
                        buf = back;
                        buf.fill(8);
                        let Err(error) = result else { continue };
                        let kind = error.kind();
                        let resets = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                        assert!(resets.contains(&kind), "{kind}");
                        let again = a.send_zc(buf).await.0.unwrap_err().kind();
                        assert!(resets.contains(&again), "{again}");
                        return;
                    }
                });
                for _ in 0..round % 4 {
                    b.read(vec![0; 10_000]).await.0.unwrap();
                }
                b.set_linger(Some(Duration::ZERO)).unwrap();
                drop(b);
                send.await.unwrap();
            }
        });
    });
}

#[test]
fn r16_sends_that_were_dropped_or_stopped_are_not_overwritten() {
    within_limit(|| {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            let reader = kael_rt::spawn(async move {
                let (mut runs, mut buf) = (Vec::<(u8, usize)>::new(), Vec::with_capacity(50_000));
                loop {
                    let (n, back) = b.read(buf).await;
                    if n.unwrap() == 0 {
                        return runs;
                    }
                    for &byte in &back {
                        match runs.last_mut() {
                            Some((last, count)) if *last == byte => *count += 1,
                            _ => runs.push((byte, 1)),
                        }
                    }
                    buf = back;
                }
            });
            let rounds = size(100, 200);
            for round in 0..rounds {
                let byte = round as u8;
                // Begun, and then dropped; what is written next comes after it.
                let begun = kael_rt::spawn({
                    let send = a.send_zc(vec![byte; length(round * 3 + 2)]);
                    async move { send.timeout(Duration::from_secs(100)).await }
                });
                for _ in 0..round % 5 {
                    kael_rt::yield_now().await;
                }
                begun.abort();
                drop(begun.await);
                a.write_all([byte].to_vec()).await.0.unwrap();
            }
            a.close().await.unwrap();
            let order: Vec<u8> = reader.await.unwrap().iter().map(|run| run.0).collect();
            assert_eq!(order, (0..rounds).map(|round| round as u8).collect::<Vec<u8>>());
        });
    });
}

/// From which size on a send without a copy costs less of the processor than one with: a table, and no judgement. The
/// other end discards what comes. On the loopback device the kernel copies after all, and on the sender's account.
#[cfg(not(any(windows, kael_backend = "sim")))] // It measures a real kernel, by the account of its scheduler.
#[test]
#[ignore = "a measurement: cargo test --release -p kael-rt --test zero_copy -- --ignored --nocapture break_even"]
fn break_even() {
    const RUNS: usize = 5;
    within_limit(|| {
        kael_rt::block_on(async {
            println!(
                "{:>8} {:>12} {:>12}   (µs of this thread's CPU a send, best of {RUNS})",
                "bytes", "write_all", "send_zc"
            );
            for shift in 10..=20 {
                let len = 1usize << shift;
                let sends = ((64 << 20) / len).clamp(200, 20_000);
                let (mut copied, mut not) = (f64::MAX, f64::MAX);
                for _ in 0..RUNS {
                    copied = copied.min(cost(len, sends, false).await);
                    not = not.min(cost(len, sends, true).await);
                }
                println!("{len:>8} {copied:>12.2} {not:>12.2}");
            }
        });
    });
}

#[cfg(not(any(windows, kael_backend = "sim")))]
async fn cost(len: usize, sends: usize, zero_copy: bool) -> f64 {
    use kael_rt::buf::IoBuf;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut peer = listener.accept().unwrap().0;
    let sink = std::thread::spawn(move || std::io::copy(&mut peer, &mut std::io::sink()).unwrap());
    let mut buf = vec![7; len];
    let before = thread_cpu_ns();
    for _ in 0..sends {
        if !zero_copy {
            let (result, back) = stream.write_all(buf).await;
            result.unwrap();
            buf = back;
            continue;
        }
        let mut sent = 0;
        while sent < len {
            let (n, rest) = stream.send_zc(buf.slice(sent..)).await;
            sent += n.unwrap();
            buf = rest.into_inner();
        }
    }
    let spent = thread_cpu_ns() - before;
    stream.close().await.unwrap();
    assert_eq!(sink.join().unwrap(), (len * sends) as u64);
    spent as f64 / sends as f64 / 1000.0
}

/// How long the calling thread has run, by the scheduler's account.
#[cfg(not(any(windows, kael_backend = "sim")))]
fn thread_cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("proc is mounted");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("it begins with a time")
}
