//! Repeated receives of datagrams when the kernel ends them, or says what cannot be.

use super::super::abi::OP_RECVMSG;
use super::faults::{self, Fault};
use super::{counters, in_time};
use crate::buf::BufferPool;
use crate::net::UdpSocket;
use crate::sys::event::{Event, MORE, buffer_flags};
use crate::time::{Duration, sleep};

async fn sockets() -> (UdpSocket, UdpSocket) {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").await, UdpSocket::bind("127.0.0.1:0").await);
    let (a, b) = (a.unwrap(), b.unwrap());
    a.connect(b.local_addr().unwrap()).await.unwrap();
    (a, b)
}

/// Whatever ends it, it is begun again, and no datagram is lost. (One of no bytes ends it, too: see `datagrams_pooled`.)
#[test]
fn m03_repeated_receives_that_the_kernel_ends_are_begun_again() {
    in_time(|| {
        crate::block_on(async {
            let errnos = [libc::EINTR, libc::EAGAIN, libc::ECANCELED, libc::ENOBUFS];
            for end in errnos.map(|errno| Fault::Answer(-errno)) {
                let pool = BufferPool::new(8, 128).unwrap();
                let (a, b) = sockets().await;
                for n in 0..6u8 {
                    a.send(vec![n; 5]).await.0.unwrap();
                }
                let before = faults::hits();
                faults::meet(OP_RECVMSG, end, 1);
                let mut datagrams = b.recv_stream(&pool);
                for n in 0..6u8 {
                    assert_eq!(&datagrams.next().await.unwrap()[..], [n; 5], "{end:?}");
                }
                assert_eq!(faults::hits() - before, 1, "{end:?}");
                faults::clear();
                assert!(counters().in_flight <= 1, "more than one is with the kernel");
            }
            // Any other error is told, and the next call asks again.
            let pool = BufferPool::new(8, 128).unwrap();
            let (a, b) = sockets().await;
            faults::meet(OP_RECVMSG, Fault::Answer(-libc::EIO), 1);
            let mut datagrams = b.recv_stream(&pool);
            let error = datagrams.next().await.unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EIO));
            a.send("on").await.0.unwrap();
            assert_eq!(&datagrams.next().await.unwrap()[..], b"on");
        });
    });
}

/// Fewer bytes than stand before a datagram, a buffer that was not lent, more than fits: an error, whoever reads.
#[test]
fn m03_what_is_no_datagram_is_not_believed() {
    in_time(|| {
        crate::block_on(async {
            for (result, buffer) in [(1, 0), (43, 0), (4, 7), (129, 0), (i32::MAX, 1)] {
                for dropped in [false, true] {
                    let pool = BufferPool::new(8, 128).unwrap();
                    let held = pool.try_get().unwrap();
                    drop(held);
                    let (a, b) = sockets().await;
                    let mut datagrams = b.recv_stream(&pool);
                    a.send("first").await.0.unwrap();
                    faults::keep_seen();
                    assert_eq!(&datagrams.next().await.unwrap()[..], b"first");
                    let user = faults::seen().iter().find(|event| event.result > 44).unwrap().user;
                    faults::clear();
                    let flags = MORE | buffer_flags(buffer);
                    faults::forge(Event { user, result, flags });
                    sleep(Duration::from_millis(1)).await;
                    a.send("second").await.0.unwrap();
                    if dropped {
                        sleep(Duration::from_millis(1)).await;
                        drop(datagrams);
                        let _ = b.recv_from(Vec::with_capacity(64)).await;
                        continue;
                    }
                    assert!(datagrams.next().await.is_err(), "{result} bytes in buffer {buffer}");
                }
            }
        });
    });
}
