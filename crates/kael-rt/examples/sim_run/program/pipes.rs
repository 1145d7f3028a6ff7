//! Pipes: writes and reads that are dropped and timed out at every stage, pools that are too small, either end gone early,
//! and no byte lost.

use super::{
    ask::{Ask, once, unless},
    frames::{Arrivals, frame},
    law,
};
use kael_rt::{
    Error,
    buf::BufferPool,
    io::{PipeReader, PipeWriter, pipe},
    time::{Duration, sleep},
};
use std::io;

const SALT: u8 = 9;
const EMFILE: i32 = 24;

pub(crate) async fn run(ask: Ask) {
    let (reader, writer) = loop {
        match pipe() {
            Ok(ends) => break ends,
            Err(error) => {
                law(error.raw_os_error() == Some(EMFILE), || format!("pipe: {error}"));
                sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let goes_early = ask.one_in(6);
    let reading = kael_rt::spawn(read_all(reader, ask.fork(), goes_early));
    let written = write_all(&writer, &ask).await;
    let is_broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    match written {
        Ok(()) => {}
        Err(error) => law(goes_early && is_broken(&error), || format!("write: {error}")),
    }
    if ask.one_in(2) {
        let closed = writer.close().await;
        // The error of a dropped write is told by the next, which this may be.
        let expected = closed.as_ref().err().is_none_or(|error| goes_early && is_broken(error));
        law(expected, || format!("close of a writer: {closed:?}"));
    } else {
        // What was dropped and is not finished yet goes with it; so it is finished first.
        let _ = writer.write_all("").await.0;
        drop(writer);
    }
    if let Err(error) = reading.await {
        law(false, || format!("the reader of a pipe ended early: {error}"));
    }
}

async fn write_all(writer: &PipeWriter, ask: &Ask) -> io::Result<()> {
    for number in 1..1 + ask.below(12) as u32 {
        let longest = 10 * kael_rt::sim_control::faults().stream_buffer;
        let frame = frame(SALT, number, ask.one_of(&[0, 1, 20, 400, 3_000]).min(longest));
        match ask.below(7) {
            0 => writer.write_all(frame).await.0.map(drop)?,
            // Dropped: it is there whole, or not at all.
            1 => {
                let _ = once(writer.write_all(frame)).await;
            }
            2 => {
                let _ = unless(writer.write_all(frame), ask.moment()).await;
            }
            3 => in_parts(writer, ask, frame).await?,
            4 => {
                let (head, body) = frame.split_at(3);
                let n = writer.write_vectored([head.to_vec(), body.to_vec()]).await.0?;
                writer.write_all(frame[n..].to_vec()).await.0?;
            }
            5 => {
                let rope: Vec<_> = frame.chunks(1 + frame.len() / 20).map(<[u8]>::to_vec).collect();
                writer.write_all_vectored(rope).await.0?;
            }
            _ => {
                let n = writer.write(frame.clone()).await.0?;
                writer.write_all(frame[n..].to_vec()).await.0?;
            }
        }
        if ask.one_in(3) {
            ask.pause().await;
        }
    }
    Ok(())
}

/// A write that runs out of time says how far it came, and the rest follows.
async fn in_parts(writer: &PipeWriter, ask: &Ask, frame: Vec<u8>) -> io::Result<()> {
    let mut rest = frame;
    while !rest.is_empty() {
        let (result, buf) = writer.write_all(rest).timeout(ask.moment()).await;
        match result {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let n = Error::of(&error).and_then(Error::transferred).unwrap_or(0);
                rest = buf[n..].to_vec();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn read_all(reader: PipeReader, ask: Ask, goes_early: bool) {
    let mut arrivals = Arrivals::new(SALT);
    let pool = BufferPool::new(ask.len(1, 6), ask.one_of(&[1, 16, 300]));
    let Ok(pool) = pool else { return law(false, || "a pool cannot be made".to_owned()) };
    let mut steps = ask.below(20);
    let ended = loop {
        if goes_early && steps == 0 {
            break Ok(false);
        }
        steps = steps.saturating_sub(1);
        match read_some(&reader, &ask, &mut arrivals, &pool).await {
            Ok(true) => {}
            ended => break ended,
        }
        if ask.one_in(4) {
            ask.pause().await;
        }
    };
    law(ended.is_ok(), || format!("read: {ended:?}"));
    if !goes_early {
        arrivals.end();
    }
    if ask.one_in(2) {
        let closed = reader.close().await;
        law(closed.is_ok(), || format!("close of a reader: {closed:?}"));
    }
}

/// One step of reading; false: the pipe is at its end.
async fn read_some(
    reader: &PipeReader,
    ask: &Ask,
    arrivals: &mut Arrivals,
    pool: &BufferPool,
) -> io::Result<bool> {
    let room = ask.one_of(&[1, 5, 100, 4_000]);
    let buf = || Vec::with_capacity(room);
    let (result, buf) = match ask.below(9) {
        0 => match once(reader.read(buf())).await {
            Some(done) => done,
            None => return Ok(true),
        },
        1 => match unless(reader.read(buf()), ask.moment()).await {
            Some(done) => done,
            None => return Ok(true),
        },
        2 => {
            let (result, buf) = reader.read(buf()).timeout(ask.moment()).await;
            match result {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(true),
                result => (result, buf),
            }
        }
        3 => {
            let (result, [one, two]) = reader.read_vectored([Vec::with_capacity(3), buf()]).await;
            (result, [one, two].concat())
        }
        4 => match unless(reader.read_pooled(pool), ask.moment()).await {
            None => return Ok(true),
            Some(piece) => return Ok(taken(arrivals, piece?)),
        },
        5..8 => return pieces(reader, ask, arrivals, pool).await,
        _ => reader.read(buf()).await,
    };
    let n = result?;
    law(n == buf.len(), || format!("L3: read {n} bytes into {}", buf.len()));
    arrivals.take(&buf);
    Ok(n > 0)
}

fn taken(arrivals: &mut Arrivals, piece: Option<kael_rt::buf::PoolBuf>) -> bool {
    let Some(piece) = piece else { return false };
    law(!piece.is_empty(), || "L3: a piece without bytes".to_owned());
    arrivals.take(&piece);
    true
}

/// Some pieces of a stream, which is dropped then with whatever it has got.
async fn pieces(
    reader: &PipeReader,
    ask: &Ask,
    arrivals: &mut Arrivals,
    pool: &BufferPool,
) -> io::Result<bool> {
    let mut pieces = reader.read_stream(pool);
    for _ in 0..ask.below(8) {
        let next = match ask.below(3) {
            0 => once(pieces.next()).await,
            1 => unless(pieces.next(), ask.moment()).await,
            _ => Some(pieces.next().await),
        };
        if let Some(piece) = next
            && !taken(arrivals, piece?)
        {
            return Ok(false);
        }
        if ask.one_in(5) {
            ask.pause().await;
        }
    }
    Ok(true)
}
