//! The kernel interrupts an operation, wants to be asked again, transfers less than asked for, or nothing: the
//! operation is asked again, or says what happened.

use super::super::abi::*;
use super::faults::{self, Fault};
use super::{TempPath, counters, in_time, kernel_has, pair};
use crate::fs;
use crate::net::{TcpListener, TcpStream, UdpSocket};
use crate::time::{Duration, sleep};
use std::io::ErrorKind;
use std::net::Shutdown;

/// Errors that say: nothing happened, ask again.
const AGAIN: [i32; 2] = [-libc::EINTR, -libc::EAGAIN];

/// Runs `test` once with each error, answered once, and a few times in a row.
fn asked_again(opcode: u8, test: impl AsyncFn() + Send + 'static) {
    in_time(move || {
        crate::block_on(async {
            for error in AGAIN {
                for times in [1, 3] {
                    faults::meet(opcode, Fault::Answer(error), times);
                    test().await;
                    assert_eq!(faults::hits(), times, "faults met by opcode {opcode}");
                    faults::clear();
                    sleep(Duration::from_millis(1)).await;
                    assert_eq!(counters().in_flight, 0);
                    assert_eq!(counters().stale, 0);
                }
            }
        });
    });
}

#[test]
fn r10_file_reads_are_asked_again() {
    let path = TempPath::holding("r10-read", b"0123456789");
    asked_again(OP_READ, async move || {
        let file = path.open().await;
        let (n, buf) = file.read_at(Vec::with_capacity(4), 3).await;
        assert_eq!((n.unwrap(), &buf[..]), (4, &b"3456"[..]));
        let (n, buf) = file.read_exact_at(vec![0; 5], 5).await;
        assert_eq!((n.unwrap(), &buf[..]), (5, &b"56789"[..]));
    });
}

#[test]
fn r10_file_writes_are_asked_again() {
    let path = TempPath::holding("r10-write", b"");
    asked_again(OP_WRITE, async move || {
        let file = path.open().await;
        assert_eq!(file.write_at("abcd", 0).await.0.unwrap(), 4);
        assert_eq!(file.write_all_at("efgh", 4).await.0.unwrap(), 4);
        assert_eq!(std::fs::read(&path.0).unwrap(), b"abcdefgh");
    });
}

#[test]
fn r10_vectored_file_reads_are_asked_again() {
    let path = TempPath::holding("r10-readv", b"0123456789");
    asked_again(OP_READV, async move || {
        let file = path.open().await;
        let (n, bufs) =
            file.read_vectored_at([Vec::with_capacity(3), Vec::with_capacity(4)], 1).await;
        assert_eq!(n.unwrap(), 7);
        assert_eq!(bufs, [b"123".to_vec(), b"4567".to_vec()]);
    });
}

#[test]
fn r10_vectored_file_writes_are_asked_again() {
    let path = TempPath::holding("r10-writev", b"");
    asked_again(OP_WRITEV, async move || {
        let file = path.open().await;
        assert_eq!(file.write_vectored_at(["12", "345"], 0).await.0.unwrap(), 5);
        assert_eq!(std::fs::read(&path.0).unwrap(), b"12345");
    });
}

#[test]
fn r10_changes_of_files_are_asked_again() {
    for opcode in [OP_FSYNC, OP_FTRUNCATE, OP_FALLOCATE, OP_STATX, OP_OPENAT] {
        if opcode == OP_FTRUNCATE && !kernel_has(opcode, "ftruncate (Linux 6.9)") {
            // A thread of the pool does it there.
            continue;
        }
        let path = TempPath::holding(&format!("r10-change-{opcode}"), b"");
        asked_again(opcode, async move || {
            let file = path.open().await;
            file.set_len(10).await.unwrap();
            file.allocate(0, 20).await.unwrap();
            file.sync_all().await.unwrap();
            file.sync_data().await.unwrap();
            assert_eq!(file.metadata().await.unwrap().len(), 20);
            assert_eq!(fs::metadata(&path.0).await.unwrap().len(), 20);
        });
    }
}

#[test]
fn r10_changes_of_folders_are_asked_again() {
    for opcode in [OP_UNLINKAT, OP_RENAMEAT, OP_MKDIRAT] {
        let path = TempPath::new(&format!("r10-folder-{opcode}"));
        asked_again(opcode, async move || {
            let other = path.0.with_extension("other");
            fs::create_dir(&path.0).await.unwrap();
            fs::rename(&path.0, &other).await.unwrap();
            fs::remove_dir(&other).await.unwrap();
            assert!(fs::metadata(&path.0).await.is_err());
        });
    }
}

