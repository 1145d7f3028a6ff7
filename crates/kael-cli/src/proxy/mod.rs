//! `kael proxy`: TCP connections to one address are relayed to another one, until a signal ends it.

mod header;
mod relay;

use crate::admission::{Admission, Permit};
use crate::before::before;
use crate::fail::{Fail, doing};
use crate::{interrupt, limits, seconds};
use kael_rt::io::Progress;
use kael_rt::net::{TcpListener, TcpStream, lookup_host};
use kael_rt::time::{Duration, sleep, timeout};
use kael_rt::{CancelToken, runtime::Builder};
use relay::relay;
use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

/// Relay TCP connections to another address, until SIGINT or SIGTERM
///
/// The end of one direction is passed on, and the other goes on. A connection that breaks at one end is reset at the other,
/// so that nobody takes a part for the whole. At the signal nothing more is accepted, and the connections that are open
/// may end within --drain; a second signal ends the process at once. Exit status: 0, or 2 for bad use.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The address to listen at, for example 127.0.0.1:7000; port 0 takes a free one
    #[arg(value_name = "LISTEN")]
    listen: String,
    /// The address to connect to; a name is looked up for each connection
    #[arg(value_name = "TARGET")]
    target: String,
    /// Connections at a time; further ones wait in the kernel's queue. Fewer if there are not two descriptors for each
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    max_connections: u32,
    /// Connections at a time from one address (of IPv6: from one /64); further ones are closed. Without it, no such limit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_per_address: Option<u32>,
    /// Seconds within which the target must take the connection
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds::parse)]
    connect_timeout: Duration,
    /// Seconds in which something must go either way
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds::parse)]
    idle_timeout: Duration,
    /// Seconds that connections have to end after the signal; then they are reset
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds::parse)]
    drain: Duration,
    /// Tell the target who the client is: the header of the PROXY protocol, version 2
    #[arg(long)]
    proxy_protocol: bool,
}

/// How long to wait for a descriptor before the target is tried again.
const STARVED_WAIT: Duration = Duration::from_millis(50);
/// How long connections have to reset what they relay, after the time to drain.
const RESET_LIMIT: Duration = Duration::from_secs(1);

/// What all connections share.
struct Proxy {
    options: Options,
    /// Cancelled when the time to drain is over.
    cut: CancelToken,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    accepted: Cell<u64>,
    refused: Cell<u64>,
    relayed: Cell<u64>,
    there: Cell<u64>,
    back: Cell<u64>,
    unreachable: Cell<u64>,
    idle: Cell<u64>,
    broken: Cell<u64>,
    cut: Cell<u64>,
    starved: Cell<u64>,
}

fn add(counter: &Cell<u64>, n: u64) {
    counter.set(counter.get() + n);
}

pub(crate) fn run(mut options: Options) -> Result<(), Fail> {
    let stop = CancelToken::new();
    let stopped = stop.clone();
    interrupt::on_signal(move |_| stopped.cancel())?;
    options.max_connections = limits::connections(options.max_connections, 0)?;
    let proxy = Builder::new().build()?.block_on(serve(options, &stop))?;
    let counts = &proxy.counts;
    eprintln!(
        "relayed {} of {} connections, {} bytes there and {} back; {} refused by the limit per address, {} without target, \
         {} idle, {} broken, {} cut off at the end, {} times without descriptors",
        counts.relayed.get(),
        counts.accepted.get(),
        counts.there.get(),
        counts.back.get(),
        counts.refused.get(),
        counts.unreachable.get(),
        counts.idle.get(),
        counts.broken.get(),
        counts.cut.get(),
        counts.starved.get()
    );
    Ok(())
}

