//! Operations ended early, by a time limit or a token: the buffer comes back, and the stream goes on.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/drops.rs"]
mod drops;
#[path = "support/errno.rs"]
mod errno;

use drops::{First, both, pair, poll_once, race, runs, turns};
use kael_rt::net::{TcpListener, UdpSocket};
use kael_rt::time::{Duration, sleep};
use kael_rt::{CancelToken, Error};
use std::io::{ErrorKind, Write};
use std::thread;

const BRIEF: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn a_time_limit_gives_the_buffer_back() {
    runs("the limit never passed", || async {
        let (stream, mut peer) = pair();
        let buf = vec![7; 64];
        let at = buf.as_ptr();
        let (result, buf) = stream.read(buf).timeout(BRIEF).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!((buf.as_ptr(), &buf[..]), (at, &[7; 64][..]));
        let (result, parts) =
            stream.read_vectored(vec![vec![7; 8], vec![8; 8]]).timeout(BRIEF).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(parts, [vec![7; 8], vec![8; 8]]);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (result, buf) = socket.recv_from(vec![7; 64]).timeout(BRIEF).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(buf, [7; 64]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let late = listener.accept().timeout(BRIEF).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut);
        // None of this has harmed the stream.
        peer.write_all(b"hello").unwrap();
        assert_eq!(stream.read(vec![0; 64]).timeout(LONG).await.1, b"hello");
    });
}

#[test]
fn a_time_limit_that_passes_unbegun_gives_the_buffer_back() {
    runs("the limit never passed", || async {
        let (stream, mut peer) = pair();
        let mut first = stream.read(vec![0; 64]);
        assert!(poll_once(&mut first).is_pending());
        // It waits behind the first.
        let (result, buf) = stream.read(vec![7; 32]).timeout(BRIEF).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(buf, [7; 32]);
        peer.write_all(b"hello").unwrap();
        assert_eq!(first.await.1, b"hello");
    });
}

#[test]
fn what_was_moved_before_the_limit_is_told() {
    runs("the limit never passed", || async {
        let (a, b) = both();
        a.write_all("some").await.0.unwrap();
        let (result, buf) = b.read_exact(vec![0; 64]).timeout(BRIEF).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(Error::of(&error).and_then(Error::transferred), Some(4));
        assert_eq!(&buf[..4], b"some");

        let (result, buf) = a.write_all(vec![7; 8 << 20]).timeout(BRIEF).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let sent =
            Error::of(&error).and_then(Error::transferred).expect("some of it fits the socket");
        assert!(sent > 0 && sent < buf.len());
        // The stream goes on behind what was sent.
        let next = kael_rt::spawn(async move { a.write_all("next").await.0.map(|_| a) });
        let mut got = 0;
        while got < sent {
            let (result, buf) = b.read(Vec::with_capacity(1 << 16)).await;
            got += result.unwrap();
            let seven = buf.iter().take_while(|&&byte| byte == 7).count();
            assert!(seven == buf.len() || &buf[seven..] == b"next");
            if seven < buf.len() {
                assert_eq!(got, sent + 4, "bytes were lost or doubled at the limit");
            }
        }
        if got == sent {
            assert_eq!(b.read_exact(vec![0; 4]).await.1, b"next");
        }
        drop(next.await.unwrap().unwrap());
    });
}

#[test]
fn a_token_ends_what_waits_for_it_and_the_buffers_come_back() {
    runs("the operation never ended", || async {
        let (stream, mut peer) = pair();
        let token = CancelToken::new();
        let reads: Vec<_> =
            (1..4).map(|n| kael_rt::spawn(stream.read(vec![7; n]).cancel_on(&token))).collect();
        turns(2).await;
        let remote = token.clone();
        thread::spawn(move || remote.cancel()).join().unwrap();
        for (n, read) in (1..4).zip(reads) {
            let (result, buf) = read.await.unwrap();
            assert_eq!(result.unwrap_err().raw_os_error(), Some(errno::ECANCELED));
            assert_eq!(buf, vec![7; n]);
        }
        // It was cancelled before this began.
        let (result, buf) = stream.read(vec![7; 9]).cancel_on(&token).await;
        assert_eq!(result.unwrap_err().raw_os_error(), Some(errno::ECANCELED));
        assert_eq!(buf, [7; 9]);
        peer.write_all(b"hello").unwrap();
        assert_eq!(stream.read(vec![0; 64]).await.1, b"hello");
    });
}

/// The limit and the bytes come in the same call to the kernel: either the bytes are the answer, or they are the next
/// read's.
#[test]
fn limits_that_race_with_bytes_lose_none() {
    runs("the bytes never came", || async {
        let (stream, mut peer) = pair();
        let (mut sent, mut got) = (0_u32, 0_u32);
        let mut late = 0;
        for round in 0..5_000_u32 {
            let mut read = stream.read_exact(vec![0; 4]).timeout(Duration::ZERO);
            assert!(poll_once(&mut read).is_pending());
            if round % 2 == 0 {
                peer.write_all(&sent.to_le_bytes()).unwrap();
                sent += 1;
            }
            match read.await {
                (Ok(_), buf) => {
                    assert_eq!(buf, got.to_le_bytes());
                    got += 1;
                }
                (Err(error), _) => {
                    assert_eq!(error.kind(), ErrorKind::TimedOut);
                    late += 1;
                }
            }
        }
        while got < sent {
            assert_eq!(stream.read_exact(vec![0; 4]).await.1, got.to_le_bytes());
            got += 1;
        }
        assert!(late > 0);
    });
}

#[test]
fn an_operation_with_a_limit_may_be_dropped_at_any_time() {
    runs("the bytes never came", || async {
        let (stream, mut peer) = pair();
        for round in 0..200_u64 {
            let limit = Duration::from_micros(round % 7 * 30);
            let read = stream.read(vec![0; 8]).timeout(limit);
            let token = CancelToken::new();
            let also = stream.read(vec![0; 8]).cancel_on(&token);
            let brief = sleep(Duration::from_micros(round % 5 * 40));
            if let First::Left(First::Left((result, _)) | First::Right((result, _))) =
                race(race(read, also), brief).await
            {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
            }
            token.cancel();
        }
        peer.write_all(b"hello").unwrap();
        let (result, buf) = stream.read(vec![0; 8]).await;
        result.unwrap();
        assert_eq!(buf, b"hello");
    });
}
