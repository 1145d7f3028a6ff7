//! Compio on io_uring. `PEER_TUNED` adds SINGLE_ISSUER and DEFER_TASKRUN, which its builder takes and its defaults lack.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::file::{FileRun, measure, page_buffer};
use common::{Counting, FileConfig, Joined, Peer, ThreadTimer, Work, net};
use compio::BufResult;
use compio::driver::ProactorBuilder;
use compio::fs::{File, OpenOptions};
use compio::io::{AsyncRead, AsyncReadAt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use compio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Enough for every connection of the echo and for the deepest reads.
const RING_ENTRIES: u32 = 4096;

fn main() {
    common::run::<Compio>();
}

struct Compio;

impl Peer for Compio {
    fn block_on<F: Future + 'static>(_: Work, future: F) -> F::Output {
        let mut proactor = ProactorBuilder::new();
        proactor.capacity(RING_ENTRIES).cqsize(4 * RING_ENTRIES);
        if common::tuned() {
            proactor.single_issuer(true).defer_taskrun(true);
        }
        compio::runtime::Runtime::builder()
            .with_proactor(proactor)
            .build()
            .unwrap()
            .block_on(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined(compio::runtime::spawn(future))
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        compio::time::sleep(duration)
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, at_there) = async_channel::bounded::<u64>(1);
        let (back, at_back) = async_channel::bounded::<u64>(1);
        let echo = Compio::spawn(async move {
            while let Ok(value) = at_there.recv().await {
                back.send(value + 1).await.unwrap();
            }
        });
        let ping = Compio::spawn(async move {
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
        let mut near = TcpStream::from_std(near).unwrap();
        let mut far = TcpStream::from_std(far).unwrap();
        let echo = Compio::spawn(async move {
            let mut buffer = vec![0u8; 64];
            for _ in 0..rounds {
                let BufResult(result, read) = far.read_exact(buffer).await;
                result.unwrap();
                let BufResult(result, written) = far.write_all(read).await;
                result.unwrap();
                buffer = written;
            }
        });
        let ping = Compio::spawn(async move {
            let mut buffer = vec![1u8; 64];
            let begin = Instant::now();
            for _ in 0..rounds {
                let BufResult(result, written) = near.write_all(buffer).await;
                result.unwrap();
                let BufResult(result, read) = near.read_exact(written).await;
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
            compio::runtime::spawn(echo_connection(stream)).detach();
        }
    }

    async fn proxy(port: u16, target: u16, variant: Option<&'static str>) {
        let size = match variant {
            None => 8 * 1024,
            Some("256k") => 256 * 1024,
            Some(other) => panic!("no variant {other}"),
        };
        let listener = TcpListener::from_std(net::listener(port, false)).unwrap();
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            server.set_nodelay(true).unwrap();
            compio::runtime::spawn(relayed(client.clone(), server.clone(), size)).detach();
            compio::runtime::spawn(relayed(server, client, size)).detach();
        }
    }

    async fn files(config: FileConfig) {
        let mut options = OpenOptions::new();
        options.read(true);
        if config.direct {
            options.custom_flags(libc::O_DIRECT);
        }
        let file = options.open(&config.path).await.unwrap();
        measure::<Compio, _>(&config, |run, _| read_pages(file.clone(), run)).await;
    }
}

async fn echo_connection(mut stream: TcpStream) {
    let mut buffer: Vec<u8> = Vec::with_capacity(net::ECHO_BUFFER);
    loop {
        let BufResult(result, read) = stream.read(buffer).await;
        let Ok(1..) = result else { return };
        let BufResult(result, written) = stream.write_all(read).await;
        if result.is_err() {
            return;
        }
        buffer = written;
        buffer.clear();
    }
}

async fn relayed(mut from: TcpStream, mut to: TcpStream, size: usize) {
    let mut buffer: Vec<u8> = Vec::with_capacity(size);
    loop {
        let BufResult(result, read) = from.read(buffer).await;
        let Ok(1..) = result else { break };
        let BufResult(result, written) = to.write_all(read).await;
        if result.is_err() {
            return;
        }
        buffer = written;
        buffer.clear();
    }
    let _ = to.shutdown().await;
}

async fn read_pages(file: File, run: Rc<FileRun>) {
    let mut buffer = page_buffer();
    while let Some(page) = run.next() {
        let BufResult(result, returned) = file.read_at(buffer, page * 4096).await;
        buffer = returned;
        run.done(page, result.unwrap(), &buffer);
    }
    std::mem::forget(buffer);
}
