//! Each way to receive and to send the same bytes: what a MiB costs in system calls and in processor time of the core, by
//! the size of a message.

use super::tcp::{Pairs, Std};
use crate::fail::doing;
use cpu_time::ThreadTime;
use kael_rt::buf::BufferPool;
use kael_rt::net::TcpStream;
use kael_rt::runtime::Handle;
use kael_rt::time::{Duration, Instant};
use std::io::{self, Read, Write};
use std::mem::take;

pub(super) const MIB: f64 = 1024.0 * 1024.0;
/// What the other end sends before each round, and what is sent in a round. Any socket holds that much.
const BLOCK_BYTES: usize = 32 * 1024;
const MESSAGES: [usize; 3] = [64, 1024, 16 * 1024];
/// Rounds before any is counted.
const WARM_ROUNDS: usize = 4;

/// One way at one size.
pub(super) struct Cost {
    pub(super) way: &'static str,
    pub(super) message_bytes: usize,
    pub(super) calls_per_mib: f64,
    pub(super) cpu_us_per_mib: f64,
    /// How often a byte is copied between the socket and the program's buffer.
    pub(super) copies: f64,
}

impl Cost {
    pub(super) const COLUMNS: [&str; 5] =
        ["Way", "Message bytes", "System calls/MiB", "CPU µs/MiB", "Copies of a byte"];

    /// In the order of [`COLUMNS`](Self::COLUMNS).
    pub(super) fn cells(&self) -> [String; 5] {
        let Cost { way, message_bytes, calls_per_mib, cpu_us_per_mib, copies } = self;
        [
            (*way).to_owned(),
            message_bytes.to_string(),
            format!("{calls_per_mib:.1}"),
            format!("{cpu_us_per_mib:.0}"),
            format!("{copies:.2}"),
        ]
    }
}

#[derive(Clone, Copy)]
enum Way {
    Read,
    RecvPooled,
    RecvStream,
    WriteAll,
    WriteQueued,
    WriteVectored,
    SendZc,
}

const WAYS: [(Way, &str); 7] = [
    (Way::Read, "receive: TcpStream::read"),
    (Way::RecvPooled, "receive: TcpStream::recv_pooled"),
    (Way::RecvStream, "receive: TcpStream::recv_stream"),
    (Way::WriteAll, "send: TcpStream::write_all"),
    (Way::WriteQueued, "send: TcpStream::write_queued"),
    (Way::WriteVectored, "send: TcpStream::write_all_vectored, 16 at once"),
    (Way::SendZc, "send: TcpStream::send_zc"),
];

pub(super) const COUNT: u32 = (WAYS.len() * MESSAGES.len()) as u32;

/// Measures all of them, each for `time`.
pub(super) async fn measure(handle: &Handle, time: Duration) -> io::Result<Vec<Cost>> {
    let pairs = Pairs::new()?;
    let mut costs = Vec::new();
    for (way, name) in WAYS {
        for message in MESSAGES {
            let pool = BufferPool::new(64, message)?;
            let (ours, theirs) = pairs.pair()?;
            let (mut calls, mut cpu, mut bytes, mut rounds) = (0, Duration::ZERO, 0, 0);
            let mut end = OtherEnd::of(way, theirs);
            let mut stream = Some(ours.recv_stream(&pool));
            let copied = copied(handle);
            let until = Instant::now() + time;
            while rounds < 2 * WARM_ROUNDS || Instant::now() < until {
                end.prepare()?;
                let before = (handle.metrics().cores[0].syscalls, thread_cpu());
                match way {
                    Way::Read => receive(&ours, message).await,
                    Way::RecvPooled => receive_pooled(&ours, &pool).await,
                    Way::RecvStream => {
                        let pieces = stream.as_mut().expect("it stays");
                        let mut missing = BLOCK_BYTES;
                        while missing > 0 {
                            let piece =
                                pieces.next().await.map_err(doing(name))?.ok_or_else(ended)?;
                            missing -= piece.len();
                        }
                        Ok(())
                    }
                    _ => send(&ours, way, message, &pool).await,
                }
                .map_err(doing(name))?;
                rounds += 1;
                if rounds > WARM_ROUNDS {
                    cpu += thread_cpu() - before.1;
                    calls += handle.metrics().cores[0].syscalls - before.0;
                    bytes += BLOCK_BYTES;
                }
            }
            drop(stream.take());
            let copies = match way {
                Way::SendZc => copied_share(handle, copied),
                _ => 1.0,
            };
            costs.push(Cost {
                way: name,
                message_bytes: message,
                calls_per_mib: calls as f64 * MIB / bytes as f64,
                cpu_us_per_mib: cpu.as_secs_f64() * 1e6 * MIB / bytes as f64,
                copies,
            });
        }
    }
    Ok(costs)
}

