//! The rows of files and paths. All of them work on one small cached file, and on names beside it.

use super::meter::{Meter, plain};
use super::scratch::ScratchDir;
use kael_rt::buf::IoBuf;
use kael_rt::fs::{self, File};
use kael_rt::ops::link;
use std::io;
use std::mem::take;
use std::path::Path;
use std::rc::Rc;

pub(crate) const BLOCK_BYTES: usize = 4096;
const BLOCKS: u64 = 256;

pub(crate) async fn measure(meter: &mut Meter, dir: &ScratchDir) -> io::Result<()> {
    let path = dir.path("blocks");
    let file = cached_file(dir).await?;
    reads(meter, &file).await?;
    writes(meter, &file).await?;
    links(meter, &file).await?;
    changes(meter, &file).await?;
    opens(meter, &path, &dir.path("created")).await?;
    paths(meter, dir, &path).await
}

/// A file of 1 MiB that is in the page cache.
pub(crate) async fn cached_file(dir: &ScratchDir) -> io::Result<Rc<File>> {
    let path = dir.path("blocks");
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(&path).await?;
    file.write_all_at(vec![7; BLOCK_BYTES * BLOCKS as usize], 0).await.0?;
    Ok(Rc::new(file))
}

/// Walks over the blocks in an order that no read-ahead guesses.
pub(crate) struct Walk(u64);

impl Walk {
    pub(crate) fn new() -> Walk {
        Walk(0)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = (self.0 + 97) % BLOCKS;
        self.0 * BLOCK_BYTES as u64
    }
}

/// A short transfer would make the row say something else than it should.
pub(crate) fn whole(result: io::Result<usize>, expected: usize) -> io::Result<()> {
    match result? {
        n if n == expected => Ok(()),
        n => Err(io::Error::other(format!("{n} bytes instead of {expected}"))),
    }
}

