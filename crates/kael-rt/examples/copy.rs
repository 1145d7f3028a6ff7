//! A file copier that keeps 64 reads in flight: 64 workers take the next part, read it, write it, until none is left.
//!
//! `copy FROM TO` copies. Without arguments it makes a file of 64 MiB, copies it, compares, and removes both.

use kael_rt::buf::IoBuf;
use kael_rt::fs::{self, File};
use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;

const IN_FLIGHT: usize = 64;
const PART_BYTES: usize = 128 * 1024;

#[kael_rt::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [from, to] => {
            let bytes = copy(from, to).await?;
            println!("{bytes} bytes copied");
            Ok(())
        }
        [] => demonstrate().await,
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: copy FROM TO")),
    }
}

/// Copies a file, and says how many bytes it had.
async fn copy(from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<u64> {
    let source = Rc::new(File::open(from).await?);
    let target = Rc::new(File::create(to).await?);
    let len = source.metadata().await?.len();
    // Room for all of it now, so that a full disk shows before the work is done.
    if len > 0 {
        target.allocate(0, len).await?;
    }
    let next = Rc::new(Cell::new(0));
    let workers: Vec<_> = (0..IN_FLIGHT)
        .map(|_| kael_rt::spawn(work(source.clone(), target.clone(), next.clone(), len)))
        .collect();
    for worker in workers {
        worker.await.map_err(io::Error::other)??;
    }
    target.sync_all().await?;
    Ok(len)
}

/// Copies parts until none is left. The buffer is the worker's own and goes round.
async fn work(source: Rc<File>, target: Rc<File>, next: Rc<Cell<u64>>, len: u64) -> io::Result<()> {
    let mut buf = vec![0; PART_BYTES];
    loop {
        let at = next.get();
        if at >= len {
            return Ok(());
        }
        // At most a part, so it fits; no other worker runs between the two lines.
        let want = (len - at).min(PART_BYTES as u64) as usize;
        next.set(at + want as u64);
        let (result, part) = source.read_exact_at(buf.slice(..want), at).await;
        result?;
        let (result, part) = target.write_all_at(part, at).await;
        result?;
        buf = part.into_inner();
    }
}

async fn demonstrate() -> io::Result<()> {
    let directory = std::env::temp_dir();
    let from = directory.join(format!("kael-copy-from-{}", std::process::id()));
    let to = directory.join(format!("kael-copy-to-{}", std::process::id()));
    let outcome = copy_and_compare(&from, &to).await;
    for path in [&from, &to] {
        match fs::remove_file(path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    outcome
}

async fn copy_and_compare(from: &Path, to: &Path) -> io::Result<()> {
    // Not a whole number of parts, and no two parts alike.
    let content: Vec<u8> = (0..64 * 1024 * 1024 + 4321u32).map(|i| (i ^ (i >> 11)) as u8).collect();
    fs::write(from, content.clone()).await?;
    let start = kael_rt::time::Instant::now();
    let bytes = copy(from, to).await?;
    let time = start.elapsed();
    assert_eq!(bytes, content.len() as u64);
    assert!(fs::read(to).await? == content, "the copy differs");
    println!("{bytes} bytes copied in {time:.1?}, {IN_FLIGHT} parts at a time; the copy is equal");
    Ok(())
}
