//! The rows of TCP. The other end of a measured stream is a socket of the standard library, used before each run and
//! therefore uncounted; over the loopback its calls return at once, so this thread may make them.

use super::files::whole;
use super::meter::{Lane, Meter, Ready, plain, prepared};
use super::queued;
use crate::peer::{self, Peer};
use kael_rt::net::{self, TcpListener, TcpStream};
use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::mem::take;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

pub(crate) const MESSAGE_BYTES: usize = 64;
const LOCALHOST: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub(super) type Std = std::net::TcpStream;

pub(crate) async fn measure(meter: &mut Meter) -> io::Result<()> {
    round_trips(meter).await?;
    queued::measure(meter).await?;
    reads(meter).await?;
    writes(meter).await?;
    sends_without_copy(meter).await?;
    ends(meter).await?;
    connections(meter).await
}

/// Makes pairs of connected streams: one end is measured, the other is the standard library's.
pub(super) struct Pairs {
    listener: std::net::TcpListener,
    addr: SocketAddr,
}

impl Pairs {
    pub(super) fn new() -> io::Result<Pairs> {
        let listener = std::net::TcpListener::bind(LOCALHOST)?;
        let addr = listener.local_addr()?;
        Ok(Pairs { listener, addr })
    }

    pub(super) fn std_pair(&self) -> io::Result<(Std, Std)> {
        // kael: allow(blocking-socket): the listener is ours, and the connection is in its queue at once
        let ours = Std::connect(self.addr)?;
        // kael: allow(blocking-socket): it is there already
        let (theirs, _) = self.listener.accept()?;
        ours.set_nodelay(true)?;
        theirs.set_nodelay(true)?;
        Ok((ours, theirs))
    }

    pub(super) fn pair(&self) -> io::Result<(TcpStream, Std)> {
        let (ours, theirs) = self.std_pair()?;
        Ok((TcpStream::from_std(ours)?, theirs))
    }
}

/// Ends a connection by a reset, so that thousands of them leave no port behind that waits out its time.
fn reset(stream: Std) -> io::Result<()> {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}

async fn round_trips(meter: &mut Meter) -> io::Result<()> {
    const ROW: &str = "TcpStream round trip";
    // One in flight: the other side is a runtime on its own thread.
    let peer = Peer::start()?;
    let stream = TcpStream::connect(peer.tcp).await?;
    stream.set_nodelay(true)?;
    meter.one(ROW, round_trip(Rc::new(stream))?).await?;
    // 64 in flight: both sides are here, or chance would decide how many answers one wait brings.
    let pairs = Pairs::new()?;
    let make = || {
        let (ours, theirs) = pairs.std_pair()?;
        kael_rt::spawn(peer::echo(TcpStream::from_std(theirs)?));
        round_trip(Rc::new(TcpStream::from_std(ours)?))
    };
    meter.many(ROW, make).await
}

fn round_trip(
    stream: Rc<TcpStream>,
) -> io::Result<Lane<Ready, impl AsyncFnMut() -> io::Result<()> + 'static>> {
    // A read with room to spare learns from one call that no more is there.
    let (mut out, mut back) = (vec![1; MESSAGE_BYTES], Vec::with_capacity(2 * MESSAGE_BYTES));
    plain(async move || {
        let (result, buf) = stream.write(take(&mut out)).await;
        out = buf;
        whole(result, MESSAGE_BYTES)?;
        let (result, buf) = stream.read(take(&mut back)).await;
        back = buf;
        whole(result, MESSAGE_BYTES)
    })
}

/// Before each run the other end has sent a message.
async fn reads(meter: &mut Meter) -> io::Result<()> {
    let pairs = Pairs::new()?;
    let message = [1; MESSAGE_BYTES];
    meter
        .row("TcpStream::read", || {
            let (ours, mut theirs) = pairs.pair()?;
            let mut buf = Vec::with_capacity(MESSAGE_BYTES);
            prepared(
                move || theirs.write_all(&message),
                async move || {
                    let (result, back) = ours.read(take(&mut buf)).await;
                    buf = back;
                    whole(result, MESSAGE_BYTES)
                },
            )
        })
        .await?;
    meter
        .row("TcpStream::read_exact", || {
            let (ours, mut theirs) = pairs.pair()?;
            let mut buf = vec![0; MESSAGE_BYTES];
            prepared(
                move || theirs.write_all(&message),
                async move || {
                    let (result, back) = ours.read_exact(take(&mut buf)).await;
                    buf = back;
                    whole(result, MESSAGE_BYTES)
                },
            )
        })
        .await?;
    meter
        .row("TcpStream::read_vectored", || {
            let (ours, mut theirs) = pairs.pair()?;
            let half = || Vec::with_capacity(MESSAGE_BYTES / 2);
            let mut bufs = vec![half(), half()];
            prepared(
                move || theirs.write_all(&message),
                async move || {
                    let (result, back) = ours.read_vectored(take(&mut bufs)).await;
                    bufs = back;
                    whole(result, MESSAGE_BYTES)
                },
            )
        })
        .await?;
    meter
        .row("TcpStream::peek", || {
            let (ours, mut theirs) = pairs.pair()?;
            theirs.write_all(&message)?;
            let mut buf = Vec::with_capacity(MESSAGE_BYTES);
            prepared(
                // The other end stays, and what it sent stays in the socket.
                move || theirs.flush(),
                async move || {
                    let (result, back) = ours.peek(take(&mut buf)).await;
                    buf = back;
                    whole(result, MESSAGE_BYTES)
                },
            )
        })
        .await
}

