//! From one descriptor to another: the rows of `send_file` and `copy_bidirectional`, and what a MiB costs by each way to
//! do the same.

use super::files::whole;
use super::meter::{Meter, prepared};
use super::scratch::ScratchDir;
use super::tcp::{MESSAGE_BYTES, Pairs, Std};
use super::ways::{Cost, MIB, thread_cpu};
use crate::fail::doing;
use kael_rt::buf::BufferPool;
use kael_rt::fs::File;
use kael_rt::io::{copy_bidirectional, send_file};
use kael_rt::net::TcpStream;
use kael_rt::runtime::Handle;
use kael_rt::time::{Duration, Instant};
use std::io::{self, Read, Write};
use std::mem::take;
use std::rc::Rc;

/// What one row sends: any socket holds that much.
const PART_BYTES: usize = 32 * 1024;
/// The file, and what is moved in a round.
const FILE_BYTES: usize = 1024 * 1024;
/// What is read or sent at once by the ways that copy.
const BLOCK_BYTES: usize = 64 * 1024;
/// Rounds before any is counted.
const WARM_ROUNDS: usize = 4;

async fn cached_file(dir: &ScratchDir) -> io::Result<Rc<File>> {
    let path = dir.path("bytes");
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(&path).await?;
    file.write_all_at(vec![7; FILE_BYTES], 0).await.0?;
    Ok(Rc::new(file))
}

pub(super) async fn measure(meter: &mut Meter, dir: &ScratchDir) -> io::Result<()> {
    let (pairs, file) = (Pairs::new()?, cached_file(dir).await?);
    meter
        .row("io::send_file (32 KiB)", || {
            let (ours, mut theirs) = pairs.pair()?;
            let (file, mut sent, mut bytes) = (file.clone(), 0, vec![0; PART_BYTES]);
            prepared(
                move || {
                    theirs.read_exact(&mut bytes[..sent])?;
                    sent = PART_BYTES;
                    Ok(())
                },
                async move || {
                    let sent = send_file(&file, 0..PART_BYTES as u64, &ours).await?;
                    whole(Ok(sent as usize), PART_BYTES)
                },
            )
        })
        .await?;
    meter
        .row("io::copy_bidirectional (a message)", || {
            let ((a, mut sender), (b, receiver)) = (pairs.pair()?, pairs.std_pair()?);
            let (b, receiver) = (TcpStream::from_std(b)?, TcpStream::from_std(receiver)?);
            kael_rt::spawn(async move {
                let _ = copy_bidirectional(&a, &b).await;
            });
            let mut buf = vec![0; MESSAGE_BYTES];
            prepared(
                move || sender.write_all(&[1; MESSAGE_BYTES]),
                async move || {
                    let (n, back) = receiver.read_exact(take(&mut buf)).await;
                    buf = back;
                    whole(n, MESSAGE_BYTES)
                },
            )
        })
        .await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    FileByVec,
    FileByPool,
    SendFile,
    StreamByVec,
    StreamByPool,
    Copy,
}

const WAYS: [(Way, &str); 6] = [
    (Way::FileByVec, "file to stream: read_at and write_all, a Vec"),
    (Way::FileByPool, "file to stream: read_at and write_all, a buffer of a pool"),
    (Way::SendFile, "file to stream: send_file"),
    (Way::StreamByVec, "stream to stream: read and write_all, a Vec"),
    (Way::StreamByPool, "stream to stream: recv_pooled and write_queued"),
    (Way::Copy, "stream to stream: copy_bidirectional"),
];

pub(super) const COUNT: u32 = WAYS.len() as u32;

/// Measures all of them, each for `time`.
pub(super) async fn ways(
    handle: &Handle,
    dir: &ScratchDir,
    time: Duration,
) -> io::Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for (way, name) in WAYS {
        let before = spliced_bytes(handle);
        let (calls, cpu, bytes) = match way {
            Way::FileByVec | Way::FileByPool | Way::SendFile => files(handle, dir, way, time).await,
            _ => streams(handle, way, time).await,
        }
        .map_err(doing(name))?;
        let spliced = spliced_bytes(handle) > before;
        costs.push(Cost {
            way: name,
            message_bytes: if spliced { FILE_BYTES } else { BLOCK_BYTES },
            calls_per_mib: calls as f64 * MIB / bytes as f64,
            cpu_us_per_mib: cpu.as_secs_f64() * 1e6 * MIB / bytes as f64,
            copies: if spliced { 0.0 } else { 2.0 },
        });
    }
    Ok(costs)
}

