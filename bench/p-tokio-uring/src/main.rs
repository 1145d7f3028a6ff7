//! tokio-uring: Tokio's current-thread runtime with an io_uring beside it.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::file::{FileRun, measure, page_buffer};
use common::{Counting, FileConfig, Joined, Peer, ThreadTimer, Work, net};
use tokio::sync::mpsc::channel;
use tokio_uring::buf::fixed::FixedBufRegistry;
use tokio_uring::fs::File;
use tokio_uring::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Enough for every connection of the echo and for the deepest reads.
const RING_ENTRIES: u32 = 4096;

fn main() {
    common::run::<TokioUring>();
}

struct TokioUring;

impl Peer for TokioUring {
    fn block_on<F: Future + 'static>(_: Work, future: F) -> F::Output {
        let mut ring = tokio_uring::uring_builder();
        ring.setup_cqsize(4 * RING_ENTRIES);
        tokio_uring::builder().entries(RING_ENTRIES).uring_builder(&ring).start(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined(tokio_uring::spawn(future))
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        tokio::time::sleep(duration)
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, mut at_there) = channel::<u64>(1);
        let (back, mut at_back) = channel::<u64>(1);
        let echo = TokioUring::spawn(async move {
            while let Some(value) = at_there.recv().await {
                back.send(value + 1).await.unwrap();
            }
        });
        let ping = TokioUring::spawn(async move {
            let timer = ThreadTimer::start();
            for round in 0..rounds {
                there.send(round).await.unwrap();
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
        let near = TcpStream::from_std(near);
        let far = TcpStream::from_std(far);
        // It has no read_exact; 64 bytes arrive whole on loopback, and this is checked.
        let echo = TokioUring::spawn(async move {
            let mut buffer = vec![0u8; 64];
            for _ in 0..rounds {
                let (result, read) = far.read(buffer).await;
                assert_eq!(result.unwrap(), 64);
                let (result, written) = far.write_all(read).await;
                result.unwrap();
                buffer = written;
            }
        });
        let ping = TokioUring::spawn(async move {
            let mut buffer = vec![1u8; 64];
            let begin = Instant::now();
            for _ in 0..rounds {
                let (result, written) = near.write_all(buffer).await;
                result.unwrap();
                let (result, read) = near.read(written).await;
                assert_eq!(result.unwrap(), 64);
                buffer = read;
            }
            begin.elapsed().as_nanos() as u64
        });
        let elapsed = ping.await;
        echo.await;
        elapsed
    }

    async fn echo(port: u16) {
        let listener = TcpListener::from_std(net::listener(port, false));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio_uring::spawn(echo_connection(stream));
        }
    }

    async fn files(config: FileConfig) {
        let file = Rc::new(File::from_std(config.open()));
        match config.variant.as_deref() {
            None => measure::<TokioUring, _>(&config, |run, _| read_pages(file.clone(), run)).await,
            Some("fixed") => {
                let buffers = FixedBufRegistry::new((0..config.depth).map(|_| page_buffer()));
                buffers.register().unwrap();
                measure::<TokioUring, _>(&config, |run, number| {
                    read_fixed(file.clone(), buffers.clone(), number, run)
                })
                .await;
            }
            Some(other) => panic!("no variant {other}"),
        }
    }
}

async fn echo_connection(stream: TcpStream) {
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

/// Reads into a registered buffer, its fastest way.
async fn read_fixed(
    file: Rc<File>,
    buffers: FixedBufRegistry<Vec<u8>>,
    number: usize,
    run: Rc<FileRun>,
) {
    let mut buffer = buffers.check_out(number).unwrap();
    while let Some(page) = run.next() {
        let (result, returned) = file.read_fixed_at(buffer, page * 4096).await;
        buffer = returned;
        run.done(page, result.unwrap(), &buffer);
    }
}