/// Before each run the other end takes what the last one sent.
async fn writes(meter: &mut Meter) -> io::Result<()> {
    let pairs = Pairs::new()?;
    meter
        .row("TcpStream::write", || {
            let (ours, theirs) = pairs.pair()?;
            let mut buf = vec![1; MESSAGE_BYTES];
            prepared(drain(theirs), async move || {
                let (result, back) = ours.write(take(&mut buf)).await;
                buf = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await?;
    meter
        .row("TcpStream::write_all", || {
            let (ours, theirs) = pairs.pair()?;
            let mut buf = vec![1; MESSAGE_BYTES];
            prepared(drain(theirs), async move || {
                let (result, back) = ours.write_all(take(&mut buf)).await;
                buf = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await?;
    meter
        .row("TcpStream::write_vectored", || {
            let (ours, theirs) = pairs.pair()?;
            let mut bufs = vec![vec![1; MESSAGE_BYTES / 2], vec![2; MESSAGE_BYTES / 2]];
            prepared(drain(theirs), async move || {
                let (result, back) = ours.write_vectored(take(&mut bufs)).await;
                bufs = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await
}

/// The other end reads at once: only then the kernel lets go of what was sent. One in flight: it is on a thread of its
/// own. 64 in flight: it is here, or chance would decide how many notifications one wait brings.
async fn sends_without_copy(meter: &mut Meter) -> io::Result<()> {
    const ROWS: [&str; 2] = ["TcpStream::send_zc", "TcpStream::send_zc_vectored"];
    let pairs = Pairs::new()?;
    let far = || {
        let (ours, mut theirs) = pairs.pair()?;
        std::thread::spawn(move || io::copy(&mut theirs, &mut io::sink()));
        Ok::<_, io::Error>(ours)
    };
    let near = || {
        let (ours, theirs) = pairs.std_pair()?;
        let theirs = TcpStream::from_std(theirs)?;
        kael_rt::spawn(async move {
            let mut buf = Vec::with_capacity(MESSAGE_BYTES);
            loop {
                let (n, back) = theirs.read(buf).await;
                if n? == 0 {
                    return io::Result::Ok(());
                }
                buf = back;
            }
        });
        TcpStream::from_std(ours)
    };
    meter.one(ROWS[0], send_zc(far()?)?).await?;
    meter.many(ROWS[0], || send_zc(near()?)).await?;
    meter.one(ROWS[1], send_zc_vectored(far()?)?).await?;
    meter.many(ROWS[1], || send_zc_vectored(near()?)).await
}

fn send_zc(
    stream: TcpStream,
) -> io::Result<Lane<Ready, impl AsyncFnMut() -> io::Result<()> + 'static>> {
    let mut buf = vec![1; MESSAGE_BYTES];
    plain(async move || {
        let (result, back) = stream.send_zc(take(&mut buf)).await;
        buf = back;
        whole(result, MESSAGE_BYTES)
    })
}

fn send_zc_vectored(
    stream: TcpStream,
) -> io::Result<Lane<Ready, impl AsyncFnMut() -> io::Result<()> + 'static>> {
    let mut bufs = vec![vec![1; MESSAGE_BYTES / 2], vec![2; MESSAGE_BYTES / 2]];
    plain(async move || {
        let (result, back) = stream.send_zc_vectored(take(&mut bufs)).await;
        bufs = back;
        whole(result, MESSAGE_BYTES)
    })
}

pub(super) fn drain(mut theirs: Std) -> impl FnMut() -> io::Result<()> + 'static {
    let mut sent = 0;
    let mut bytes = [0; MESSAGE_BYTES];
    move || {
        theirs.read_exact(&mut bytes[..sent])?;
        sent = MESSAGE_BYTES;
        Ok(())
    }
}

/// Before each run there is a new connection.
async fn ends(meter: &mut Meter) -> io::Result<()> {
    let pairs = Rc::new(Pairs::new()?);
    let fresh = |pairs: &Rc<Pairs>| {
        let slot = Rc::new(RefCell::new(None));
        let (pairs, given) = (pairs.clone(), slot.clone());
        let mut last = None;
        let prepare = move || {
            if let Some(theirs) = last.take() {
                reset(theirs)?;
            }
            let (ours, theirs) = pairs.pair()?;
            last = Some(theirs);
            *given.borrow_mut() = Some(ours);
            Ok(())
        };
        (prepare, slot)
    };
    meter
        .row("TcpStream::shutdown", || {
            let (prepare, slot) = fresh(&pairs);
            let mut used = None;
            prepared(prepare, async move || {
                let stream =
                    used.insert(slot.take().expect("a connection is made before each run"));
                stream.shutdown(Shutdown::Write).await
            })
        })
        .await?;
    meter
        .row("TcpStream::close", || {
            let (prepare, slot) = fresh(&pairs);
            prepared(prepare, async move || {
                slot.take().expect("a connection is made before each run").close().await
            })
        })
        .await?;
    meter
        .row("TcpStream::detach", || {
            let (prepare, slot) = fresh(&pairs);
            let mut used = None;
            prepared(prepare, async move || {
                let stream = slot.take().expect("a connection is made before each run");
                used = Some(stream.detach().await?);
                let _ = &used;
                Ok(())
            })
        })
        .await?;
    meter
        .row("TcpStream::from_std + into_std", || {
            let (ours, theirs) = pairs.std_pair()?;
            let mut std = Some(ours);
            plain(async move || {
                let _ = &theirs;
                let stream = TcpStream::from_std(std.take().expect("it comes back each time"))?;
                std = Some(stream.into_std().map_err(|_| io::Error::other("it was given back"))?);
                Ok(())
            })
        })
        .await?;
    meter
        .row("TcpStream::set_nodelay", || {
            let (ours, theirs) = pairs.pair()?;
            plain(async move || {
                let _ = &theirs;
                ours.set_nodelay(true)
            })
        })
        .await
}

async fn connections(meter: &mut Meter) -> io::Result<()> {
    meter
        .row("net::lookup_host (an address)", || {
            plain(async || net::lookup_host(LOCALHOST).await.map(drop))
        })
        .await?;
    meter
        .row("TcpListener::bind", || plain(async || TcpListener::bind(LOCALHOST).await.map(drop)))
        .await?;
    meter
        .row("TcpStream::connect", || {
            let pairs = Pairs::new()?;
            let (addr, made) = (pairs.addr, Rc::new(RefCell::new(None)));
            let last = made.clone();
            prepared(
                move || {
                    if let Some(stream) = last.take() {
                        reset(pairs.listener.accept()?.0)?;
                        drop::<TcpStream>(stream);
                    }
                    Ok(())
                },
                async move || {
                    *made.borrow_mut() = Some(TcpStream::connect(addr).await?);
                    Ok(())
                },
            )
        })
        .await?;
    accepts(meter).await?;
    incoming(meter).await
}

/// One for each lane: a listener's accepts are served in order.
async fn listeners() -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for _ in 0..=super::meter::MANY {
        listeners.push(TcpListener::bind(LOCALHOST).await?);
    }
    Ok(listeners)
}

/// Before each run somebody has connected.
async fn accepts(meter: &mut Meter) -> io::Result<()> {
    let mut listeners = listeners().await?;
    meter
        .row("TcpListener::accept", || {
            let listener = listeners.pop().expect("there is one for each lane");
            let (addr, slot) = (listener.local_addr()?, Rc::new(RefCell::new(None)));
            let accepted = slot.clone();
            let mut client = None;
            prepared(
                move || {
                    if let Some(client) = client.take() {
                        reset(client)?;
                    }
                    drop::<Option<TcpStream>>(slot.take());
                    client = Some(Std::connect(addr)?);
                    Ok(())
                },
                async move || {
                    *accepted.borrow_mut() = Some(listener.accept().await?.0);
                    Ok(())
                },
            )
        })
        .await
}

/// Before each run a burst has connected; of 64 listeners one each, which is as many descriptors.
async fn incoming(meter: &mut Meter) -> io::Result<()> {
    const ROW: &str = "TcpListener::incoming (16 connections)";
    const BURST: usize = 16;
    let mut listeners = listeners().await?;
    let mut lane = |burst: usize| {
        let listener = listeners.pop().expect("there is one for each lane");
        let addr = listener.local_addr()?;
        let slot = Rc::new(RefCell::new(Vec::with_capacity(burst)));
        let accepted = slot.clone();
        let mut clients = Vec::with_capacity(burst);
        prepared(
            move || {
                for client in clients.drain(..) {
                    reset(client)?;
                }
                slot.borrow_mut().clear();
                for _ in 0..burst {
                    clients.push(Std::connect(addr)?);
                }
                Ok(())
            },
            async move || {
                let mut incoming = listener.incoming();
                for _ in 0..burst {
                    let stream: TcpStream = incoming.next().await?;
                    accepted.borrow_mut().push(stream);
                }
                Ok(())
            },
        )
    };
    let one = lane(BURST)?;
    meter.one(ROW, one).await?;
    meter.many(ROW, || lane(1)).await
}
