//! What the kernel may answer to a zero-copy send: an error alone, an error and a notification, a result and a
//! notification. The buffer comes back with the last of them.

use super::super::{Event, abi::*};
use super::faults::{self, Fault};
use super::{counters, in_time, pair};
use crate::driver::SlotId;
use crate::net::{TcpStream, UdpSocket};
use crate::sys::{MORE, NOTIFICATION};
use crate::task::context;
use crate::time::{Duration, sleep};
use std::{io, net::Shutdown};

const BYTES: usize = 3000;

async fn a_few_turns() {
    for _ in 0..10 {
        sleep(Duration::from_millis(1)).await;
    }
}

/// Both kinds of sends, as one future each.
async fn send(stream: &TcpStream, opcode: u8) -> (io::Result<usize>, Vec<u8>) {
    if opcode == OP_SEND_ZC {
        return stream.send_zc(vec![7; BYTES]).await;
    }
    let (result, bufs) = stream.send_zc_vectored([vec![7; BYTES - 1000], vec![7; 1000]]).await;
    (result, bufs.concat())
}

#[test]
fn r16_errors_without_a_notification_end_the_send_at_once() {
    in_time(|| {
        crate::block_on(async {
            for opcode in [OP_SEND_ZC, OP_SENDMSG_ZC] {
                for error in [libc::EPIPE, libc::ENOMEM, libc::EOPNOTSUPP, libc::ENOBUFS] {
                    let (a, b) = pair().await;
                    faults::meet(opcode, Fault::Answer(-error), 1);
                    let ended = crate::spawn(async move { (send(&a, opcode).await, a) });
                    a_few_turns().await;
                    assert!(ended.is_finished(), "it waits for what will never come");
                    let ((result, buf), a) = ended.await.unwrap();
                    let told = result.unwrap_err();
                    if error == libc::ENOMEM {
                        assert_eq!(told.kind(), io::ErrorKind::OutOfMemory);
                        assert!(told.to_string().contains("raise RLIMIT_MEMLOCK"));
                    } else {
                        assert_eq!(told.raw_os_error(), Some(error));
                    }
                    assert_eq!(buf, [7; BYTES]);
                    assert_eq!(counters().in_flight, 0);
                    // Nothing of it was sent, and the stream goes on.
                    assert_eq!(send(&a, opcode).await.0.unwrap(), BYTES);
                    a.close().await.unwrap();
                    assert_eq!(b.read_exact(vec![0; BYTES]).await.1, [7; BYTES]);
                    assert_eq!(b.read(vec![0; 8]).await.0.unwrap(), 0);
                }
            }
            assert_eq!(faults::hits(), 8);
            assert_eq!(counters().stale, 0);
        });
    });
}

#[test]
fn r16_interrupted_sends_are_asked_again() {
    in_time(|| {
        crate::block_on(async {
            for opcode in [OP_SEND_ZC, OP_SENDMSG_ZC] {
                for error in [libc::EINTR, libc::EAGAIN] {
                    let (a, b) = pair().await;
                    faults::meet(opcode, Fault::Answer(-error), 3);
                    assert_eq!(send(&a, opcode).await.0.unwrap(), BYTES);
                    assert_eq!(b.read_exact(vec![0; BYTES]).await.1, [7; BYTES]);
                }
            }
            assert_eq!(faults::hits(), 12);
            assert_eq!((counters().in_flight, counters().stale), (0, 0));
        });
    });
}

/// A short send is the caller's to go on with; what was dropped is finished.
#[test]
fn r16_short_sends_say_so_and_dropped_ones_are_finished() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            faults::meet(OP_SEND_ZC, Fault::Shorten(10), 1);
            assert_eq!(a.send_zc(vec![1; 100]).await.0.unwrap(), 10);
            assert_eq!(b.read(vec![0; 200]).await.1, [1; 10]);
            faults::meet(OP_SEND_ZC, Fault::Shorten(10), 4);
            // What has not begun is not done.
            drop(a.send_zc(vec![2; 100]));
            let mut begun = a.send_zc(vec![3; 100]);
            std::future::poll_fn(|cx| {
                assert!(std::pin::Pin::new(&mut begun).poll(cx).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
            drop(begun);
            a.write_all("end").await.0.unwrap();
            let (result, bytes) = b.read_exact(vec![0; 103]).await;
            result.unwrap();
            assert_eq!(bytes, [[3; 100].as_slice(), b"end"].concat());
        });
    });
}

