//! Writes whose futures are dropped: each is finished before the next begins, bytes never interleave, and an error that
//! nobody saw stays with the stream.

#![cfg(not(kael_backend = "sim"))] // The other ends of its connections are the system's own sockets.
#[path = "support/drops.rs"]
mod drops;

use drops::{First, READINESS, both, full, pair, poll_once, race, runs, turns};
use kael_rt::net::TcpListener;
use kael_rt::time::{Duration, sleep};
use std::io::{ErrorKind, Read};
use std::thread;

/// More than any socket holds by itself.
const BIG: usize = 8 << 20;

#[test]
fn big_writes_that_are_dropped_never_interleave() {
    runs("the last write never got through", || async {
        let (stream, mut peer) = pair();
        let rounds: u8 = if full() { 250 } else { 6 };
        let reader = thread::spawn(move || {
            let mut runs: Vec<(u8, usize)> = Vec::new();
            let mut chunk = vec![0; 64 << 10];
            loop {
                let n = peer.read(&mut chunk).unwrap();
                if n == 0 {
                    return runs;
                }
                for &byte in &chunk[..n] {
                    match runs.last_mut() {
                        Some((last, count)) if *last == byte => *count += 1,
                        _ => runs.push((byte, 1)),
                    }
                }
            }
        });
        for round in 0..rounds {
            let brief = sleep(Duration::from_micros(300));
            match round % 3 {
                0 => drop(race(stream.write_all(vec![round; BIG]), brief).await),
                1 => drop(race(stream.write(vec![round; BIG]), brief).await),
                _ => {
                    let parts = vec![vec![round; BIG / 2], vec![round; BIG - BIG / 2]];
                    drop(race(stream.write_vectored(parts), brief).await);
                }
            }
            // A write that waits for its turn has not begun, and dropping it leaves nothing: so each begins here.
            stream.write_all("").await.0.unwrap();
        }
        stream.write_all(vec![255; 10]).await.0.unwrap();
        stream.close().await.unwrap();
        let runs = reader.join().unwrap();
        let order: Vec<u8> = runs.iter().map(|run| run.0).collect();
        let expected: Vec<u8> = (0..rounds).chain([255]).collect();
        assert_eq!(order, expected, "bytes of two writes are mixed, or a write is lost");
        for (round, count) in &runs[..usize::from(rounds)] {
            // A plain write may have been answered with a part before its future was dropped.
            assert!(*count == BIG || round % 3 != 0, "write_all {round} ended after {count} bytes");
        }
        assert_eq!(runs.last(), Some(&(255, 10)));
    });
}

#[test]
fn writes_go_out_in_the_order_of_their_first_poll() {
    if READINESS {
        println!(
            "not run: a write for which there is room is done at its first poll, and none waits"
        );
        return;
    }
    runs("the bytes never came", || async {
        let (a, b) = both();
        let mut first = a.write_all("first ");
        let mut second = a.write("second ");
        let mut third = a.write_vectored(vec!["thi", "rd "]);
        let mut never = a.write_all("never ");
        assert!(poll_once(&mut second).is_pending());
        assert!(poll_once(&mut never).is_pending());
        assert!(poll_once(&mut third).is_pending());
        assert!(poll_once(&mut first).is_pending());
        // The second has begun; the turn of the other one has not come, so nothing of it is written.
        drop((second, never));
        assert_eq!(first.await.0.unwrap(), 6);
        assert_eq!(b.read_exact(vec![0; 19]).await.1, b"second third first ");
        a.write_all("end").await.0.unwrap();
        assert_eq!(b.read(vec![0; 64]).await.1, b"end");
        assert_eq!(third.await.0.unwrap(), 6);
    });
}

#[test]
fn the_error_of_a_dropped_write_is_the_next_writes_and_stays() {
    runs("a write was never answered", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut write = stream.write_all(vec![1; BIG]);
        assert!(poll_once(&mut write).is_pending());
        turns(2).await;
        assert!(poll_once(&mut write).is_pending());
        drop(write);
        socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        // The first of these errors is the dropped write's; the kernel would tell it only once.
        for _ in 0..3 {
            let kind = stream.write_all("more").await.0.unwrap_err().kind();
            assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&kind), "{kind}");
        }
    });
}

#[test]
fn shutting_down_comes_after_a_dropped_write() {
    runs("the end never came", || async {
        let (a, b) = both();
        let mut write = a.write_all(vec![7; BIG]);
        assert!(poll_once(&mut write).is_pending());
        turns(2).await;
        drop(write);
        let end = kael_rt::spawn(async move {
            a.shutdown(std::net::Shutdown::Write).await.unwrap();
            a
        });
        let mut got = 0;
        loop {
            match b.read(vec![0; 1 << 20]).await {
                (Ok(0), _) => break,
                (Ok(n), _) => got += n,
                (Err(error), _) => panic!("{error}"),
            }
        }
        assert_eq!(got, BIG);
        drop(end.await.unwrap());
    });
}

#[test]
fn a_dropped_writing_half_ends_its_direction_after_what_was_written() {
    runs("the end never came", || async {
        let (a, b) = both();
        let (read, write) = a.into_split();
        let mut big = write.write_all(vec![7; BIG]);
        assert!(poll_once(&mut big).is_pending());
        drop(big);
        drop(write);
        let mut got = 0;
        loop {
            let n = b.read(vec![0; 1 << 20]).await.0.unwrap();
            got += n;
            if n == 0 {
                break;
            }
        }
        assert_eq!(got, BIG);
        b.write_all("still open").await.0.unwrap();
        assert_eq!(read.read(vec![0; 64]).await.1, b"still open");
    });
}

#[test]
fn a_stream_dropped_with_a_write_that_cannot_go_on_is_closed() {
    runs("the peer never saw the end", || async {
        let (stream, mut peer) = pair();
        let mut write = stream.write_all(vec![7; BIG]);
        assert!(poll_once(&mut write).is_pending());
        turns(2).await;
        drop(write);
        drop(stream);
        turns(2).await;
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        while !reader.is_finished() {
            turns(1).await;
        }
        let all = reader.join().unwrap();
        assert!(all.len() < BIG && all.iter().all(|&byte| byte == 7));
    });
}

#[test]
fn a_read_waits_for_no_write() {
    runs("the read was never answered", || async {
        let (a, b) = both();
        let mut write = a.write_all(vec![7; BIG]);
        assert!(poll_once(&mut write).is_pending());
        b.write_all("answer").await.0.unwrap();
        match race(a.read(vec![0; 64]), write).await {
            First::Left((_, buf)) => assert_eq!(buf, b"answer"),
            First::Right(_) => panic!("nobody has read what was written"),
        }
    });
}
