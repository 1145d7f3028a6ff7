//! Glommio: one executor, unpinned by itself because the runner pins the process.

use std::future::Future;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::file::{FileRun, PAGE, measure};
use common::{Counting, FileConfig, Peer, ThreadTimer, Work, net};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::channels::local_channel;
use glommio::io::{BufferedFile, DmaFile, OpenOptions};
use glommio::net::{TcpListener, TcpStream};
use glommio::timer::Timer;
use glommio::{LocalExecutorBuilder, Placement};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    common::run::<Glommio>();
}

struct Glommio;

impl Peer for Glommio {
    // 100,000 held timers take it minutes.
    const HELD_TIMERS: usize = 30_000;

    fn block_on<F: Future + 'static>(_: Work, future: F) -> F::Output {
        // The default depth of 128 would starve the larger cases.
        LocalExecutorBuilder::new(Placement::Unbound).ring_depth(1024).make().unwrap().run(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        glommio::spawn_local(future)
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        let timer = Timer::new(duration);
        async move {
            timer.await;
        }
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, at_there) = local_channel::new_bounded::<u64>(1);
        let (back, at_back) = local_channel::new_bounded::<u64>(1);
        let echo = glommio::spawn_local(async move {
            while let Some(value) = at_there.recv().await {
                let _ = back.send(value + 1).await;
            }
        });
        let ping = glommio::spawn_local(async move {
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
        // SAFETY: `into_raw_fd` gave the descriptor up, so the stream is its only owner.
        let mut near = unsafe { TcpStream::from_raw_fd(near.into_raw_fd()) };
        // SAFETY: as above.
        let mut far = unsafe { TcpStream::from_raw_fd(far.into_raw_fd()) };
        let echo = glommio::spawn_local(async move {
            let mut buffer = [0u8; 64];
            for _ in 0..rounds {
                far.read_exact(&mut buffer).await.unwrap();
                far.write_all(&buffer).await.unwrap();
            }
        });
        let ping = glommio::spawn_local(async move {
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
        // Its listener can be made from an address only.
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        loop {
            let stream = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            glommio::spawn_local(echo_connection(stream)).detach();
        }
    }

    async fn files(config: FileConfig) {
        let mut options = OpenOptions::new();
        options.read(true);
        if config.direct {
            let file = Rc::new(options.dma_open(&config.path).await.unwrap());
            measure::<Glommio, _>(&config, |run, _| read_direct(file.clone(), run)).await;
            std::mem::forget(file);
        } else {
            let file = Rc::new(options.buffered_open(&config.path).await.unwrap());
            measure::<Glommio, _>(&config, |run, _| read_buffered(file.clone(), run)).await;
            std::mem::forget(file);
        }
    }
}

async fn echo_connection(mut stream: TcpStream) {
    let mut buffer = vec![0u8; net::ECHO_BUFFER];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn read_direct(file: Rc<DmaFile>, run: Rc<FileRun>) {
    while let Some(page) = run.next() {
        let read = file.read_at_aligned(page * 4096, PAGE).await.unwrap();
        run.done(page, read.len(), &read);
    }
}

async fn read_buffered(file: Rc<BufferedFile>, run: Rc<FileRun>) {
    while let Some(page) = run.next() {
        let read = file.read_at(page * 4096, PAGE).await.unwrap();
        run.done(page, read.len(), &read);
    }
}