async fn reads(meter: &mut Meter, file: &Rc<File>) -> io::Result<()> {
    meter
        .row("File::read_at", || {
            let (file, mut walk, mut buf) =
                (file.clone(), Walk::new(), Vec::with_capacity(BLOCK_BYTES));
            plain(async move || {
                let (result, back) = file.read_at(take(&mut buf), walk.next()).await;
                buf = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await?;
    meter
        .row("File::read_exact_at", || {
            let (file, mut walk, mut buf) = (file.clone(), Walk::new(), vec![0; BLOCK_BYTES]);
            plain(async move || {
                let (result, back) = file.read_exact_at(take(&mut buf), walk.next()).await;
                buf = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await?;
    meter
        .row("File::read_vectored_at", || {
            let (file, mut walk) = (file.clone(), Walk::new());
            let mut bufs =
                vec![Vec::with_capacity(BLOCK_BYTES / 2), Vec::with_capacity(BLOCK_BYTES / 2)];
            plain(async move || {
                let (result, back) = file.read_vectored_at(take(&mut bufs), walk.next()).await;
                bufs = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await
}

async fn writes(meter: &mut Meter, file: &Rc<File>) -> io::Result<()> {
    meter
        .row("File::write_at", || {
            let (file, mut walk, mut buf) = (file.clone(), Walk::new(), vec![1; BLOCK_BYTES]);
            plain(async move || {
                let (result, back) = file.write_at(take(&mut buf), walk.next()).await;
                buf = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await?;
    meter
        .row("File::write_all_at", || {
            let (file, mut walk, mut buf) = (file.clone(), Walk::new(), vec![2; BLOCK_BYTES]);
            plain(async move || {
                let (result, back) = file.write_all_at(take(&mut buf), walk.next()).await;
                buf = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await?;
    meter
        .row("File::write_vectored_at", || {
            let (file, mut walk) = (file.clone(), Walk::new());
            let mut bufs = vec![vec![3; BLOCK_BYTES / 2], vec![4; BLOCK_BYTES / 2]];
            plain(async move || {
                let (result, back) = file.write_vectored_at(take(&mut bufs), walk.next()).await;
                bufs = back;
                whole(result, BLOCK_BYTES)
            })
        })
        .await
}

async fn links(meter: &mut Meter, file: &Rc<File>) -> io::Result<()> {
    meter
        .row("ops::link (a write and a read)", || {
            let (file, mut walk) = (file.clone(), Walk::new());
            let (mut from, mut into) = (vec![6; BLOCK_BYTES], Vec::with_capacity(BLOCK_BYTES));
            plain(async move || {
                let at = walk.next();
                let operations =
                    (file.write_at(take(&mut from), at), file.read_at(take(&mut into), at));
                let ((wrote, from_back), (read, into_back)) = link(operations).await.results;
                (from, into) = (from_back, into_back);
                whole(wrote, BLOCK_BYTES)?;
                whole(read, BLOCK_BYTES)
            })
        })
        .await
}

async fn changes(meter: &mut Meter, file: &Rc<File>) -> io::Result<()> {
    let len = BLOCK_BYTES as u64 * BLOCKS;
    meter
        .row("File::sync_all", || {
            let file = file.clone();
            plain(async move || file.sync_all().await)
        })
        .await?;
    meter
        .row("File::sync_data", || {
            let file = file.clone();
            plain(async move || file.sync_data().await)
        })
        .await?;
    meter
        .row("File::metadata", || {
            let file = file.clone();
            plain(async move || file.metadata().await.map(drop))
        })
        .await?;
    meter
        .row("File::set_len", || {
            let file = file.clone();
            plain(async move || file.set_len(len).await)
        })
        .await?;
    meter
        .row("File::allocate", || {
            let file = file.clone();
            plain(async move || file.allocate(0, len).await)
        })
        .await
}

async fn opens(meter: &mut Meter, existing: &Path, created: &Path) -> io::Result<()> {
    meter
        .row("File::open + close", || {
            let path = existing.to_owned();
            plain(async move || File::open(&path).await?.close().await)
        })
        .await?;
    meter
        .row("File::create + close", || {
            let path = created.to_owned();
            plain(async move || File::create(&path).await?.close().await)
        })
        .await
}

async fn paths(meter: &mut Meter, dir: &ScratchDir, existing: &Path) -> io::Result<()> {
    meter
        .row("fs::metadata", || {
            let path = existing.to_owned();
            plain(async move || fs::metadata(&path).await.map(drop))
        })
        .await?;
    meter
        .row("fs::symlink_metadata", || {
            let path = existing.to_owned();
            plain(async move || fs::symlink_metadata(&path).await.map(drop))
        })
        .await?;
    meter
        .row("fs::create_dir + remove_dir", || {
            let path = dir.fresh_path();
            plain(async move || {
                fs::create_dir(&path).await?;
                fs::remove_dir(&path).await
            })
        })
        .await?;
    meter
        .row("fs::rename", || {
            let (mut from, mut to) = (dir.fresh_path(), dir.fresh_path());
            std::fs::write(&from, "")?;
            plain(async move || {
                fs::rename(&from, &to).await?;
                std::mem::swap(&mut from, &mut to);
                Ok(())
            })
        })
        .await?;
    meter
        .row("fs::write + remove_file", || {
            let path = dir.fresh_path();
            plain(async move || {
                fs::write(&path, "a line of text").await?;
                fs::remove_file(&path).await
            })
        })
        .await?;
    let text = dir.path("text");
    fs::write(&text, "x".repeat(BLOCK_BYTES)).await?;
    meter
        .row("fs::read", || {
            let path = text.clone();
            plain(async move || whole(fs::read(&path).await.map(|bytes| bytes.len()), BLOCK_BYTES))
        })
        .await?;
    meter
        .row("fs::read_to_string", || {
            let path = text.clone();
            plain(async move || {
                whole(fs::read_to_string(&path).await.map(|text| text.len()), BLOCK_BYTES)
            })
        })
        .await
}

/// A buffer of one block whose memory is aligned to a page, for direct I/O.
pub(crate) fn aligned_block() -> kael_rt::buf::Slice<Vec<u8>> {
    let buf = vec![0; 2 * BLOCK_BYTES];
    // An address can always be aligned within a block; the vector's memory stays where it is.
    let start = buf.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
    buf.slice(start..start + BLOCK_BYTES)
}
