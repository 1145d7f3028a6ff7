//! Monoio on io_uring. `PEER_TUNED` adds SINGLE_ISSUER and DEFER_TASKRUN, which its builder takes and its defaults lack.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::file::{FileRun, measure, page_buffer};
use common::{Counting, FileConfig, Peer, ThreadTimer, Work, net};
use local_sync::mpsc::bounded::channel;
use monoio::fs::File;
use monoio::io::{
    AsyncReadRent, AsyncReadRentExt, AsyncWriteRent, AsyncWriteRentExt, OwnedReadHalf,
    OwnedWriteHalf, Splitable, copy, zero_copy,
};
use monoio::net::{TcpListener, TcpStream};
use monoio::{IoUringDriver, RuntimeBuilder};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Enough for every connection of the echo and for the deepest reads.
const RING_ENTRIES: u32 = 4096;

fn main() {
    common::run::<Monoio>();
}

struct Monoio;

fn ring() -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    if common::tuned() {
        builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(4 * RING_ENTRIES);
    }
    builder
}

impl Peer for Monoio {
    fn block_on<F: Future + 'static>(work: Work, future: F) -> F::Output {
        let builder =
            RuntimeBuilder::<IoUringDriver>::new().with_entries(RING_ENTRIES).uring_builder(ring());
        // Its timer costs something at each turn of the loop: only where there are timers.
        match work {
            Work::Micro => builder.enable_timer().build().unwrap().block_on(future),
            Work::Echo | Work::Proxy | Work::File => builder.build().unwrap().block_on(future),
        }
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        monoio::spawn(future)
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        monoio::time::sleep(duration)
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, mut at_there) = channel::<u64>(1);
        let (back, mut at_back) = channel::<u64>(1);
        let echo = monoio::spawn(async move {
            while let Some(value) = at_there.recv().await {
                let _ = back.send(value + 1).await;
            }
        });
        let ping = monoio::spawn(async move {
            let timer = ThreadTimer::start();
            for round in 0..rounds {
                let _ = there.send(round).await;
                assert_eq!(at_back.recv().await.unwrap(), round + 1);
            }
            timer.elapsed_ns()
        });
        let elapsed = ping.await;
        echo.await;
        elapsed
    }

    async fn socket_rounds(rounds: u64) -> u64 {
        let (near, far) = net::connected_pair(false);
        let mut near = TcpStream::from_std(near).unwrap();
        let mut far = TcpStream::from_std(far).unwrap();
        let echo = monoio::spawn(async move {
            let mut buffer = vec![0u8; 64];
            for _ in 0..rounds {
                let (result, read) = far.read_exact(buffer).await;
                result.unwrap();
                let (result, written) = far.write_all(read).await;
                result.unwrap();
                buffer = written;
            }
        });
        let ping = monoio::spawn(async move {
            let mut buffer = vec![1u8; 64];
            let begin = Instant::now();
            for _ in 0..rounds {
                let (result, written) = near.write_all(buffer).await;
                result.unwrap();
                let (result, read) = near.read_exact(written).await;
                result.unwrap();
                buffer = read;
            }
            begin.elapsed().as_nanos() as u64
        });
        let elapsed = ping.await;
        echo.await;
        elapsed
    }

    async fn echo(port: u16) {
        let listener = TcpListener::from_std(net::listener(port, false)).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            monoio::spawn(echo_connection(stream));
        }
    }

    async fn proxy(port: u16, target: u16, variant: Option<&'static str>) {
        let listener = TcpListener::from_std(net::listener(port, false)).unwrap();
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            server.set_nodelay(true).unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            match variant {
                None => {
                    monoio::spawn(copied(from_client, to_server));
                    monoio::spawn(copied(from_server, to_client));
                }
                Some("splice") => {
                    monoio::spawn(spliced(from_client, to_server));
                    monoio::spawn(spliced(from_server, to_client));
                }
                Some(other) => panic!("no variant {other}"),
            }
        }
    }

    async fn files(config: FileConfig) {
        let file = Rc::new(File::from_std(config.open()).unwrap());
        measure::<Monoio, _>(&config, |run, _| read_pages(file.clone(), run)).await;
        // Closing it here would need its own operation; the program ends now.
        std::mem::forget(file);
    }
}

async fn copied(mut from: OwnedReadHalf<TcpStream>, mut to: OwnedWriteHalf<TcpStream>) {
    let _ = copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

async fn spliced(mut from: OwnedReadHalf<TcpStream>, mut to: OwnedWriteHalf<TcpStream>) {
    let _ = zero_copy(&mut from, &mut to).await;
    let _ = to.shutdown().await;
}

async fn echo_connection(mut stream: TcpStream) {
    let mut buffer: Vec<u8> = Vec::with_capacity(net::ECHO_BUFFER);
    loop {
        let (result, read) = stream.read(buffer).await;
        let Ok(1..) = result else { return };
        let (result, written) = stream.write_all(read).await;
        if result.is_err() {
            return;
        }
        buffer = written;
        buffer.clear();
    }
}

async fn read_pages(file: Rc<File>, run: Rc<FileRun>) {
    let mut buffer = page_buffer();
    while let Some(page) = run.next() {
        let (result, returned) = file.read_at(buffer, page * 4096).await;
        buffer = returned;
        run.done(page, result.unwrap(), &buffer);
    }
    std::mem::forget(buffer);
}
