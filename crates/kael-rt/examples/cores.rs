//! A server on several cores that counts, on each, the connections it has served.
//!
//! Where the system spreads connections among several listeners at one address, each core has its own. Elsewhere the first
//! core accepts and hands the connections over, before their first transfer.
//!
//! ```sh
//! cargo run --release -p kael-rt --example cores        # starts clients of its own, and ends
//! ```

use kael_rt::net::{TcpListener, TcpSocket, TcpStream};
use kael_rt::runtime::{Builder, Handle};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const CLIENTS: u64 = 100;

/// What all cores share: a counter for each, which only that core adds to.
type Served = Arc<[AtomicU64]>;

fn main() -> io::Result<()> {
    let cores = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4));
    let runtime = match Builder::new().cores(cores).build() {
        // The simulated kernel has one.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Builder::new().build()?,
        built => built?,
    };
    let served: Served = (0..runtime.cores()).map(|_| AtomicU64::new(0)).collect();
    runtime.block_on(async {
        let at = serve(&served).await?;
        clients(at).await
    })?;
    for (core, served) in served.iter().enumerate() {
        println!("core {core}: {} connections", served.load(Relaxed));
    }
    assert_eq!(served.iter().map(|served| served.load(Relaxed)).sum::<u64>(), CLIENTS);
    Ok(())
}

/// Serves on all cores from here on, and says where.
async fn serve(served: &Served) -> io::Result<SocketAddr> {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let handle = Handle::current();
    let Ok(first) = listen(anywhere) else {
        let listener = TcpListener::bind(anywhere).await?;
        let at = listener.local_addr()?;
        drop(kael_rt::spawn(hand_over(listener, served.clone())));
        return Ok(at);
    };
    let at = first.local_addr()?;
    drop(kael_rt::spawn(accept(first, 0, served.clone())));
    for core in 1..handle.cores() {
        let served = served.clone();
        let begins = handle.spawn_on(core, move || async move {
            drop(kael_rt::spawn(accept(listen(at)?, core, served)));
            Ok::<_, io::Error>(())
        });
        begins.await.map_err(io::Error::other)??;
    }
    Ok(at)
}

/// One of several listeners at an address, where there may be several.
fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(at)?;
    socket.listen(1024)
}

/// A core accepts its own connections.
async fn accept(listener: TcpListener, core: usize, served: Served) {
    while let Ok((stream, _)) = listener.accept().await {
        let served = served.clone();
        drop(kael_rt::spawn(connection(stream, core, served)));
    }
}

/// The first core accepts for all, and each gets the next.
async fn hand_over(listener: TcpListener, served: Served) -> io::Result<()> {
    let handle = Handle::current();
    for core in (0..handle.cores()).cycle() {
        let (stream, _) = listener.accept().await?;
        let (detached, served) = (stream.detach().await?, served.clone());
        drop(handle.spawn_on(core, move || async move {
            connection(TcpStream::from_std(detached.stream)?, core, served).await
        }));
    }
    Ok(())
}

/// One request, and its answer.
async fn connection(stream: TcpStream, core: usize, served: Served) -> io::Result<()> {
    let (result, request) = stream.read_exact(vec![0; 8]).await;
    result?;
    served[core].fetch_add(1, Relaxed);
    stream.write_all(request).await.0.map(drop)
}

async fn clients(at: SocketAddr) -> io::Result<()> {
    for number in 0..CLIENTS {
        let stream = TcpStream::connect(at).await?;
        let request = number.to_be_bytes().to_vec();
        stream.write_all(request.clone()).await.0?;
        let (result, answer) = stream.read_exact(vec![0; 8]).await;
        result?;
        assert_eq!(answer, request);
    }
    Ok(())
}
