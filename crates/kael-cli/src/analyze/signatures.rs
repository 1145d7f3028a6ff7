//! The section "Implementation": the signatures that a program for a platform is made of, by area. They are the library's
//! own, as they stand in its source: a test looks each one up there.

use kael_rt::budget::Area;

pub(crate) fn of(area: Area) -> &'static str {
    match area {
        Area::File => FILE,
        Area::Socket => SOCKET,
        Area::Buffer => BUFFER,
        Area::Bytes => BYTES,
        Area::Timer => TIMER,
        Area::Task => TASK,
        _ => "",
    }
}

const AREAS: [Area; 6] =
    [Area::File, Area::Socket, Area::Buffer, Area::Bytes, Area::Timer, Area::Task];

/// The lines of those names (`File::read_at`), each area with its head.
pub(crate) fn named(names: &[&str]) -> String {
    let mut text = String::new();
    for area in AREAS {
        let mut lines = of(area).lines();
        let head = lines.next().unwrap_or_default();
        let lines: Vec<&str> =
            lines.filter(|line| names.iter().any(|name| declares(line, name))).collect();
        if !lines.is_empty() {
            text.push_str(&format!("{head}\n{}\n", lines.join("\n")));
        }
    }
    text
}

pub(crate) fn is_known(name: &str) -> bool {
    AREAS.iter().flat_map(|area| of(*area).lines()).any(|line| declares(line, name))
}

fn declares(line: &str, name: &str) -> bool {
    let item = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
    let rest = item.and_then(|item| item.strip_prefix(name));
    rest.is_some_and(|rest| rest.starts_with(['(', '<']))
}

const FILE: &str = "\
// kael_rt::fs: positional; a buffer goes in by value and comes back with the result.
fn File::open(path: impl AsRef<Path>) -> Operation<Open>;                       // io::Result<File>
fn OpenOptions::direct(&mut self, on: bool) -> &mut OpenOptions;
fn File::read_at<B: IoBufMut>(&self, buf: B, offset: u64) -> Operation<ReadAt<B>>;   // (io::Result<usize>, B)
fn File::write_all_at<B: IoBuf>(&self, buf: B, offset: u64) -> Operation<WriteAllAt<B>>;
fn File::allocate(&self, offset: u64, len: u64) -> Operation<Allocate>;         // io::Result<()>
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
fn TcpStream::write_all_vectored<V: IoBufs>(&self, bufs: V) -> Operation<WriteAllVectored<V>>;
fn TcpStream::write_queued<B: IoBuf>(&self, buf: B) -> Queue<WriteAll<B>>;      // io::Result<usize>; rides along with the next call
fn TcpStream::send_zc<B: IoBuf>(&self, buf: B) -> Operation<SendZc<B>>;         // without a copy
fn TcpStream::set_nodelay(&self, on: bool) -> io::Result<()>;
fn TcpStream::into_split(self) -> (OwnedReadHalf, OwnedWriteHalf);
fn UdpSocket::send_to<B: IoBuf>(&self, buf: B, to: SocketAddr) -> Operation<SendTo<B>>;
fn UdpSocket::recv_from<B: IoBufMut>(&self, buf: B) -> Operation<RecvFrom<B>>;
";

const BYTES: &str = "\
// kael_rt::io: pipes, and from one descriptor to another, without a copy where the system can.
fn pipe() -> io::Result<(PipeReader, PipeWriter)>;
fn PipeReader::read<B: IoBufMut>(&self, buf: B) -> Operation<Recv<B>>;
fn PipeReader::read_stream(&self, pool: &BufferPool) -> RecvStream;             // next().await, one request for all
fn PipeWriter::write_all<B: IoBuf>(&self, buf: B) -> Operation<WriteAll<B>>;
fn send_file(file: &File, range: impl RangeBounds<u64>, stream: &TcpStream) -> Operation<SendFile>;   // io::Result<u64>
fn Operation::<SendFile>::header<B: IoBuf>(self, header: B) -> Operation<SendFile<B, T>>;   // and trailer
async fn copy_bidirectional(a: &TcpStream, b: &TcpStream) -> io::Result<(u64, u64)>;
async fn copy_bidirectional_with(a: &TcpStream, b: &TcpStream, progress: &Progress) -> io::Result<()>;
";

const BUFFER: &str = "\
// kael_rt::buf: buffers made once; dropping one gives it back.
fn BufferPool::new(count: usize, size: usize) -> io::Result<BufferPool>;
fn BufferPool::get(&self) -> Get;                                               // PoolBuf
fn TcpStream::recv_pooled(&self, pool: &BufferPool) -> RecvPooled;              // io::Result<Option<PoolBuf>>
fn TcpStream::recv_stream(&self, pool: &BufferPool) -> RecvStream;              // next().await, one request for all
";

