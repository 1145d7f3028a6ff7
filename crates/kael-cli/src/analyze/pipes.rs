//! The rows of pipes. Each is of both ends, so that it is the same program on each system.

use super::files::whole;
use super::meter::{MANY, Meter, plain, prepared};
use super::tcp::MESSAGE_BYTES;
use kael_rt::buf::BufferPool;
use kael_rt::io::{PipeReader, PipeWriter, pipe};
use std::cell::Cell;
use std::io;
use std::mem::take;
use std::rc::Rc;

pub(super) async fn measure(meter: &mut Meter) -> io::Result<()> {
    meter
        .row("io::pipe", || {
            plain(async || {
                pipe()?;
                Ok(())
            })
        })
        .await?;
    plain_buffers(meter).await?;
    several_buffers(meter).await?;
    pooled(meter).await?;
    meter
        .row("PipeWriter::close + PipeReader::close", || {
            let next: Rc<Cell<Option<(PipeReader, PipeWriter)>>> = Rc::default();
            let ends = next.clone();
            prepared(
                move || {
                    next.set(Some(pipe()?));
                    Ok(())
                },
                async move || {
                    let (reader, writer) = ends.take().expect("it was made ready");
                    writer.close().await?;
                    reader.close().await
                },
            )
        })
        .await
}

async fn plain_buffers(meter: &mut Meter) -> io::Result<()> {
    meter
        .row("PipeWriter::write + PipeReader::read", || {
            let (reader, writer) = pipe()?;
            let (mut from, mut into) = (vec![1; MESSAGE_BYTES], Vec::with_capacity(MESSAGE_BYTES));
            plain(async move || {
                let (n, back) = writer.write(take(&mut from)).await;
                (from, _) = (back, n?);
                let (n, back) = reader.read(take(&mut into)).await;
                into = back;
                whole(n, MESSAGE_BYTES)
            })
        })
        .await?;
    meter
        .row("PipeWriter::write_all + PipeReader::read_exact", || {
            let (reader, writer) = pipe()?;
            let (mut from, mut into) = (vec![1; MESSAGE_BYTES], vec![0; MESSAGE_BYTES]);
            plain(async move || {
                let (n, back) = writer.write_all(take(&mut from)).await;
                (from, _) = (back, n?);
                let (n, back) = reader.read_exact(take(&mut into)).await;
                into = back;
                whole(n, MESSAGE_BYTES)
            })
        })
        .await
}

/// Each call moves the message: where only the first buffer counts, it is the whole of it.
async fn several_buffers(meter: &mut Meter) -> io::Result<()> {
    meter
        .row("PipeWriter::write_vectored + PipeReader::read_vectored", || {
            let (reader, writer) = pipe()?;
            let mut from = Some([vec![1; MESSAGE_BYTES], Vec::new()]);
            let mut into = Some([Vec::with_capacity(MESSAGE_BYTES), Vec::new()]);
            plain(async move || {
                let (n, back) = writer.write_vectored(from.take().expect("it came back")).await;
                (from, _) = (Some(back), n?);
                let (n, back) = reader.read_vectored(into.take().expect("it came back")).await;
                into = Some(back);
                whole(n, MESSAGE_BYTES)
            })
        })
        .await?;
    meter
        .row("PipeWriter::write_all_vectored + PipeReader::read_exact", || {
            let (reader, writer) = pipe()?;
            let mut from = Some([vec![1; MESSAGE_BYTES / 2], vec![2; MESSAGE_BYTES / 2]]);
            let mut into = vec![0; MESSAGE_BYTES];
            plain(async move || {
                let (n, back) = writer.write_all_vectored(from.take().expect("it came back")).await;
                (from, _) = (Some(back), n?);
                let (n, back) = reader.read_exact(take(&mut into)).await;
                into = back;
                whole(n, MESSAGE_BYTES)
            })
        })
        .await
}

async fn pooled(meter: &mut Meter) -> io::Result<()> {
    let pool = BufferPool::new(4 * MANY, 1024)?;
    let ended = || io::Error::other("the pipe ended");
    meter
        .row("PipeWriter::write + PipeReader::read_pooled", || {
            let ((reader, writer), pool) = (pipe()?, pool.clone());
            let mut from = vec![1; MESSAGE_BYTES];
            plain(async move || {
                let (n, back) = writer.write(take(&mut from)).await;
                (from, _) = (back, n?);
                let piece = reader.read_pooled(&pool).await?.ok_or_else(ended)?;
                whole(Ok(piece.len()), MESSAGE_BYTES)
            })
        })
        .await?;
    meter
        .row("PipeWriter::write + RecvStream::next", || {
            let (reader, writer) = pipe()?;
            let mut pieces = reader.read_stream(&pool);
            let mut from = vec![1; MESSAGE_BYTES];
            plain(async move || {
                let (n, back) = writer.write(take(&mut from)).await;
                (from, _) = (back, n?);
                let piece = pieces.next().await?.ok_or_else(ended)?;
                whole(Ok(piece.len()), MESSAGE_BYTES)
            })
        })
        .await
}
