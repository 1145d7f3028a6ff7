//! The section "Implementation": the signatures that a program for this platform is made of, by area.

use kael_rt::budget::Area;

pub(crate) fn of(area: Area) -> &'static str {
    match area {
        Area::File => FILE,
        Area::Socket => SOCKET,
        Area::Buffer => BUFFER,
        Area::Timer => TIMER,
        Area::Task => TASK,
        _ => "",
    }
}

const FILE: &str = "\
// kael_rt::fs: positional; a buffer goes in by value and comes back with the result.
fn File::open(path: impl AsRef<Path>) -> Operation<Open>;                       // io::Result<File>
fn OpenOptions::direct(&mut self, on: bool) -> &mut OpenOptions;
fn File::read_at<B: IoBufMut>(&self, buf: B, offset: u64) -> Operation<ReadAt<B>>;   // (io::Result<usize>, B)
fn File::write_all_at<B: IoBuf>(&self, buf: B, offset: u64) -> Operation<WriteAllAt<B>>;
fn File::sync_data(&self) -> Operation<Sync>;                                   // io::Result<()>
async fn File::close(self) -> io::Result<()>;
";

const SOCKET: &str = "\
// kael_rt::net: methods take &self; a read and a write of one stream may be under way together.
async fn TcpListener::bind(addr: impl ToSocketAddrs) -> io::Result<TcpListener>;
fn TcpListener::accept(&self) -> Operation<Accept>;                             // io::Result<(TcpStream, SocketAddr)>
async fn TcpStream::connect(addr: impl ToSocketAddrs) -> io::Result<TcpStream>;
fn TcpStream::read<B: IoBufMut>(&self, buf: B) -> Operation<Recv<B>>;           // (io::Result<usize>, B)
fn TcpStream::write_all<B: IoBuf>(&self, buf: B) -> Operation<WriteAll<B>>;
fn TcpStream::write_queued<B: IoBuf>(&self, buf: B) -> Queue<WriteAll<B>>;      // io::Result<usize>; rides along with the next call
fn TcpStream::send_zc<B: IoBuf>(&self, buf: B) -> Operation<SendZc<B>>;         // without a copy
fn TcpStream::into_split(self) -> (OwnedReadHalf, OwnedWriteHalf);
fn UdpSocket::send_to<B: IoBuf>(&self, buf: B, to: SocketAddr) -> Operation<SendTo<B>>;
fn UdpSocket::recv_from<B: IoBufMut>(&self, buf: B) -> Operation<RecvFrom<B>>;
";

const BUFFER: &str = "\
// kael_rt::buf: buffers made once, known to the ring; dropping one gives it back.
fn BufferPool::new(count: usize, size: usize) -> io::Result<BufferPool>;
fn BufferPool::get(&self) -> Get;                                               // PoolBuf
fn TcpStream::recv_pooled(&self, pool: &BufferPool) -> RecvPooled;              // io::Result<Option<PoolBuf>>
fn TcpStream::recv_stream(&self, pool: &BufferPool) -> RecvStream;              // next().await, one request for all
";

const TIMER: &str = "\
// kael_rt::time: the next deadline is the timeout of the wait itself.
fn sleep(duration: Duration) -> Sleep;
fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F>;                // Result<F::Output, Elapsed>
fn Operation::timeout(self, limit: Duration) -> WithTimeout<O>;                 // gives the buffer back
fn Operation::cancel_on(self, token: &CancelToken) -> CancelOn<O>;              // likewise
";

const TASK: &str = "\
// kael_rt, kael_rt::runtime: one thread per core, tasks need not be Send.
fn Builder::build(self) -> io::Result<Runtime>;
fn Runtime::block_on<F: Future>(&self, future: F) -> F::Output;
fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>;
fn spawn_blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T>;
fn Handle::spawn<S, F>(&self, start: S) -> JoinHandle<F::Output>;               // from any thread
fn Handle::metrics(&self) -> Metrics;                                           // system calls, submissions, ...
";