/// The kernel says an error first, and lets go of the buffer later: the send ends then, and with that error.
#[test]
fn r16_an_error_waits_for_the_notification_that_was_announced() {
    in_time(|| {
        crate::block_on(async {
            let (a, _b) = pair().await;
            let brief = Duration::from_millis(2);
            faults::keep_seen();
            while a.write(vec![0; 1 << 16]).timeout(brief).await.0.is_ok() {}
            let before = counters();
            let send = crate::spawn(async move { (a.send_zc(vec![7; 100]).await, a) });
            a_few_turns().await;
            // Slots are used last in, first out: the send has that of the last write, one generation on.
            let last = SlotId(faults::seen().last().unwrap().user);
            let all = |result, flags| {
                for index in 0..4 {
                    for generation in last.generation()..last.generation() + 4 {
                        let user = SlotId::new(index, generation).0;
                        faults::forge(Event { user, result, flags });
                    }
                }
            };
            all(-libc::ENOBUFS, MORE);
            a_few_turns().await;
            assert!(!send.is_finished(), "the kernel has the buffer still");
            assert_eq!(counters().zero_copy_sends, before.zero_copy_sends);
            all(0, NOTIFICATION);
            let ((result, buf), stream) = send.await.unwrap();
            assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::ENOBUFS));
            assert_eq!(counters().zero_copy_sends, before.zero_copy_sends, "nothing was sent");
            // The kernel has in truth neither answered nor let go.
            std::mem::forget(buf);
            drop(stream);
        });
    });
}

/// The loopback device cannot send from a program's memory.
#[test]
fn r16_what_the_kernel_copied_after_all_is_counted() {
    in_time(|| {
        crate::block_on(async {
            let (a, b) = pair().await;
            let reader = crate::spawn(async move { b.read_exact(vec![0; 20 * BYTES]).await });
            for _ in 0..10 {
                for opcode in [OP_SEND_ZC, OP_SENDMSG_ZC] {
                    assert_eq!(send(&a, opcode).await.0.unwrap(), BYTES);
                }
            }
            reader.await.unwrap().0.unwrap();
            let reports = context::with("a test", |core| {
                core.driver.control(|backend| std::io::Result::Ok(backend.probe.reports_copies()))
            });
            let copied = if reports.unwrap() { 20 } else { 0 };
            assert_eq!(counters().zero_copy_sends, 20);
            assert_eq!(counters().zero_copy_copied, copied);
        });
    });
}

#[test]
fn r16_real_errors_end_the_send() {
    in_time(|| {
        crate::block_on(async {
            for opcode in [OP_SEND_ZC, OP_SENDMSG_ZC] {
                let (a, _b) = pair().await;
                a.shutdown(Shutdown::Write).await.unwrap();
                for _ in 0..3 {
                    let (result, buf) = send(&a, opcode).await;
                    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EPIPE));
                    assert_eq!(buf, [7; BYTES]);
                }
            }
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let error = socket.send_zc("to nobody").await.0.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
            let to_itself = socket.local_addr().unwrap();
            socket.connect(to_itself).await.unwrap();
            let error = socket.send_zc(vec![0; 70_000]).await.0.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
            assert_eq!(socket.send_zc("").await.0.unwrap(), 0);
            assert_eq!((counters().in_flight, counters().stale), (0, 0));
            // A socket of another kind cannot.
            let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
            let std = std::net::TcpStream::from(std::os::fd::OwnedFd::from(one));
            let stream = TcpStream::from_std(std).unwrap();
            let error = stream.send_zc("x").await.0.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
        });
    });
}
