//! The other side of a conversation, on a thread and a runtime of its own, so that its system calls are not counted
//! where the measured side's are.

use crate::fail::doing;
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::{CancelToken, runtime::Builder};
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

/// Echoes over TCP and UDP until it is dropped.
pub(crate) struct Peer {
    pub(crate) tcp: SocketAddr,
    pub(crate) udp: SocketAddr,
    stop: CancelToken,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    pub(crate) fn start() -> io::Result<Peer> {
        let stop = CancelToken::new();
        let (ready, addresses) = mpsc::sync_channel(1);
        let stopped = stop.clone();
        let thread = thread::Builder::new().name("peer".to_owned()).spawn(move || {
            if let Err(error) = run(&ready, &stopped) {
                // Nobody listens any more if the addresses were sent already; the conversation's own error says it then.
                let _ = ready.send(Err(error));
            }
        })?;
        let gone = || io::Error::other("the peer's thread ended");
        // kael: allow(blocking-wait): a workload is set up, and nothing else runs on this core meanwhile
        let (tcp, udp) = addresses.recv().map_err(|_| gone())?.map_err(doing("the echo peer"))?;
        Ok(Peer { tcp, udp, stop, thread: Some(thread) })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed where it happened.
            let _ = thread.join();
        }
    }
}

type Ready = mpsc::SyncSender<io::Result<(SocketAddr, SocketAddr)>>;

fn run(ready: &Ready, stop: &CancelToken) -> io::Result<()> {
    Builder::new().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let addresses = (listener.local_addr()?, socket.local_addr()?);
        ready.send(Ok(addresses)).map_err(io::Error::other)?;
        kael_rt::spawn(echo_datagrams(socket));
        loop {
            match listener.accept().cancel_on(stop).await {
                // An error of one connection is that connection's end, which its other side sees.
                Ok((stream, _)) => drop(kael_rt::spawn(echo(stream))),
                Err(_) if stop.is_cancelled() => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    })
}

/// Sends back what comes on a connection, until its end.
pub(crate) async fn echo(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buf = Vec::with_capacity(4096);
    loop {
        let (result, received) = stream.read(buf).await;
        if result? == 0 {
            return Ok(());
        }
        let (result, sent) = stream.write_all(received).await;
        result?;
        buf = sent;
    }
}

/// Sends back each datagram.
pub(crate) async fn echo_datagrams(socket: UdpSocket) -> io::Result<()> {
    let mut buf = Vec::with_capacity(4096);
    loop {
        let (result, received) = socket.recv_from(buf).await;
        let (_, from) = result?;
        let (result, sent) = socket.send_to(received, from).await;
        result?;
        buf = sent;
    }
}
