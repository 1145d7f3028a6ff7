//! What the tests of direct descriptors share: runtimes that have them, connections whose clients have numbers, and a look
//! into the tables of this process's rings. No test is in here.
#![allow(dead_code, reason = "each test program uses a part of it")]

use kael_rt::net::{TcpListener, TcpStream};
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::{Duration, Instant, sleep};
use std::fs;
use std::future::Future;
use std::net::{SocketAddr, TcpStream as Client};
use std::pin::Pin;
use std::task::{Context, Waker};

/// A runtime that was asked for direct descriptors, and whether it has them.
pub(crate) fn runtime() -> (Runtime, bool) {
    let runtime = Builder::new().direct_descriptors(true).build().unwrap();
    let granted = runtime.granted().flags.contains(&"direct descriptors");
    if !granted {
        println!("not checked: direct descriptors, which this system does not grant");
    }
    (runtime, granted)
}

pub(crate) fn is_direct(stream: &TcpStream) -> bool {
    stream.try_as_fd().is_err()
}

/// The sockets in the tables of this process's rings: the clients here have numbers, so they are those that were accepted.
pub(crate) fn in_tables() -> usize {
    let mut sockets = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap().map(Result::unwrap) {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        if target.to_string_lossy().contains("io_uring") {
            let name = entry.file_name();
            let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", name.display()));
            sockets += info.unwrap_or_default().matches("socket:[").count();
        }
    }
    sockets
}

/// Fails unless so many sockets are in the tables soon.
pub(crate) async fn are_in_tables(expected: usize) {
    let began = Instant::now();
    while in_tables() != expected {
        let left = in_tables();
        assert!(began.elapsed() < Duration::from_secs(20), "{left} in the table, not {expected}");
        sleep(Duration::from_millis(1)).await;
    }
}

pub(crate) fn client(addr: SocketAddr) -> Client {
    let client = Client::connect(addr).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client
}

pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Both ends of a connection of which the first was accepted.
pub(crate) async fn accepted() -> (TcpStream, Client) {
    let (listener, addr) = listen().await;
    let client = client(addr);
    (listener.accept().await.unwrap().0, client)
}

pub(crate) fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

pub(crate) async fn echo(stream: TcpStream) {
    let mut buf = Vec::with_capacity(4096);
    loop {
        let (n, read) = stream.read(buf).await;
        if n.unwrap() == 0 {
            return stream.close().await.unwrap();
        }
        let (written, back) = stream.write_all(read).await;
        written.unwrap();
        buf = back;
    }
}

pub(crate) fn limit_descriptors(soft: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: a limit by its address; this process is the test's own.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = soft.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

pub(crate) const CONNECTIONS: usize = 64;