/// Bytes that this core has moved without a copy.
fn spliced_bytes(handle: &Handle) -> u64 {
    handle.metrics().cores[0].spliced_bytes
}

/// Reads and forgets what comes, on a thread of its own.
fn take_all(mut theirs: Std) {
    std::thread::spawn(move || {
        let mut buf = vec![0; 4 * BLOCK_BYTES];
        while theirs.read(&mut buf).is_ok_and(|n| n > 0) {}
    });
}

async fn files(
    handle: &Handle,
    dir: &ScratchDir,
    way: Way,
    time: Duration,
) -> io::Result<(u64, Duration, usize)> {
    let (file, (ours, theirs)) = (cached_file(dir).await?, Pairs::new()?.pair()?);
    take_all(theirs);
    let pool = BufferPool::new(2, BLOCK_BYTES)?;
    let mut buf = Vec::with_capacity(BLOCK_BYTES);
    let (mut calls, mut cpu, mut rounds) = (0, Duration::ZERO, 0);
    let until = Instant::now() + time;
    while rounds < 2 * WARM_ROUNDS || Instant::now() < until {
        let before = (handle.metrics().cores[0].syscalls, thread_cpu());
        match way {
            Way::SendFile => {
                send_file(&file, 0..FILE_BYTES as u64, &ours).await?;
            }
            Way::FileByPool => {
                for at in (0..FILE_BYTES).step_by(BLOCK_BYTES) {
                    let (n, buf) = file.read_at(pool.get().await, at as u64).await;
                    n?;
                    ours.write_all(buf).await.0?;
                }
            }
            _ => {
                for at in (0..FILE_BYTES).step_by(BLOCK_BYTES) {
                    let (n, back) = file.read_at(take(&mut buf), at as u64).await;
                    n?;
                    let (n, back) = ours.write_all(back).await;
                    n?;
                    buf = back;
                }
            }
        }
        rounds += 1;
        if rounds > WARM_ROUNDS {
            cpu += thread_cpu() - before.1;
            calls += handle.metrics().cores[0].syscalls - before.0;
        }
    }
    Ok((calls, cpu, (rounds - WARM_ROUNDS) * FILE_BYTES))
}

/// A thread sends as fast as it can, and another one takes it; what lies between is measured until the time is over.
async fn streams(handle: &Handle, way: Way, time: Duration) -> io::Result<(u64, Duration, usize)> {
    let pairs = Pairs::new()?;
    let ((from, mut sender), (to, receiver)) = (pairs.pair()?, pairs.pair()?);
    take_all(receiver);
    let until = std::time::Instant::now() + time;
    std::thread::spawn(move || {
        let block = vec![1; 4 * BLOCK_BYTES];
        while std::time::Instant::now() < until && sender.write_all(&block).is_ok() {}
    });
    let pool = BufferPool::new(16, BLOCK_BYTES)?;
    let before = (handle.metrics().cores[0].syscalls, thread_cpu());
    let mut bytes = 0;
    match way {
        // The one who takes ends when it sees the end, and so both directions do.
        Way::Copy => bytes = copy_bidirectional(&from, &to).await?.0 as usize,
        Way::StreamByPool => {
            while let Some(piece) = from.recv_pooled(&pool).await? {
                bytes += piece.len();
                to.write_queued(piece).await?;
            }
        }
        _ => {
            let mut buf = Vec::with_capacity(BLOCK_BYTES);
            loop {
                let (n, back) = from.read(take(&mut buf)).await;
                match n? {
                    0 => break,
                    n => bytes += n,
                }
                let (n, back) = to.write_all(back).await;
                n?;
                buf = back;
            }
        }
    }
    let calls = handle.metrics().cores[0].syscalls - before.0;
    Ok((calls, thread_cpu() - before.1, bytes.max(1)))
}
