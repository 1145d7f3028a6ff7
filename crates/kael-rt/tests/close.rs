//! Closing while operations are queued or in flight: the end is seen at once, and a number that is used again is never
//! reached by an operation on its last owner.

#![cfg(not(kael_backend = "sim"))] // The other ends of its connections are the system's own sockets.
#[path = "support/drops.rs"]
mod drops;

use drops::{
    First, READINESS, adopt, both, into_file, leave_in, number, pair, plain_pair, poll_once, race,
    runs, size, turns, zeros,
};
use kael_rt::fs::File;
use kael_rt::net::{TcpListener, UdpSocket};
use kael_rt::time::{Duration, sleep};
use std::collections::HashSet;
use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::task::Poll;
use std::thread;

/// Fails unless the peer sees the end soon; the runtime goes on meanwhile.
async fn sees_the_end(mut peer: impl Read + Send + 'static, what: &str) {
    let end = thread::spawn(move || peer.read(&mut [0; 8]));
    let seen = async {
        while !end.is_finished() {
            sleep(Duration::from_micros(200)).await;
        }
    };
    match race(seen, sleep(Duration::from_secs(10))).await {
        First::Left(()) => assert_eq!(end.join().unwrap().unwrap(), 0, "{what}"),
        First::Right(()) => panic!("the peer never saw the end: {what}"),
    }
}

/// Fails unless it is answered soon.
async fn soon<F: Future>(future: F, otherwise: &str) -> F::Output {
    match race(future, sleep(Duration::from_secs(10))).await {
        First::Left(output) => output,
        First::Right(()) => panic!("{otherwise}"),
    }
}

#[test]
fn r17_bytes_of_a_reused_number_never_reach_an_older_read() {
    runs("the rounds never ended", || async {
        let rounds = size(30_000, 1_000_000) as u32;
        let (mut numbers, mut streams) = (HashSet::new(), 0);
        for round in 0_u32..rounds {
            let (a, _a_peer) = pair();
            let mut read = a.read(vec![0; 64]);
            assert!(poll_once(&mut read).is_pending());
            if round % 3 == 1 {
                // The kernel has it; else it is queued only.
                turns(1).await;
            }
            if round % 2 == 0 {
                drop((read, a));
            } else {
                drop((a, read));
            }
            // If the number of `a` were free, one of these would get it.
            let (b, mut b_peer) = plain_pair();
            streams += 1;
            numbers.insert(number(&b));
            b_peer.write_all(&round.to_le_bytes()).unwrap();
            let b = adopt(b);
            if round % 5 == 0 {
                turns(1).await;
            }
            let read = b.read(vec![0; 64]);
            let (result, buf) = soon(read, "the bytes went to a read of an older stream").await;
            result.unwrap();
            assert_eq!(buf, round.to_le_bytes());
        }
        assert!(numbers.len() < streams / 100, "the numbers were hardly ever used again");
    });
}

#[test]
fn r17_a_reused_number_of_a_file_is_never_reached_by_an_older_read() {
    runs("the rounds never ended", || async {
        let rounds = size(30_000, 1_000_000) as u32;
        for round in 0_u32..rounds {
            let (reader, _writer) = std::io::pipe().unwrap();
            let a = File::from_std(into_file(reader)).unwrap();
            let mut read = a.read_at(vec![0; 64], 0);
            assert!(poll_once(&mut read).is_pending());
            if round % 3 == 1 {
                turns(1).await;
            }
            drop((a, read));
            let (reader, mut writer) = std::io::pipe().unwrap();
            writer.write_all(&round.to_le_bytes()).unwrap();
            let b = File::from_std(into_file(reader)).unwrap();
            let read = b.read_at(vec![0; 64], 0);
            let (result, buf) = soon(read, "the bytes went to a read of an older pipe").await;
            result.unwrap();
            assert_eq!(buf, round.to_le_bytes());
        }
    });
}

/// `close` frees the number before its future is answered, so what is asked in between must not name it.
#[test]
fn r17_what_is_asked_behind_a_close_never_reaches_the_next_owner() {
    runs("the rounds never ended", || async {
        let rounds = size(1_000, 100_000);
        for _ in 0..rounds {
            let (a, _a_peer) = pair();
            let mut late = (a.read(vec![0; 64]), a.write("x"), a.shutdown(Shutdown::Both));
            let mut close = Box::pin(a.close());
            // It passes both sides, and then the close itself is queued; or it is over, where the calls are ours.
            for _ in 0..2 {
                if READINESS {
                    break;
                }
                assert!(poll_once(&mut close).is_pending());
                turns(1).await;
            }
            let closed = poll_once(&mut close);
            assert_eq!(closed.is_ready(), READINESS);
            // Into the same call to the kernel go: something new that takes the number, and what names the old one.
            let mut open = File::open(zeros());
            assert!(poll_once(&mut open).is_pending());
            let read = refusal(&mut late.0, |(result, _)| result.map(drop)).await;
            let write = refusal(&mut late.1, |(result, _)| result.map(drop)).await;
            let end = refusal(&mut late.2, |result| result).await;
            assert_eq!(
                [read, write, end],
                [ErrorKind::NotConnected; 3],
                "it came to the next owner"
            );
            match closed {
                Poll::Ready(closed) => closed.unwrap(),
                Poll::Pending => close.await.unwrap(),
            }
            open.await.unwrap().close().await.unwrap();
        }
    });
}

