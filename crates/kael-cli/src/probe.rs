//! `kael probe` (hidden): a fixed number of rounds of one operation, and the system calls that the runtime counted for
//! the whole of its life. The tests compare them with what strace saw of the same process.

use crate::fail::Fail;
use kael_rt::fs::File;
use kael_rt::net::TcpStream;
use kael_rt::runtime::Builder;
use kael_rt::time::{self, Duration};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(value_enum)]
    what: What,
    #[arg(long)]
    rounds: u64,
    /// The echo server of `tcp` and `queued`; in another process, so that its calls are not seen here.
    #[arg(long)]
    peer: Option<SocketAddr>,
    /// The file of `read1` and `read64`, of at least 4 KiB.
    #[arg(long)]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    Tcp,
    /// As `tcp`, with queued writes.
    Queued,
    Read1,
    Read64,
    Sleep,
}

const BLOCK_BYTES: usize = 4096;
const NAP: Duration = Duration::from_micros(200);

pub(crate) fn run(options: &Options) -> Result<(), Fail> {
    let runtime = Builder::new().build()?;
    let rounds = options.rounds;
    runtime.block_on(async {
        match options.what {
            What::Tcp => ping_pong(options.peer, rounds).await,
            What::Queued => queued_ping_pong(options.peer, rounds).await,
            What::Read1 => reads(options.file.as_ref(), rounds, 1).await,
            What::Read64 => reads(options.file.as_ref(), rounds, 64).await,
            What::Sleep => {
                for _ in 0..rounds {
                    time::sleep(NAP).await;
                }
                Ok(())
            }
        }
    })?;
    let core = &runtime.handle().metrics().cores[0];
    println!(
        "{}",
        serde_json::json!({ "rounds": rounds, "syscalls": core.syscalls, "submitted": core.submitted })
    );
    Ok(())
}

fn missing(option: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{option} is missing"))
}

async fn ping_pong(peer: Option<SocketAddr>, rounds: u64) -> io::Result<()> {
    let stream = TcpStream::connect(peer.ok_or_else(|| missing("--peer"))?).await?;
    stream.set_nodelay(true)?;
    // Room to spare: a read that does not fill it has learnt that no more is there.
    let (mut out, mut back) = (vec![1; 64], Vec::with_capacity(128));
    for _ in 0..rounds {
        let (result, buf) = stream.write_all(out).await;
        result?;
        out = buf;
        let (result, buf) = stream.read(back).await;
        whole(result?)?;
        back = buf;
    }
    Ok(())
}

/// Over the loopback an answer comes in one piece.
fn whole(len: usize) -> io::Result<()> {
    if len == 64 { Ok(()) } else { Err(io::Error::other(format!("an answer of {len} bytes"))) }
}

async fn queued_ping_pong(peer: Option<SocketAddr>, rounds: u64) -> io::Result<()> {
    let stream = TcpStream::connect(peer.ok_or_else(|| missing("--peer"))?).await?;
    stream.set_nodelay(true)?;
    let mut back = Vec::with_capacity(128);
    for _ in 0..rounds {
        stream.write_queued(&[1; 64][..]).await?;
        let (result, buf) = stream.read(back).await;
        whole(result?)?;
        back = buf;
    }
    Ok(())
}

/// Reads of one cached block, `rounds` in all, so many in flight.
async fn reads(file: Option<&PathBuf>, rounds: u64, in_flight: u64) -> io::Result<()> {
    let file = Rc::new(File::open(file.ok_or_else(|| missing("--file"))?).await?);
    let tasks: Vec<_> = (0..in_flight)
        .map(|first| {
            let file = file.clone();
            kael_rt::spawn(async move {
                let mut buf = vec![0; BLOCK_BYTES];
                for _ in (first..rounds).step_by(in_flight as usize) {
                    let (result, back) = file.read_exact_at(buf, 0).await;
                    result?;
                    buf = back;
                }
                Ok::<_, io::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(io::Error::other)??;
    }
    Ok(())
}
