//! smol's parts on one thread: async-executor, async-io, blocking.

use std::fs::File;
use std::future::Future;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use common::file::{FileRun, measure, page_buffer};
use common::{Counting, FileConfig, Peer, ThreadTimer, Work, net};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static EXECUTOR: &'static LocalExecutor<'static> = Box::leak(Box::new(LocalExecutor::new()));
}

fn main() {
    common::run::<Smol>();
}

struct Smol;

fn spawn<F: Future + 'static>(future: F) -> async_executor::Task<F::Output> {
    EXECUTOR.with(|executor| executor.spawn(future))
}

impl Peer for Smol {
    fn block_on<F: Future + 'static>(_: Work, future: F) -> F::Output {
        let executor = EXECUTOR.with(|executor| *executor);
        async_io::block_on(executor.run(future))
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        spawn(future)
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        let timer = Timer::after(duration);
        async move {
            timer.await;
        }
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, at_there) = async_channel::bounded::<u64>(1);
        let (back, at_back) = async_channel::bounded::<u64>(1);
        let echo = spawn(async move {
            while let Ok(value) = at_there.recv().await {
                back.send(value + 1).await.unwrap();
            }
        });
        let ping = spawn(async move {
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
        let (near, far) = net::connected_pair(true);
        let mut near = Async::<TcpStream>::new(near).unwrap();
        let mut far = Async::<TcpStream>::new(far).unwrap();
        let echo = spawn(async move {
            let mut buffer = [0u8; 64];
            for _ in 0..rounds {
                far.read_exact(&mut buffer).await.unwrap();
                far.write_all(&buffer).await.unwrap();
            }
        });
        let ping = spawn(async move {
            let mut buffer = [1u8; 64];
            let begin = Instant::now();
            for _ in 0..rounds {
                near.write_all(&buffer).await.unwrap();
                near.read_exact(&mut buffer).await.unwrap();
            }
            begin.elapsed().as_nanos() as u64
        });
        let elapsed = ping.await;
        echo.await;
        elapsed
    }

    async fn echo(port: u16) {
        let listener = Async::<TcpListener>::new(net::listener(port, true)).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            spawn(echo_connection(stream)).detach();
        }
    }

    async fn files(config: FileConfig) {
        let file = Arc::new(config.open());
        measure::<Smol, _>(&config, |run, _| read_by_pool(file.clone(), run)).await;
    }
}

async fn echo_connection(mut stream: Async<TcpStream>) {
    let mut buffer = vec![0u8; net::ECHO_BUFFER];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// A positional read on the pool, which is what async-fs does inside.
async fn read_by_pool(file: Arc<File>, run: Rc<FileRun>) {
    let mut buffer = page_buffer();
    while let Some(page) = run.next() {
        let file = file.clone();
        let job = blocking::unblock(move || {
            let read = file.read_at(&mut buffer, page * 4096).unwrap();
            (read, buffer)
        });
        let (read, returned) = job.await;
        buffer = returned;
        run.done(page, read, &buffer);
    }
    std::mem::forget(buffer);
}
