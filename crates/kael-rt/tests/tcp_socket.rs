//! TCP sockets that get their options before they listen or connect.

#[path = "support/drops.rs"]
mod drops;

use drops::{poll_once, runs};
use kael_rt::net::{TcpSocket, TcpStream};
use kael_rt::runtime::Handle;
use std::io::ErrorKind;
use std::net::SocketAddr;

fn localhost() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[test]
fn it_listens_and_connects_from_where_it_was_bound() {
    runs("a connection was never made", || async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(localhost()).unwrap();
        let at = socket.local_addr().unwrap();
        assert_ne!(at.port(), 0);
        let listener = socket.listen(16).unwrap();
        assert_eq!(listener.local_addr().unwrap(), at);

        for bound in [true, false] {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_nodelay(true).unwrap();
            socket.set_keepalive(true).unwrap();
            socket.set_send_buffer_size(64 * 1024).unwrap();
            socket.set_recv_buffer_size(64 * 1024).unwrap();
            if bound {
                socket.bind(localhost()).unwrap();
            }
            let from = bound.then(|| socket.local_addr().unwrap());
            let client = socket.connect(at).await.unwrap();
            let (stream, peer) = listener.accept().await.unwrap();
            assert_eq!(client.local_addr().unwrap(), peer);
            assert!(from.is_none_or(|from| from == peer), "{from:?} {peer}");
            assert!(client.nodelay().unwrap());
            client.write_all("hello").await.0.unwrap();
            assert_eq!(stream.read_exact(vec![0; 5]).await.1, b"hello");
        }
    });
}

#[test]
fn an_address_is_for_one() {
    runs("a bind never came back", || async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(localhost()).unwrap();
        let listener = socket.listen(1).unwrap();
        let at = listener.local_addr().unwrap();
        let second = TcpSocket::new_v4().unwrap();
        assert_eq!(second.bind(at).unwrap_err().kind(), ErrorKind::AddrInUse);
        // It goes on: that address was not to be had, another one is.
        second.bind(localhost()).unwrap();
        assert_eq!(second.bind(localhost()).unwrap_err().kind(), ErrorKind::InvalidInput);
        drop(listener);
        // The number is closed with the next turn, and the address is free then.
        while TcpStream::connect(at).await.is_ok() {}
        let third = TcpSocket::new_v4().unwrap();
        third.set_reuseaddr(true).unwrap();
        third.bind(at).unwrap();
        drop(third.listen(1).unwrap());
    });
}

#[test]
fn each_step_is_one_call() {
    runs("a connection was never made", || async {
        let handle = Handle::current();
        let calls = || handle.metrics().cores[0].syscalls;
        let before = calls();
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(localhost()).unwrap();
        let listener = socket.listen(16).unwrap();
        let most = if cfg!(windows) { 5 } else { 4 };
        let made = calls() - before;
        assert!(made <= most, "{made} calls, {most} at most");
        drop(listener);
    });
}

#[test]
fn nobody_listens_and_nobody_waits() {
    runs("a connection was never refused", || async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(localhost()).unwrap();
        let at = socket.local_addr().unwrap();
        drop(socket);
        kael_rt::yield_now().await;
        let socket = TcpSocket::new_v4().unwrap();
        assert_eq!(socket.connect(at).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        // A connect that is dropped ends with its socket.
        let socket = TcpSocket::new_v4().unwrap();
        let mut connect = Box::pin(socket.connect(at));
        let _ = poll_once(&mut connect);
        drop(connect);
        kael_rt::yield_now().await;
    });
}

#[cfg(any(windows, kael_backend = "sim"))]
#[test]
fn connections_are_not_spread_here() {
    runs("an option was never refused", || async {
        let socket = TcpSocket::new_v4().unwrap();
        assert_eq!(socket.set_reuseport(true).unwrap_err().kind(), ErrorKind::Unsupported);
        socket.set_reuseport(false).unwrap();
    });
}

/// Each core accepts what the system gives it, at one address.
#[cfg(all(target_os = "linux", not(kael_backend = "sim")))]
#[test]
fn n01_the_system_spreads_connections_among_cores() {
    use kael_rt::net::TcpListener;
    use kael_rt::runtime::Builder;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const CONNECTIONS: usize = 200;

    fn listen(at: SocketAddr) -> TcpListener {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseport(true).unwrap();
        socket.bind(at).unwrap();
        socket.listen(CONNECTIONS as u32).unwrap()
    }

    async fn serve(listener: TcpListener, accepted: Arc<AtomicUsize>) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            accepted.fetch_add(1, Ordering::Relaxed);
            drop(kael_rt::spawn(async move {
                let (n, buf) = stream.read(vec![0; 64]).await;
                n.unwrap();
                stream.write_all(buf).await.0.unwrap();
            }));
        }
    }

    drops::within("a connection was never answered", || {
        let runtime = Builder::new().cores(2).build().unwrap();
        let handle = runtime.handle();
        let accepted: [Arc<AtomicUsize>; 2] = Default::default();
        runtime.block_on(async {
            let first = listen(localhost());
            let at = first.local_addr().unwrap();
            // Both listen before the first client comes.
            let (other, listens) = (accepted[1].clone(), std::sync::mpsc::channel());
            drop(handle.spawn_on(1, move || async move {
                let listener = listen(at);
                listens.0.send(()).unwrap();
                serve(listener, other).await;
            }));
            listens.1.recv().unwrap();
            drop(kael_rt::spawn(serve(first, accepted[0].clone())));
            for i in 0..CONNECTIONS {
                let client = TcpStream::connect(at).await.unwrap();
                let text = format!("request {i}");
                client.write_all(text.clone()).await.0.unwrap();
                assert_eq!(client.read_exact(vec![0; text.len()]).await.1, text.as_bytes());
            }
        });
        drop(runtime);
        let accepted = accepted.map(|accepted| accepted.load(Ordering::Relaxed));
        assert_eq!(accepted[0] + accepted[1], CONNECTIONS, "{accepted:?}");
        // 200 by a hash: a quarter of them is far from what chance does.
        assert!(accepted.iter().all(|of_core| *of_core >= CONNECTIONS / 4), "{accepted:?}");
    });
}
