//! Sends without a copy that are dropped, or whose stream or runtime ends: what was begun is finished, and what the
//! kernel has is not freed.

#![cfg(not(kael_backend = "sim"))] // The other ends of its connections are the system's own sockets.
#[path = "support/drops.rs"]
mod drops;

use drops::{COPIES, poll_once, runs, turns, within};
use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::time::Duration;
use std::io::{ErrorKind, Read};

/// More than the sockets here hold by themselves. The kernel counts it against RLIMIT_MEMLOCK, which is 8 MiB for an
/// ordinary user with all that runs.
const BIG: usize = 1 << 20;

async fn ours_and_theirs() -> (TcpStream, std::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let stream = listener.accept().await.unwrap().0;
    #[cfg(unix)]
    let socket = stream.try_as_fd().unwrap();
    #[cfg(windows)]
    let socket = stream.try_as_socket().unwrap();
    socket2::SockRef::from(&socket).set_send_buffer_size(64 << 10).unwrap();
    (stream, peer)
}

#[test]
fn r16_a_send_that_is_dropped_is_finished_before_the_next_write() {
    if COPIES {
        println!("not run: this backend copies, and so lets go of the buffer at once");
        return;
    }
    runs("the last write never got through", || async {
        let (stream, mut peer) = ours_and_theirs().await;
        let mut send = stream.send_zc(vec![1; BIG]);
        assert!(poll_once(&mut send).is_pending());
        drop(send);
        let mut send = stream.send_zc_vectored(vec![vec![2; BIG / 2], vec![2; BIG / 2]]);
        assert!(poll_once(&mut send).is_pending());
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        // Its turn may have come when it is dropped.
        turns(3).await;
        drop(send);
        stream.write_all("end").await.0.unwrap();
        stream.close().await.unwrap();
        let all = reader.join().unwrap();
        assert!(all[..BIG].iter().all(|byte| *byte == 1), "the first is not whole");
        let rest = &all[BIG..];
        assert!(rest.ends_with(b"end"));
        assert!(rest[..rest.len() - 3].iter().all(|byte| *byte == 2), "bytes are mixed");
    });
}

#[test]
fn r16_the_error_of_a_dropped_send_is_the_next_writes_and_stays() {
    if COPIES {
        println!("not run: this backend copies, and so lets go of the buffer at once");
        return;
    }
    runs("a write was never answered", || async {
        let (stream, peer) = ours_and_theirs().await;
        let mut send = stream.send_zc(vec![1; BIG]);
        assert!(poll_once(&mut send).is_pending());
        turns(2).await;
        assert!(poll_once(&mut send).is_pending());
        drop(send);
        socket2::SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        // The kernel tells it once, and then only that the pipe is broken.
        for _ in 0..3 {
            let error = stream.send_zc("more").await.0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    });
}

#[test]
fn r16_a_stream_that_is_dropped_with_a_send_is_closed_when_the_kernel_has_let_go() {
    if COPIES {
        println!("not run: this backend copies, and so lets go of the buffer at once");
        return;
    }
    runs("the peer never saw the end", || async {
        let (stream, mut peer) = ours_and_theirs().await;
        let mut send = stream.send_zc(vec![7; BIG]);
        assert!(poll_once(&mut send).is_pending());
        turns(2).await;
        drop(send);
        drop(stream);
        turns(2).await;
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        while !reader.is_finished() {
            turns(1).await;
        }
        let all = reader.join().unwrap();
        assert!(!all.is_empty() && all.iter().all(|&byte| byte == 7));
    });
}

/// The peer never reads, so the kernel never lets go: the buffer is leaked, and what the peer gets is what was sent.
#[test]
fn r16_a_runtime_that_ends_with_a_send_frees_nothing_that_the_kernel_has() {
    if COPIES {
        println!("not run: this backend copies, and so lets go of the buffer at once");
        return;
    }
    within("the runtime never ended", || {
        let limit = Duration::from_millis(20);
        let runtime = kael_rt::runtime::Builder::new().shutdown_timeout(limit).build().unwrap();
        let handle = runtime.handle();
        let mut peer = runtime.block_on(async {
            let (stream, peer) = ours_and_theirs().await;
            let mut send = stream.send_zc(vec![7; BIG]);
            assert!(poll_once(&mut send).is_pending());
            turns(2).await;
            peer
        });
        drop(runtime);
        // (Windows lets go of a send that is cancelled.)
        assert_eq!(handle.metrics().cores[0].leaked, if cfg!(windows) { 0 } else { 1 });
        let others: Vec<_> = (0..4).map(|_| vec![8u8; BIG]).collect();
        let mut got = vec![0; BIG / 16];
        peer.read_exact(&mut got).unwrap();
        assert!(got.iter().all(|&byte| byte == 7), "the peer got what others wrote");
        drop(others);
    });
}