async fn refusal<F: Future + Unpin>(
    future: F,
    result: impl FnOnce(F::Output) -> std::io::Result<()>,
) -> ErrorKind {
    result(soon(future, "what was asked behind a close was never answered").await)
        .expect_err("the stream is closed")
        .kind()
}

#[test]
fn r18_a_dropped_stream_sends_its_end_although_a_read_was_in_flight() {
    runs("the peer never saw the end", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        for submitted in [false, true] {
            let peer = std::net::TcpStream::connect(addr).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut read = stream.read_exact(vec![0; 64]);
            assert!(poll_once(&mut read).is_pending());
            if submitted {
                turns(2).await;
            }
            drop((read, stream));
            sees_the_end(peer, "stream and read dropped").await;
        }
    });
}

#[test]
fn r18_close_sends_the_end_although_a_dropped_read_was_in_flight() {
    runs("the peer never saw the end", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        for submitted in [false, true] {
            let peer = std::net::TcpStream::connect(addr).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut read = stream.read(vec![0; 64]);
            assert!(poll_once(&mut read).is_pending());
            if submitted {
                turns(2).await;
            }
            drop(read);
            soon(stream.close(), "close never came back").await.unwrap();
            sees_the_end(peer, "read dropped, stream closed").await;
        }
    });
}

#[test]
fn r18_close_ends_the_reads_that_are_awaited() {
    runs("the peer never saw the end", || async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        for submitted in [false, true] {
            let peer = std::net::TcpStream::connect(addr).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            // Two in another task, one in flight and one behind it; two here, which nobody polls meanwhile.
            let there = (stream.read(vec![0; 64]), stream.read(vec![0; 32]));
            let there = kael_rt::spawn(async move { (there.0.await, there.1.await) });
            let mut here = (stream.read(vec![0; 16]), stream.peek(vec![0; 8]));
            assert!(poll_once(&mut here.0).is_pending());
            assert!(poll_once(&mut here.1).is_pending());
            if submitted {
                turns(2).await;
            }
            soon(stream.close(), "close never came back: it waited for a read").await.unwrap();
            sees_the_end(peer, "stream closed while reads were awaited").await;
            let answers =
                soon(there, "a read of a closed stream was never answered").await.unwrap();
            for (result, buf) in [answers.0, answers.1, here.0.await, here.1.await] {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::NotConnected);
                assert!(!buf.is_empty(), "the buffer comes back");
            }
        }
    });
}

#[test]
fn r18_close_drops_what_a_dropped_read_left() {
    runs("the peer never saw the end", || async {
        let (stream, mut peer) = pair();
        leave_in(stream.read(vec![0; 64]), || peer.write_all(b"unread").unwrap()).await;
        turns(2).await;
        soon(stream.close(), "close never came back").await.unwrap();
        sees_the_end(peer, "closed with bytes left behind").await;
    });
}

#[test]
fn r18_a_dropped_close_closes() {
    runs("the peer never saw the end", || async {
        for polls in 0..4 {
            let (stream, peer) = pair();
            let mut close = Box::pin(stream.close());
            for _ in 0..polls {
                if poll_once(&mut close).is_ready() {
                    break;
                }
                turns(1).await;
            }
            drop(close);
            sees_the_end(peer, "the future of close dropped").await;
        }
    });
}

#[test]
fn close_finishes_what_was_written() {
    runs("the bytes never came", || async {
        let (a, b) = both();
        let mut write = a.write_all(vec![7; 8 << 20]);
        assert!(poll_once(&mut write).is_pending());
        turns(2).await;
        drop(write);
        let close = kael_rt::spawn(a.close());
        let mut got = 0;
        loop {
            match b.read(vec![0; 1 << 20]).await.0.unwrap() {
                0 => break,
                n => got += n,
            }
        }
        assert_eq!(got, 8 << 20);
        close.await.unwrap().unwrap();
    });
}

#[test]
fn a_stream_dropped_with_unread_bytes_ends() {
    runs("the peer never saw the end", || async {
        let (stream, mut peer) = pair();
        let feed = || peer.write_all(b"nobody reads this").unwrap();
        leave_in(stream.read(vec![0; 4]), feed).await;
        turns(2).await;
        // Four bytes are left behind in the runtime, the others in the socket, which makes the end a reset.
        drop(stream);
        turns(2).await;
        peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let end = peer.read(&mut [0; 8]);
        let reset = end.as_ref().is_err_and(|e| e.kind() == ErrorKind::ConnectionReset);
        assert!(matches!(end, Ok(0)) || reset, "the peer never saw the end: {end:?}");
    });
}

#[test]
fn a_datagram_socket_dropped_with_a_receive_frees_its_address() {
    runs("the address was never free", || async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let addr = socket.local_addr().unwrap();
        let mut read = socket.recv_from(vec![0; 64]);
        assert!(poll_once(&mut read).is_pending());
        turns(1).await;
        drop((socket, read));
        while UdpSocket::bind(addr).await.is_err() {
            turns(1).await;
        }
    });
}

#[test]
fn a_stream_dropped_outside_its_runtime_is_closed() {
    drops::within("the peer never saw the end", || {
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        let (stream, mut peer) = runtime.block_on(async { pair() });
        drop(stream);
        assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
        drop(runtime);
    });
}
