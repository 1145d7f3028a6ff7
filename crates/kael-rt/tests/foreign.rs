//! Handles used where they do not belong: in another runtime, after their own has ended, or outside any.
// Its peers are the system's own sockets, descriptors and memory, which a simulated kernel does not see.
#![cfg(not(kael_backend = "sim"))]

#[path = "support/drops.rs"]
mod drops;

use drops::{pair, poll_once, within, zeros};
use kael_rt::Error;
use kael_rt::fs::File;
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::runtime::{Builder, Runtime};
use std::future::Future;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

struct Handles {
    file: File,
    listener: TcpListener,
    stream: TcpStream,
    peer: drops::Plain,
    socket: UdpSocket,
}

fn build() -> Runtime {
    Builder::new().build().unwrap()
}

async fn handles() -> Handles {
    let (stream, peer) = pair();
    Handles {
        file: File::open(zeros()).await.unwrap(),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        stream,
        peer,
        socket: UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    }
}

fn refused<T>(result: io::Result<T>) {
    let error = result.err().expect("the handle does not belong here");
    let ours = Error::of(&error).unwrap_or_else(|| panic!("not an error of ours: {error:?}"));
    assert!(ours.is_wrong_runtime(), "{error}");
}

/// Everything is refused with its buffer, and nothing waits.
async fn all_refused(handles: Handles) {
    let Handles { file, listener, stream, mut peer, socket } = handles;
    peer.write_all(b"not for them").unwrap();
    let (result, buf) = file.read_at(vec![7; 8], 0).await;
    refused(result);
    assert_eq!(buf, [7; 8]);
    refused(file.write_all_at("x", 0).await.0);
    refused(file.metadata().await);
    refused(file.sync_all().await);
    refused(listener.accept().await);
    let (result, buf) = stream.read(vec![7; 8]).await;
    refused(result);
    assert_eq!(buf, [7; 8]);
    refused(stream.read_exact(vec![7; 8]).await.0);
    refused(stream.read(Vec::new()).await.0);
    refused(stream.read_vectored(vec![vec![7; 8]]).await.0);
    refused(stream.peek(vec![7; 8]).await.0);
    refused(stream.write("x").await.0);
    refused(stream.write_all("x").await.0);
    refused(stream.write_all("").await.0);
    refused(stream.shutdown(std::net::Shutdown::Both).await);
    refused(socket.recv_from(vec![7; 8]).await.0);
    refused(
        socket.send_to("x", socket.local_addr().unwrap_or("127.0.0.1:1".parse().unwrap())).await.0,
    );
    refused(file.close().await);
    refused(stream.close().await);
    // Nothing was taken or sent, and the stream is closed with its bytes unread.
    let end = peer.read(&mut [0; 8]);
    let reset = end.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::ConnectionReset);
    assert!(matches!(end, Ok(0)) || reset, "{end:?}");
}

#[test]
fn handles_of_another_runtime_are_refused() {
    within("an operation was never answered", || {
        let (mine, other) = (build(), build());
        let handles = other.block_on(handles());
        mine.block_on(all_refused(handles));
        // The other one is as it was.
        let (stream, mut peer) = other.block_on(async { pair() });
        peer.write_all(b"hello").unwrap();
        assert_eq!(other.block_on(stream.read(vec![0; 8])).1, b"hello");
    });
}

#[test]
fn handles_of_an_ended_runtime_are_refused() {
    within("an operation was never answered", || {
        let ended = build();
        let handles = ended.block_on(handles());
        drop(ended);
        build().block_on(all_refused(handles));
    });
}

#[test]
fn an_ended_runtimes_stream_still_goes_to_the_standard_library() {
    within("the bytes never came", || {
        let ended = build();
        let (stream, mut peer) = ended.block_on(async { pair() });
        drop(ended);
        let mut stream = stream.into_std().expect("nothing is under way");
        stream.write_all(b"hello").unwrap();
        let mut buf = [0; 5];
        peer.read_exact(&mut buf).unwrap();
        assert_eq!(&buf, b"hello");
    });
}

#[test]
fn a_begun_operation_whose_runtime_has_ended_says_so_when_polled() {
    within("the poll never came back", || {
        let ended = build();
        let (mut read, _peer) = ended.block_on(async {
            let (stream, peer) = pair();
            let mut read = stream.read(vec![0; 8]);
            assert!(poll_once(&mut read).is_pending());
            (read, peer)
        });
        drop(ended);
        let panic = catch_unwind(AssertUnwindSafe(|| drop(poll_once(&mut read)))).unwrap_err();
        assert!(text(&panic).contains("runtime that this operation belongs to has ended"));
        drop(read);
    });
}

fn text(panic: &Box<dyn std::any::Any + std::marker::Send>) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or(panic.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default()
}

fn outside<F: Future>(future: F) {
    let mut future = Box::pin(future);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(poll_once(&mut future)))).unwrap_err();
    let text = text(&panic);
    assert!(text.contains("needs a running Kael runtime on this thread: call it inside"), "{text}");
}

#[test]
fn outside_a_runtime_a_panic_names_what_was_called_and_the_remedy() {
    within("a poll never came back", || {
        let runtime = build();
        let Handles { file, listener, stream, socket, .. } = runtime.block_on(handles());
        outside(file.read_at(vec![0; 8], 0));
        outside(listener.accept());
        outside(stream.read(vec![0; 8]));
        outside(stream.write("x"));
        outside(stream.read(vec![0; 8]).timeout(std::time::Duration::ZERO));
        outside(socket.recv(vec![0; 8]));
        outside(File::open(zeros()));
        outside(TcpStream::connect("127.0.0.1:1"));
        outside(TcpListener::bind("127.0.0.1:0"));
        outside(UdpSocket::bind("127.0.0.1:0"));
        // They are not harmed by it.
        assert_eq!(runtime.block_on(file.read_at(vec![1; 8], 0)).1, [0; 8]);
        drop((stream, listener, socket, file));
    });
}

#[test]
fn an_operation_that_is_ready_panics_when_it_is_polled_again() {
    within("the poll never came back", || {
        build().block_on(async {
            let file = File::open(zeros()).await.unwrap();
            let mut read = file.read_at(vec![1; 8], 0);
            (&mut read).await.0.unwrap();
            let panic = catch_unwind(AssertUnwindSafe(|| drop(poll_once(&mut read)))).unwrap_err();
            assert!(text(&panic).contains("polled after it was ready"));
        });
    });
}
