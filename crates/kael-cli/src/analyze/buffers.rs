//! The rows of buffer pools.

use super::files::{BLOCK_BYTES, Walk, cached_file, whole};
use super::meter::{MANY, Meter, plain, prepared};
use super::scratch::ScratchDir;
use super::tcp::{MESSAGE_BYTES, Pairs};
use kael_rt::buf::BufferPool;
use std::io::{self, Write};

const PIECES: usize = 64;
const AHEAD: usize = 16;

pub(super) async fn measure(meter: &mut Meter, dir: &ScratchDir) -> io::Result<()> {
    let pool = BufferPool::new(2 * MANY, BLOCK_BYTES)?;
    get(meter, &pool).await?;
    files(meter, dir, &pool).await?;
    receives(meter).await
}

async fn get(meter: &mut Meter, pool: &BufferPool) -> io::Result<()> {
    meter
        .row("BufferPool::get", || {
            let pool = pool.clone();
            plain(async move || {
                drop(pool.get().await);
                Ok(())
            })
        })
        .await
}

async fn files(meter: &mut Meter, dir: &ScratchDir, pool: &BufferPool) -> io::Result<()> {
    let file = cached_file(dir).await?;
    meter
        .row("File::read_at (BufferPool)", || {
            let (file, pool, mut walk) = (file.clone(), pool.clone(), Walk::new());
            plain(async move || {
                whole(file.read_at(pool.get().await, walk.next()).await.0, BLOCK_BYTES)
            })
        })
        .await?;
    meter
        .row("File::write_at (BufferPool)", || {
            let (file, pool, mut walk) = (file.clone(), pool.clone(), Walk::new());
            plain(async move || {
                let mut buf = pool.get().await;
                buf.put(&[5; BLOCK_BYTES]);
                whole(file.write_at(buf, walk.next()).await.0, BLOCK_BYTES)
            })
        })
        .await?;
    // Each is a whole stream: 16 pieces ahead, 64 in all.
    let pool = BufferPool::new(MANY * AHEAD, BLOCK_BYTES)?;
    meter
        .row("File::read_stream (64 x 4 KiB)", || {
            let (file, pool) = (file.clone(), pool.clone());
            plain(async move || {
                let end = (PIECES * BLOCK_BYTES) as u64;
                let mut pieces = file.read_stream(&pool, ..end).depth(AHEAD);
                let mut bytes = 0;
                while let Some(piece) = pieces.next().await? {
                    bytes += piece.len();
                }
                whole(Ok(bytes), PIECES * BLOCK_BYTES)
            })
        })
        .await
}

/// Before each run the other end has sent a message.
async fn receives(meter: &mut Meter) -> io::Result<()> {
    let pool = BufferPool::new(4 * MANY, 1024)?;
    let pairs = Pairs::new()?;
    let message = [1; MESSAGE_BYTES];
    let ended = || io::Error::other("the stream ended");
    meter
        .row("TcpStream::recv_pooled", || {
            let (ours, mut theirs) = pairs.pair()?;
            let pool = pool.clone();
            prepared(
                move || theirs.write_all(&message),
                async move || {
                    let piece = ours.recv_pooled(&pool).await?.ok_or_else(ended)?;
                    whole(Ok(piece.len()), MESSAGE_BYTES)
                },
            )
        })
        .await?;
    meter
        .row("RecvStream::next", || {
            let (ours, mut theirs) = pairs.pair()?;
            let mut pieces = ours.recv_stream(&pool);
            prepared(
                move || theirs.write_all(&message),
                async move || {
                    let piece = pieces.next().await?.ok_or_else(ended)?;
                    whole(Ok(piece.len()), MESSAGE_BYTES)
                },
            )
        })
        .await
}