async fn serve(options: Options, stop: &CancelToken) -> io::Result<Rc<Proxy>> {
    // Now, so that a name that does not exist is told at once.
    drop(lookup_host(options.target.as_str()).await.map_err(doing(&options.target))?);
    let listen = options.listen.as_str();
    let listener =
        TcpListener::bind(listen).await.map_err(doing(format!("cannot listen at {listen}")))?;
    eprintln!("listening on {}", listener.local_addr()?);
    let most = options.max_connections as usize;
    let per_address = options.max_per_address.map_or(usize::MAX, |most| most as usize);
    let admission = Admission::new(most, per_address);
    let drain = options.drain;
    let (cut, counts) = (CancelToken::new(), Counts::default());
    let proxy = Rc::new(Proxy { options, cut, counts });
    let connected = |client, peer, permit| {
        add(&proxy.counts.accepted, 1);
        match permit {
            Some(permit) => drop(kael_rt::spawn(connection(proxy.clone(), client, peer, permit))),
            None => add(&proxy.counts.refused, 1),
        }
    };
    let starved = |error: &io::Error| proxy.is_starved(error);
    admission.accept(listener, stop, connected, starved, None::<fn()>).await;
    eprintln!("ending, with {} connections open", admission.open());
    if before(admission.empty(), sleep(drain)).await.is_none() {
        proxy.cut.cancel();
        before(admission.empty(), sleep(RESET_LIMIT)).await;
    }
    Ok(proxy)
}

async fn connection(proxy: Rc<Proxy>, client: TcpStream, peer: SocketAddr, _permit: Permit) {
    let counts = &proxy.counts;
    let connecting = timeout(proxy.options.connect_timeout, proxy.connect());
    let target = match before(connecting, proxy.cut.cancelled()).await {
        Some(Ok(Ok(target))) => target,
        None => return reset(&counts.cut, [&client]),
        Some(failed) => {
            let error = failed.map_or_else(io::Error::from, |failed| {
                failed.expect_err("a stream is taken above")
            });
            tell(
                &counts.unreachable,
                &format!("cannot connect to {}: {error}", proxy.options.target),
            );
            return reset(&counts.unreachable, [&client]);
        }
    };
    add(&counts.relayed, 1);
    let progress = Progress::default();
    let relaying = before(proxy.relayed(&client, &target, peer, &progress), proxy.cut.cancelled());
    let ended = relaying.await;
    add(&counts.there, progress.there());
    add(&counts.back, progress.back());
    match ended {
        Some(Ok(())) => {}
        None => reset(&counts.cut, [&client, &target]),
        Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => {
            reset(&counts.idle, [&client, &target]);
        }
        Some(Err(error)) => {
            tell(&counts.broken, &format!("the connection of {peer} broke: {error}"));
            reset(&counts.broken, [&client, &target]);
        }
    }
}

/// Counts a connection and lets its ends see that it did not end well: they are reset when they are dropped.
fn reset<const N: usize>(count: &Cell<u64>, streams: [&TcpStream; N]) {
    add(count, 1);
    for stream in streams {
        // One that is gone already needs none.
        let _ = stream.set_linger(Some(Duration::ZERO));
    }
}

/// The first of its kind is told; a thousand connections may end at once, of the same cause.
fn tell(count: &Cell<u64>, what: &str) {
    if count.get() == 0 {
        eprintln!("{what} (further ones are only counted)");
    }
}

impl Proxy {
    async fn connect(&self) -> io::Result<TcpStream> {
        loop {
            match TcpStream::connect(self.options.target.as_str()).await {
                // The client is not let go for that: others end, and their descriptors are free again.
                Err(error) if limits::is_starved(&error) => {
                    self.is_starved(&error);
                    sleep(STARVED_WAIT).await;
                }
                connected => return connected,
            }
        }
    }

    async fn relayed(
        &self,
        client: &TcpStream,
        target: &TcpStream,
        peer: SocketAddr,
        progress: &Progress,
    ) -> io::Result<()> {
        client.set_nodelay(true)?;
        target.set_nodelay(true)?;
        if self.options.proxy_protocol {
            target.write_queued(header::v2(peer, client.local_addr()?)).await?;
        }
        relay(client, target, self.options.idle_timeout, progress).await
    }

    fn is_starved(&self, error: &io::Error) {
        tell(&self.counts.starved, &format!("no descriptors are left, connections wait: {error}"));
        add(&self.counts.starved, 1);
    }
}
