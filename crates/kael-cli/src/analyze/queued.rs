//! The rows of writes that are whole: several buffers at once, and those that the runtime sends by itself.

use super::files::whole;
use super::meter::{Lane, Meter, Ready, plain, prepared};
use super::tcp::{MESSAGE_BYTES, Pairs, drain};
use crate::peer::{self, Peer};
use kael_rt::net::TcpStream;
use std::io;
use std::mem::take;

/// One that is nobody's to give back.
const MESSAGE: &[u8] = &[1; MESSAGE_BYTES];

pub(super) async fn measure(meter: &mut Meter) -> io::Result<()> {
    round_trips(meter).await?;
    writes(meter).await
}

/// One in flight: the other side is a runtime on its own thread. 64 in flight: both sides are here, as for plain writes.
async fn round_trips(meter: &mut Meter) -> io::Result<()> {
    const ROW: &str = "TcpStream round trip (queued)";
    let peer = Peer::start()?;
    let stream = TcpStream::connect(peer.tcp).await?;
    stream.set_nodelay(true)?;
    meter.one(ROW, round_trip(stream)?).await?;
    let pairs = Pairs::new()?;
    let make = || {
        let (ours, theirs) = pairs.std_pair()?;
        kael_rt::spawn(peer::echo(TcpStream::from_std(theirs)?));
        round_trip(TcpStream::from_std(ours)?)
    };
    meter.many(ROW, make).await
}

fn round_trip(
    stream: TcpStream,
) -> io::Result<Lane<Ready, impl AsyncFnMut() -> io::Result<()> + 'static>> {
    let mut back = Vec::with_capacity(2 * MESSAGE_BYTES);
    plain(async move || {
        stream.write_queued(MESSAGE).await?;
        let (result, buf) = stream.read(take(&mut back)).await;
        back = buf;
        whole(result, MESSAGE_BYTES)
    })
}

async fn writes(meter: &mut Meter) -> io::Result<()> {
    let pairs = Pairs::new()?;
    meter
        .row("TcpStream::write_all_vectored", || {
            let (ours, theirs) = pairs.pair()?;
            let mut bufs = (vec![1; MESSAGE_BYTES / 2], vec![2; MESSAGE_BYTES / 2]);
            prepared(drain(theirs), async move || {
                let (result, back) = ours.write_all_vectored(take(&mut bufs)).await;
                bufs = back;
                whole(result, MESSAGE_BYTES)
            })
        })
        .await?;
    meter
        .row("TcpStream::write_queued + flush", || {
            let (ours, theirs) = pairs.pair()?;
            prepared(drain(theirs), async move || {
                whole(ours.write_queued(MESSAGE).await, MESSAGE_BYTES)?;
                ours.flush().await
            })
        })
        .await?;
    meter
        .row("TcpStream::write_queued_vectored + flush", || {
            let (ours, theirs) = pairs.pair()?;
            prepared(drain(theirs), async move || {
                let halves = [&MESSAGE[..MESSAGE_BYTES / 2], &MESSAGE[MESSAGE_BYTES / 2..]];
                whole(ours.write_queued_vectored(halves).await, MESSAGE_BYTES)?;
                ours.flush().await
            })
        })
        .await
}