#[test]
fn r10_receives_are_asked_again() {
    asked_again(OP_RECV, async || {
        let (a, b) = pair().await;
        a.write_all("01234567").await.0.unwrap();
        let (n, buf) = b.peek(Vec::with_capacity(4)).await;
        assert_eq!((n.unwrap(), &buf[..]), (4, &b"0123"[..]));
        let (n, buf) = b.read(Vec::with_capacity(4)).await;
        assert_eq!((n.unwrap(), &buf[..]), (4, &b"0123"[..]));
        let (n, buf) = b.read_exact(vec![0; 4]).await;
        assert_eq!((n.unwrap(), &buf[..]), (4, &b"4567"[..]));
    });
}

#[test]
fn r10_sends_are_asked_again() {
    asked_again(OP_SEND, async || {
        let (a, b) = pair().await;
        assert_eq!(a.write("0123").await.0.unwrap(), 4);
        assert_eq!(a.write_all("4567").await.0.unwrap(), 4);
        assert_eq!(b.read_exact(vec![0; 8]).await.1, b"01234567");
    });
}

#[test]
fn r10_messages_are_asked_again() {
    for opcode in [OP_SENDMSG, OP_RECVMSG] {
        asked_again(opcode, async || {
            let (a, b) = pair().await;
            assert_eq!(a.write_vectored(["01", "23"]).await.0.unwrap(), 4);
            let (n, bufs) = b.read_vectored([Vec::with_capacity(1), Vec::with_capacity(3)]).await;
            assert_eq!((n.unwrap(), &bufs[1][..]), (4, &b"123"[..]));
            let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            assert_eq!(a.send_to("datagram", b.local_addr().unwrap()).await.0.unwrap(), 8);
            let (got, buf) = b.recv_from(Vec::with_capacity(64)).await;
            assert_eq!((got.unwrap(), &buf[..]), ((8, a.local_addr().unwrap()), &b"datagram"[..]));
        });
    }
}

#[test]
fn r10_connections_are_asked_again() {
    for opcode in [OP_CONNECT, OP_ACCEPT, OP_SHUTDOWN] {
        asked_again(opcode, async || {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let a = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (b, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, a.local_addr().unwrap());
            a.shutdown(Shutdown::Write).await.unwrap();
            assert_eq!(b.read(vec![0; 4]).await.0.unwrap(), 0);
        });
    }
}

/// The number is free whatever close(2) says: asked again, it might close somebody else's.
#[test]
fn r10_a_close_is_not_asked_again() {
    in_time(|| {
        crate::block_on(async {
            for error in AGAIN {
                let path = TempPath::holding("r10-close", b"");
                let file = path.open().await;
                let number = file.fd().number();
                faults::meet(OP_CLOSE, Fault::Answer(error), 2);
                let result = file.close().await;
                assert_eq!(result.unwrap_err().raw_os_error(), Some(-error));
                assert_eq!(faults::hits(), 1);
                faults::clear();
                // The kernel never saw it in this test, so it is still to be closed.
                super::super::super::close_now(number);
            }
        });
    });
}

/// While the kernel says "again", the core does not spin, and the operation can be stopped.
#[test]
fn r10_asking_again_and_again_sleeps_and_can_be_stopped() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            faults::meet(OP_RECV, Fault::Answer(-libc::EAGAIN), u32::MAX);
            let (result, buf) =
                b.read(Vec::with_capacity(8)).timeout(Duration::from_millis(300)).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
            let asked = faults::hits();
            assert!(asked > 2, "asked {asked} times only");
            assert!(asked < 60, "asked {asked} times in 300 ms");
            faults::clear();
            a.write_all("late").await.0.unwrap();
            assert_eq!(b.read(buf).await.1, b"late");
        });
    });
}

#[test]
fn r10_short_transfers_go_on_where_they_ended() {
    in_time(|| {
        crate::block_on(async {
            let path = TempPath::holding("r10-short", b"");
            let file = path.open().await;
            let (a, b) = pair().await;
            let bytes: Vec<u8> = (0..100).collect();
            for opcode in [OP_READ, OP_WRITE, OP_RECV, OP_SEND] {
                faults::meet(opcode, Fault::Shorten(7), 9);
                // In between it is interrupted, too.
                faults::meet(opcode, Fault::Answer(-libc::EINTR), 1);
                faults::meet(opcode, Fault::Shorten(1), 3);
            }
            assert_eq!(file.write_all_at(bytes.clone(), 5).await.0.unwrap(), 100);
            let (n, buf) = file.read_exact_at(vec![0; 100], 5).await;
            assert_eq!((n.unwrap(), &buf), (100, &bytes));
            assert_eq!(a.write_all(bytes.clone()).await.0.unwrap(), 100);
            let (n, buf) = b.read_exact(vec![0; 100]).await;
            assert_eq!((n.unwrap(), &buf), (100, &bytes));
            assert_eq!(faults::hits(), 4 * 13);
        });
    });
}

