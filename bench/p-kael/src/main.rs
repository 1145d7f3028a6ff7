//! Kael, through its public API and with its defaults. The runner takes the echo server from the library's examples;
//! the one here is for a look at the two side by side.

use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::file::{FileRun, measure};
use common::{Counting, FileConfig, Joined, Peer, ThreadTimer, Work, net};
use kael_rt::buf::BufferPool;
use kael_rt::fs::File;
use kael_rt::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    common::run::<Kael>();
}

struct Kael;

impl Peer for Kael {
    fn block_on<F: Future + 'static>(_: Work, future: F) -> F::Output {
        kael_rt::block_on(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Joined(kael_rt::spawn(future))
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        kael_rt::time::sleep(duration)
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, at_there) = async_channel::bounded::<u64>(1);
        let (back, at_back) = async_channel::bounded::<u64>(1);
        let echo = Kael::spawn(async move {
            while let Ok(value) = at_there.recv().await {
                back.send(value + 1).await.unwrap();
            }
        });
        let ping = Kael::spawn(async move {
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
        let near = TcpStream::from_std(near).unwrap();
        let far = TcpStream::from_std(far).unwrap();
        let echo = Kael::spawn(async move {
            let mut buffer = vec![0u8; 64];
            for _ in 0..rounds {
                let (result, read) = far.read_exact(buffer).await;
                result.unwrap();
                let (result, written) = far.write_all(read).await;
                result.unwrap();
                buffer = written;
            }
        });
        let ping = Kael::spawn(async move {
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
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            drop(kael_rt::spawn(echo_connection(stream)));
        }
    }

    async fn files(config: FileConfig) {
        let file =
            File::options().read(true).direct(config.direct).open(&config.path).await.unwrap();
        let file = Rc::new(file);
        // Two runs of the deepest queue overlap at most.
        let pool = BufferPool::new(2 * 128, 4096).unwrap();
        measure::<Kael, _>(&config, |run, _| read_pages(file.clone(), pool.clone(), run)).await;
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
    }
}

async fn read_pages(file: Rc<File>, pool: BufferPool, run: Rc<FileRun>) {
    let mut buffer = pool.get().await;
    while let Some(page) = run.next() {
        let (result, returned) = file.read_at(buffer, page * 4096).await;
        buffer = returned;
        run.done(page, result.unwrap(), &buffer);
    }
}