fn ended() -> io::Error {
    io::Error::other("the stream ended")
}

/// The socket of the standard library at the other end.
enum OtherEnd {
    /// Sends a block before each round.
    Sends(Std),
    /// Takes what comes, on a thread of its own.
    Takes,
}

impl OtherEnd {
    fn of(way: Way, mut theirs: Std) -> OtherEnd {
        match way {
            Way::Read | Way::RecvPooled | Way::RecvStream => OtherEnd::Sends(theirs),
            _ => {
                std::thread::spawn(move || {
                    let mut buf = vec![0; BLOCK_BYTES];
                    while theirs.read(&mut buf).is_ok_and(|n| n > 0) {}
                });
                OtherEnd::Takes
            }
        }
    }

    fn prepare(&mut self) -> io::Result<()> {
        match self {
            OtherEnd::Sends(theirs) => theirs.write_all(&[1; BLOCK_BYTES]),
            OtherEnd::Takes => Ok(()),
        }
    }
}

async fn receive(stream: &TcpStream, message: usize) -> io::Result<()> {
    let (mut buf, mut missing) = (Vec::with_capacity(message), BLOCK_BYTES);
    while missing > 0 {
        let (n, back) = stream.read(take(&mut buf)).await;
        buf = back;
        missing -= n?;
    }
    Ok(())
}

async fn receive_pooled(stream: &TcpStream, pool: &BufferPool) -> io::Result<()> {
    let mut missing = BLOCK_BYTES;
    while missing > 0 {
        missing -= stream.recv_pooled(pool).await?.ok_or_else(ended)?.len();
    }
    Ok(())
}

async fn send(stream: &TcpStream, way: Way, message: usize, pool: &BufferPool) -> io::Result<()> {
    let filled = async || {
        let mut buf = pool.get().await;
        buf.put(&[1; BLOCK_BYTES]);
        buf
    };
    let mut missing = BLOCK_BYTES;
    while missing > 0 {
        missing -= match way {
            Way::WriteQueued => stream.write_queued(filled().await).await?,
            Way::WriteVectored => {
                let mut bufs = Vec::with_capacity(16);
                while bufs.len() < 16 && (bufs.len() + 1) * message <= missing {
                    bufs.push(filled().await);
                }
                stream.write_all_vectored(bufs).await.0?
            }
            Way::SendZc => stream.send_zc(filled().await).await.0?.min(missing),
            _ => stream.write_all(filled().await).await.0?,
        };
    }
    stream.flush().await
}

/// Zero-copy sends so far, and how many of them the kernel copied.
fn copied(handle: &Handle) -> (u64, u64) {
    let core = &handle.metrics().cores[0];
    (core.zero_copy_sends, core.zero_copy_copied)
}

fn copied_share(handle: &Handle, before: (u64, u64)) -> f64 {
    let now = copied(handle);
    (now.1 - before.1) as f64 / (now.0 - before.0).max(1) as f64
}

pub(super) fn thread_cpu() -> Duration {
    ThreadTime::now().as_duration()
}
