//! The rows of UDP. As with TCP, the other end is a socket of the standard library that is used uncounted.

use super::files::whole;
use super::meter::{Lane, Meter, Ready, plain, prepared};
use super::tcp::MESSAGE_BYTES;
use crate::peer::{self, Peer};
use kael_rt::JoinHandle;
use kael_rt::buf::BufferPool;
use kael_rt::net::UdpSocket;
use std::io;
use std::mem::take;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(crate) async fn measure(meter: &mut Meter) -> io::Result<()> {
    meter
        .row("UdpSocket::bind", || plain(async || UdpSocket::bind(LOCALHOST).await.map(drop)))
        .await?;
    let mut sockets = Sockets::default();
    let sink = std::net::UdpSocket::bind(LOCALHOST)?;
    let addr = sink.local_addr()?;

    sockets.refill().await?;
    meter
        .row("UdpSocket::connect", || {
            let socket = sockets.take()?;
            plain(async move || socket.connect(addr).await)
        })
        .await?;
    sends(meter, &mut sockets, &sink).await?;
    receives(meter, &mut sockets).await?;
    round_trips(meter, &mut sockets).await
}

/// Sockets for the lanes of a row. They are made beforehand, because making one is a future.
#[derive(Default)]
struct Sockets(Vec<UdpSocket>);

impl Sockets {
    async fn refill(&mut self) -> io::Result<()> {
        while self.0.len() <= super::meter::MANY {
            self.0.push(UdpSocket::bind(LOCALHOST).await?);
        }
        Ok(())
    }

    fn take(&mut self) -> io::Result<UdpSocket> {
        self.0.pop().ok_or_else(|| io::Error::other("no socket is left"))
    }
}

async fn sends(
    meter: &mut Meter,
    sockets: &mut Sockets,
    sink: &std::net::UdpSocket,
) -> io::Result<()> {
    let addr = sink.local_addr()?;
    sockets.refill().await?;
    for socket in &sockets.0 {
        socket.connect(addr).await?;
    }
    meter
        .row("UdpSocket::send", || {
            let (socket, mut buf) = (sockets.take()?, vec![1; MESSAGE_BYTES]);
            plain(async move || {
                let (result, back) = socket.send(take(&mut buf)).await;
                buf = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await?;
    sockets.refill().await?;
    for socket in &sockets.0 {
        socket.connect(addr).await?;
    }
    meter
        .row("UdpSocket::send_zc", || {
            let (socket, mut buf) = (sockets.take()?, vec![1; MESSAGE_BYTES]);
            plain(async move || {
                let (result, back) = socket.send_zc(take(&mut buf)).await;
                buf = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await?;
    sockets.refill().await?;
    meter
        .row("UdpSocket::send_to", || {
            let (socket, mut buf) = (sockets.take()?, vec![1; MESSAGE_BYTES]);
            plain(async move || {
                let (result, back) = socket.send_to(take(&mut buf), addr).await;
                buf = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await
}

/// Before each run a datagram has come.
async fn receives(meter: &mut Meter, sockets: &mut Sockets) -> io::Result<()> {
    let source = Rc::new(std::net::UdpSocket::bind(LOCALHOST)?);
    let send = |source: &Rc<std::net::UdpSocket>, to: SocketAddr| {
        let source = source.clone();
        move || source.send_to(&[1; MESSAGE_BYTES], to).map(drop)
    };
    sockets.refill().await?;
    meter
        .row("UdpSocket::recv", || {
            let (socket, mut buf) = (sockets.take()?, Vec::with_capacity(MESSAGE_BYTES));
            prepared(send(&source, socket.local_addr()?), async move || {
                let (result, back) = socket.recv(take(&mut buf)).await;
                buf = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await?;
    sockets.refill().await?;
    meter
        .row("UdpSocket::recv_from", || {
            let (socket, mut buf) = (sockets.take()?, Vec::with_capacity(MESSAGE_BYTES));
            prepared(send(&source, socket.local_addr()?), async move || {
                let (result, back) = socket.recv_from(take(&mut buf)).await;
                buf = back;
                whole(result.map(|(n, _)| n), MESSAGE_BYTES)
            })
        })
        .await?;
    sockets.refill().await?;
    // One pool for all: who has no datagram holds no buffer, where the system picks them.
    let pool = BufferPool::new(2 * super::meter::MANY, 2048)?;
    meter
        .row("RecvDatagrams::next", || {
            let socket = sockets.take()?;
            let to = socket.local_addr()?;
            let mut datagrams = socket.recv_stream(&pool);
            prepared(send(&source, to), async move || {
                let _ = &socket;
                whole(Ok(datagrams.next().await?.len()), MESSAGE_BYTES)
            })
        })
        .await
}

async fn round_trips(meter: &mut Meter, sockets: &mut Sockets) -> io::Result<()> {
    const ROW: &str = "UdpSocket round trip";
    let peer = Peer::start()?;
    let socket = UdpSocket::bind(LOCALHOST).await?;
    meter.one(ROW, round_trip(socket, peer.udp)?).await?;
    // Both sides here, as with TCP.
    sockets.refill().await?;
    let (mut others, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..super::meter::MANY {
        let other = UdpSocket::bind(LOCALHOST).await?;
        others.push(other.local_addr()?);
        peers.push(kael_rt::spawn(peer::echo_datagrams(other)));
    }
    let make = || {
        let to = others.pop().ok_or_else(|| io::Error::other("no peer is left"))?;
        round_trip(sockets.take()?, to)
    };
    meter.many(ROW, make).await?;
    // Nothing tells them that there is nobody any more.
    peers.iter().for_each(JoinHandle::abort);
    Ok(())
}

fn round_trip(
    socket: UdpSocket,
    to: SocketAddr,
) -> io::Result<Lane<Ready, impl AsyncFnMut() -> io::Result<()> + 'static>> {
    let (mut out, mut back) = (vec![1; MESSAGE_BYTES], vec![0; MESSAGE_BYTES]);
    plain(async move || {
        let (result, buf) = socket.send_to(take(&mut out), to).await;
        out = buf;
        whole(result, MESSAGE_BYTES)?;
        let (result, buf) = socket.recv_from(take(&mut back)).await;
        back = buf;
        whole(result.map(|(n, _)| n), MESSAGE_BYTES)
    })
}

#[cfg(test)]
mod tests {
    use super::super::meter::Meter;
    use indicatif::ProgressBar;
    use std::time::{Duration, Instant};

    /// The rows of wakes count what a busy core does, which looks for answers as long as the kernel has operations.
    #[test]
    fn a01_the_rows_leave_nothing_with_the_kernel() {
        let runtime = kael_rt::runtime::Builder::new().build().expect("a runtime");
        let handle = runtime.handle();
        let mut meter = Meter::new(handle.clone(), Duration::ZERO, ProgressBar::hidden());
        runtime.block_on(async {
            super::measure(&mut meter).await.expect("datagrams on the loopback device");
            assert!(meter.rows.len() > 2);
            let latest = Instant::now() + Duration::from_secs(5);
            loop {
                let left = handle.metrics().cores[0].in_flight;
                if left == 0 {
                    break;
                }
                assert!(Instant::now() < latest, "{left} operations were left");
                kael_rt::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
}