#[test]
fn r10_single_transfers_tell_how_short_they_were() {
    in_time(|| {
        crate::block_on(async {
            let path = TempPath::holding("r10-single", b"0123456789");
            let file = path.open().await;
            let (a, b) = pair().await;
            for opcode in [OP_READ, OP_WRITE, OP_RECV, OP_SEND] {
                faults::meet(opcode, Fault::Shorten(3), 1);
            }
            faults::meet(OP_READV, Fault::Shorten(1), 1);
            faults::meet(OP_WRITEV, Fault::Shorten(1), 1);
            let (n, buf) = file.read_at(Vec::with_capacity(8), 0).await;
            assert_eq!((n.unwrap(), &buf[..]), (3, &b"012"[..]));
            let bufs = [Vec::with_capacity(2), Vec::with_capacity(8)];
            let (n, bufs) = file.read_vectored_at(bufs, 0).await;
            assert_eq!(n.unwrap(), 2);
            assert_eq!(bufs, [b"01".to_vec(), Vec::new()]);
            assert_eq!(file.write_at("abcdef", 0).await.0.unwrap(), 3);
            assert_eq!(file.write_vectored_at(["xy", "z"], 0).await.0.unwrap(), 2);
            assert_eq!(a.write("abcdef").await.0.unwrap(), 3);
            let (n, buf) = b.read(Vec::with_capacity(8)).await;
            assert_eq!((n.unwrap(), &buf[..]), (3, &b"abc"[..]));
            assert_eq!(std::fs::read(&path.0).unwrap(), b"xyc3456789");
        });
    });
}

/// Zero is the end of what is read, and of what can be written; it must not be asked for ever.
#[test]
fn r10_zero_ends_whole_transfers() {
    in_time(|| {
        crate::block_on(async {
            let path = TempPath::holding("r10-zero", b"0123456789");
            let file = path.open().await;
            let (a, b) = pair().await;
            a.write_all("0123").await.0.unwrap();
            for opcode in [OP_READ, OP_WRITE, OP_RECV, OP_SEND] {
                faults::meet(opcode, Fault::Shorten(2), 1);
                faults::meet(opcode, Fault::Answer(0), 1);
            }
            let (result, buf) = file.read_exact_at(vec![9; 4], 0).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
            assert_eq!(buf, *b"01\x09\x09");
            let (result, _) = file.write_all_at("abcd", 0).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::WriteZero);
            let (result, buf) = b.read_exact(vec![9; 4]).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
            assert_eq!(buf, *b"01\x09\x09");
            let (result, _) = a.write_all("4567").await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::WriteZero);
            assert_eq!(faults::hits(), 8);
        });
    });
}

/// What is read, if no byte is missing.
async fn all<F: Future>(read: F) -> F::Output {
    crate::time::timeout(Duration::from_secs(10), read).await.expect("no byte is missing")
}

/// A transfer of several steps is dropped while it waits to be asked again: what it has is not lost.
#[test]
fn r10_dropped_between_two_steps() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            // A read that has two bytes and is told "again" for a while.
            a.write_all("01234567").await.0.unwrap();
            faults::meet(OP_RECV, Fault::Shorten(2), 1);
            faults::meet(OP_RECV, Fault::Answer(-libc::EAGAIN), u32::MAX);
            let read =
                crate::time::timeout(Duration::from_millis(300), b.read_exact(vec![0; 8])).await;
            assert!(read.is_err());
            assert!(faults::hits() > 2);
            faults::clear();
            let (n, buf) = all(b.read_exact(vec![0; 8])).await;
            assert_eq!((n.unwrap(), &buf[..]), (8, &b"01234567"[..]));

            // A write likewise: the rest comes before the next write.
            faults::meet(OP_SEND, Fault::Shorten(2), 1);
            faults::meet(OP_SEND, Fault::Answer(-libc::EAGAIN), 6);
            let write =
                crate::time::timeout(Duration::from_millis(5), a.write_all("abcdefgh")).await;
            assert!(write.is_err());
            assert_eq!(a.write_all("IJ").await.0.unwrap(), 2);
            let (n, buf) = all(b.read_exact(vec![0; 10])).await;
            assert_eq!((n.unwrap(), &buf[..]), (10, &b"abcdefghIJ"[..]));
        });
    });
}