const TIMER: &str = "\
// kael_rt::time: the next deadline is the timeout of the wait itself.
fn sleep(duration: Duration) -> Sleep;
fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F>;             // Result<F::Output, Elapsed>
fn Operation::timeout(self, limit: Duration) -> WithTimeout<O>;                 // gives the buffer back
fn Operation::cancel_on(self, token: &CancelToken) -> CancelOn<O>;              // likewise
";

const TASK: &str = "\
// kael_rt, kael_rt::runtime: one thread per core, tasks need not be Send.
fn Builder::cores(self, cores: usize) -> Builder;
fn Builder::max_in_flight(self, operations: u32) -> Builder;
fn Builder::blocking_threads(self, threads: usize) -> Builder;
fn Builder::batch_wait(self, longest: Duration) -> Builder;
fn Builder::busy_poll(self, longest: Duration) -> Builder;
fn Builder::build(self) -> io::Result<Runtime>;
fn Runtime::block_on<F: Future>(&self, future: F) -> F::Output;
fn spawn<F: Future + 'static>(future: F) -> JoinHandle<F::Output>;
fn spawn_blocking<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T>;
fn Handle::spawn<S, F>(&self, start: S) -> JoinHandle<F::Output>;               // from any thread, to the least loaded core
fn Handle::spawn_on<S, F>(&self, core: usize, start: S) -> JoinHandle<F::Output>;
fn Handle::metrics(&self) -> Metrics;                                           // system calls, submissions, ...
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// The library's source, each file as text without spaces, since rustfmt breaks lines where it likes.
    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("the library is beside") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(bare(&fs::read_to_string(&path).expect("it is text")));
            }
        }
    }

    fn bare(text: &str) -> String {
        let text: String = text.split_whitespace().collect();
        text.replace(",)", ")").replace(",>", ">").replace("(mutself", "(self")
    }

    /// `fn File::open(path: P) -> R;  // note` is `pubfnopen(path:P)->R` in a file that has an `impl` of `File`.
    fn stands_in(source: &str, line: &str) -> bool {
        let item = line.split("//").next().unwrap_or_default().trim().trim_end_matches(';');
        let (before, path) = item.split_once("fn ").expect("it declares a function");
        let end = path.find('(').expect("it has parameters");
        let start = path[..end].rfind("::").map_or(0, |colons| colons + 2);
        // In `fn timeout<F: Future>` the colons are a bound's or there are none.
        let (owner, name) = path.split_at(start);
        let owner = owner.split("::").next().unwrap_or_default();
        let is_owned = owner.is_empty()
            || [format!("{owner}{{"), format!("{owner}<")].iter().any(|end| {
                source.match_indices("impl").any(|(place, _)| {
                    source[place..]
                        .split_once('{')
                        .is_some_and(|(head, _)| format!("{head}{{").contains(end.as_str()))
                })
            });
        let wanted = bare(&format!("pub {before}fn {name}"));
        let is_whole = |(place, _): (usize, &str)| {
            let rest = &source[place + wanted.len()..];
            rest.starts_with('{') || rest.starts_with("where")
        };
        is_owned && source.match_indices(wanted.as_str()).any(is_whole)
    }

    #[test]
    fn each_signature_stands_in_the_library() {
        let mut files = Vec::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../kael-rt/src"), &mut files);
        let lines = AREAS.iter().flat_map(|area| of(*area).lines());
        let missing: Vec<&str> = lines
            .filter(|line| !line.starts_with("//"))
            .filter(|line| !files.iter().any(|source| stands_in(source, line)))
            .collect();
        assert!(missing.is_empty(), "not in the library:\n{}", missing.join("\n"));
    }

    #[test]
    fn a_signature_that_is_not_the_librarys_is_found() {
        let source = bare("impl File { pub fn len(&self) -> u64 { 1 } }");
        assert!(stands_in(&source, "fn File::len(&self) -> u64;   // a note"));
        for wrong in [
            "fn File::len(&self) -> u32;",
            "fn Pipe::len(&self) -> u64;",
            "fn File::le(&self) -> u64;",
        ] {
            assert!(!stands_in(&source, wrong), "{wrong}");
        }
    }

    #[test]
    fn lines_are_chosen_by_their_names() {
        let text = named(&["File::read_at", "sleep"]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("// kael_rt::fs") && lines[2].starts_with("// kael_rt::time"));
        assert!(lines[1].starts_with("fn File::read_at<B") && lines[3].starts_with("fn sleep("));
        assert!(is_known("Operation::<SendFile>::header") && !is_known("File::read"));
    }
}
