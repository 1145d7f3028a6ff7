//! `kael echo`: a TCP server that sends back what it receives, until a signal ends it.

use crate::cores::Cores;
use crate::fail::Fail;
use crate::{interrupt, limits};
use kael_rt::CancelToken;
use kael_rt::buf::BufferPool;
use kael_rt::net::{TcpListener, TcpStream};
use std::cell::Cell;
use std::io;
use std::rc::Rc;

/// Serve TCP: send back what is received, until SIGINT or SIGTERM
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The address to listen at, for example 127.0.0.1:7000; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    listen: String,
    #[command(flatten)]
    cores: Cores,
}

/// The pool of a core's connections: 16 MiB.
const BUFFERS: usize = 1024;
const BUFFER_BYTES: usize = 16 * 1024;

pub(crate) fn run(options: &Options) -> Result<(), Fail> {
    let stop = CancelToken::new();
    let stopped = stop.clone();
    interrupt::on_signal(move |_| stopped.cancel())?;
    limits::raise_descriptors(u64::MAX);
    // The runtime's end cancels what the connections wait for, and closes them.
    let served = options.cores.serve(&options.listen, move |_, listener| {
        let stop = stop.clone();
        async move { Ok(serve(listener, &stop).await?.sums()) }
    })?;
    let sum = |of: usize| served.iter().map(|sums| sums[of]).sum::<u64>();
    eprintln!(
        "served {} connections, {} bytes; {} open at the end, {} ended with an error, {} times nothing could be accepted",
        sum(0),
        sum(1),
        sum(2),
        sum(3),
        sum(4)
    );
    if served.len() > 1 {
        let of_cores: Vec<_> = served.iter().map(|sums| sums[0].to_string()).collect();
        eprintln!("connections of each core: {}", of_cores.join(", "));
    }
    Ok(())
}

/// What one core has served.
#[derive(Default)]
struct Served {
    connections: Cell<u64>,
    open: Cell<u64>,
    bytes: Cell<u64>,
    errors: Cell<u64>,
    /// Times that accepting had to stop, for want of descriptors as a rule.
    starved: Cell<u64>,
}

impl Served {
    /// The counters, in the order of the report.
    fn sums(&self) -> [u64; 5] {
        [&self.connections, &self.bytes, &self.open, &self.errors, &self.starved].map(Cell::get)
    }
}

fn add(counter: &Cell<u64>, n: u64) {
    counter.set(counter.get() + n);
}

async fn serve(listener: TcpListener, stop: &CancelToken) -> io::Result<Rc<Served>> {
    let pool = BufferPool::new(BUFFERS, BUFFER_BYTES)?;
    let served = Rc::new(Served::default());
    let mut starved = false;
    loop {
        match listener.accept().cancel_on(stop).await {
            Ok((stream, _peer)) => {
                // At the limit it may go to and fro with each connection, so only the first time is told.
                if std::mem::take(&mut starved) && served.starved.get() == 1 {
                    eprintln!("accepting again, with {} connections open", served.open.get());
                }
                kael_rt::spawn(connection(stream, pool.clone(), served.clone()));
            }
            Err(_) if stop.is_cancelled() => return Ok(served),
            // Out of descriptors or memory. The next accept sleeps until there are some again; those who are connected
            // are served.
            Err(error) => {
                if !std::mem::replace(&mut starved, true) {
                    add(&served.starved, 1);
                    if served.starved.get() == 1 {
                        let open = served.open.get();
                        eprintln!("cannot accept, with {open} connections open: {error}");
                    }
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, pool: BufferPool, served: Rc<Served>) {
    add(&served.connections, 1);
    add(&served.open, 1);
    if let Err(error) = echo(&stream, &pool, &served).await {
        add(&served.errors, 1);
        // A thousand connections may end at once, of the same cause.
        if served.errors.get() == 1 {
            eprintln!("a connection ended: {error} (further ones are only counted)");
        }
    }
    served.open.set(served.open.get() - 1);
}

/// What is received goes back from where it lies. The answer rides along with the wait for the next request.
async fn echo(stream: &TcpStream, pool: &BufferPool, served: &Served) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut pieces = stream.recv_stream(pool);
    while let Some(piece) = pieces.next().await? {
        add(&served.bytes, piece.len() as u64);
        stream.write_queued(piece).await?;
    }
    stream.flush().await
}
