//! Streams that leave the runtime: nothing that was received stays behind.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/drops.rs"]
mod drops;

use drops::{leave_in, pair, poll_once, runs, turns};
use std::io::{ErrorKind, Read, Write};
use std::thread;

#[test]
fn a_stream_with_something_under_way_does_not_go_to_the_standard_library() {
    runs("a read was never answered", || async {
        let (stream, mut peer) = pair();
        // A future, begun or not, holds it.
        let mut read = stream.read(vec![0; 8]);
        let stream = stream.into_std().unwrap_err();
        assert!(poll_once(&mut read).is_pending());
        let stream = stream.into_std().unwrap_err();
        // So does a dropped one, until the kernel has let go.
        drop(read);
        let mut stream = stream.into_std().unwrap_err();
        let std = loop {
            turns(1).await;
            match stream.into_std() {
                Ok(std) => break std,
                Err(held) => stream = held,
            }
        };
        peer.write_all(b"hello").unwrap();
        assert_eq!(read_again(std).await, b"hello");
    });
}

/// Five bytes of a stream that was the runtime's before.
#[cfg(not(windows))]
async fn read_again(stream: std::net::TcpStream) -> Vec<u8> {
    kael_rt::net::TcpStream::from_std(stream).unwrap().read(vec![0; 8]).await.1
}

/// Windows lets no socket go from the port that it has been with, so none comes back to a runtime.
#[cfg(windows)]
async fn read_again(mut stream: std::net::TcpStream) -> Vec<u8> {
    let mut buf = vec![0; 5];
    stream.read_exact(&mut buf).unwrap();
    buf
}

#[test]
fn a_stream_with_bytes_left_behind_does_not_go_to_the_standard_library() {
    runs("a read was never answered", || async {
        let (stream, mut peer) = pair();
        leave_in(stream.read(vec![0; 8]), || peer.write_all(b"left").unwrap()).await;
        turns(2).await;
        let stream = stream.into_std().unwrap_err();
        assert_eq!(stream.read(vec![0; 8]).await.1, b"left");
        drop(stream.into_std().expect("nothing is left"));
    });
}

#[test]
fn detach_reaps_first_and_returns_what_was_not_read() {
    runs("detach never came back", || async {
        for (bytes, read_before) in [("unread", 0), ("unread", 2), ("", 0)] {
            let (stream, mut peer) = pair();
            let parts = vec![vec![0; 1], vec![0; 63]];
            // Dropped and, by a kernel that completes, not yet reaped.
            let feed = || peer.write_all(bytes.as_bytes()).unwrap();
            leave_in(stream.read_vectored(parts), feed).await;
            if read_before > 0 {
                stream.read(vec![0; read_before]).await.0.unwrap();
            }
            let mut detached = stream.detach().await.unwrap();
            assert_eq!(detached.unread, &bytes.as_bytes()[read_before..]);
            peer.write_all(b"next").unwrap();
            let thread = thread::spawn(move || {
                let mut buf = [0; 4];
                detached.stream.read_exact(&mut buf).unwrap();
                detached.stream.write_all(b"back").unwrap();
                buf
            });
            assert_eq!(&thread.join().unwrap(), b"next");
            let mut buf = [0; 4];
            peer.read_exact(&mut buf).unwrap();
            assert_eq!(&buf, b"back");
        }
    });
}

#[test]
fn detach_finishes_a_dropped_write() {
    runs("detach never came back", || async {
        let (stream, mut peer) = pair();
        let mut write = stream.write_all(vec![7; 8 << 20]);
        assert!(poll_once(&mut write).is_pending());
        turns(2).await;
        drop(write);
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all.len()
        });
        drop(stream.detach().await.unwrap());
        assert_eq!(reader.join().unwrap(), 8 << 20);
    });
}

#[test]
fn detach_refuses_a_stream_that_somebody_awaits() {
    runs("detach never came back", || async {
        let (stream, mut peer) = pair();
        let read = kael_rt::spawn(stream.read(vec![0; 8]));
        turns(1).await;
        let error = stream.detach().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        // Who awaits it is served.
        peer.write_all(b"hello").unwrap();
        assert_eq!(read.await.unwrap().1, b"hello");
    });
}

/// A read that is first polled while the stream is on its way out.
#[test]
fn what_was_left_behind_goes_to_the_read_that_waits_for_it() {
    runs("a read was never answered", || async {
        for polls in 0..4 {
            let (stream, mut peer) = pair();
            leave_in(stream.read(vec![0; 8]), || peer.write_all(b"left").unwrap()).await;
            turns(2).await;
            let mut late = stream.read(vec![0; 8]);
            let mut detach = Box::pin(stream.detach());
            for _ in 0..polls {
                if poll_once(&mut detach).is_ready() {
                    break;
                }
                turns(1).await;
            }
            let early = poll_once(&mut late);
            drop(detach);
            let (result, buf) = match early {
                std::task::Poll::Ready(answer) => answer,
                std::task::Poll::Pending => late.await,
            };
            result.unwrap();
            assert_eq!(buf, b"left", "{polls} polls");
        }
    });
}
