//! Tokio on one thread: its current-thread runtime, as its documentation has one use it.

use std::future::Future;
use std::io::SeekFrom;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use common::file::{FileRun, measure, page_buffer};
use common::{Counting, FileConfig, Joined, Peer, ThreadTimer, Work, net};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, copy_bidirectional_with_sizes};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::channel;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    common::run::<Tokio>();
}

struct Tokio;

/// `tokio::spawn` wants `Send` although a current-thread runtime moves nothing; a `LocalSet` would cost a second queue.
struct OneThread<T>(T);

// SAFETY: this program's runtimes are current-thread: a task is polled and dropped, and its output taken, on the thread
// that spawned it.
unsafe impl<T> Send for OneThread<T> {}

impl<F: Future> Future for OneThread<F> {
    type Output = OneThread<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the field is pinned when the whole is, and nothing moves it out.
        unsafe { self.map_unchecked_mut(|whole| &mut whole.0) }.poll(cx).map(OneThread)
    }
}

/// Takes the output out of its wrapper.
struct Unwrapped<T>(Joined<tokio::task::JoinHandle<OneThread<T>>>);

impl<T> Future for Unwrapped<T> {
    type Output = T;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0).poll(cx).map(|output| output.0)
    }
}

impl Peer for Tokio {
    fn block_on<F: Future + 'static>(_: Work, future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn spawn<F>(future: F) -> impl Future<Output = F::Output> + 'static
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Unwrapped(Joined(tokio::spawn(OneThread(future))))
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + 'static {
        tokio::time::sleep(duration)
    }

    async fn channel_rounds(rounds: u64) -> u64 {
        let (there, mut at_there) = channel::<u64>(1);
        let (back, mut at_back) = channel::<u64>(1);
        let echo = Tokio::spawn(async move {
            while let Some(value) = at_there.recv().await {
                back.send(value + 1).await.unwrap();
            }
        });
        let ping = Tokio::spawn(async move {
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
        let mut near = TcpStream::from_std(near).unwrap();
        let mut far = TcpStream::from_std(far).unwrap();
        let echo = Tokio::spawn(async move {
            let mut buffer = [0u8; 64];
            for _ in 0..rounds {
                far.read_exact(&mut buffer).await.unwrap();
                far.write_all(&buffer).await.unwrap();
            }
        });
        let ping = Tokio::spawn(async move {
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
        let listener = TcpListener::from_std(net::listener(port, true)).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(echo_connection(stream));
        }
    }

    async fn proxy(port: u16, target: u16, variant: Option<&'static str>) {
        let size = match variant {
            // What `copy_bidirectional` takes by itself.
            None => 8 * 1024,
            Some("256k") => 256 * 1024,
            Some(other) => panic!("no variant {other}"),
        };
        let listener = TcpListener::from_std(net::listener(port, true)).unwrap();
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
            server.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let _ = copy_bidirectional_with_sizes(&mut client, &mut server, size, size).await;
            });
        }
    }

    async fn files(config: FileConfig) {
        match config.variant.as_deref() {
            // The least that a positional read can cost with Tokio, whose own File has none.
            None => {
                let file = Arc::new(config.open());
                measure::<Tokio, _>(&config, |run, _| read_by_pool(file.clone(), run)).await;
            }
            Some("seek") => {
                let open = || {
                    let mut file = tokio::fs::File::from_std(config.open());
                    file.set_max_buf_size(common::file::PAGE);
                    file
                };
                measure::<Tokio, _>(&config, |run, _| seek_and_read(open(), run)).await;
            }
            Some(other) => panic!("no variant {other}"),
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

async fn read_by_pool(file: Arc<std::fs::File>, run: Rc<FileRun>) {
    let mut buffer = page_buffer();
    while let Some(page) = run.next() {
        let file = file.clone();
        let job = tokio::task::spawn_blocking(move || {
            let read = file.read_at(&mut buffer, page * 4096).unwrap();
            (read, buffer)
        });
        let (read, returned) = job.await.unwrap();
        buffer = returned;
        run.done(page, read, &buffer);
    }
    std::mem::forget(buffer);
}

async fn seek_and_read(mut file: tokio::fs::File, run: Rc<FileRun>) {
    let mut buffer = page_buffer();
    while let Some(page) = run.next() {
        file.seek(SeekFrom::Start(page * 4096)).await.unwrap();
        let read = file.read_exact(&mut buffer).await.unwrap();
        run.done(page, read, &buffer);
    }
    std::mem::forget(buffer);
}
