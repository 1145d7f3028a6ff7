//! The seven hard shapes, through the final `Op`, on whatever backend is built: what the design
//! must carry before a public method may rest on it.
#![forbid(unsafe_code)]

use super::{Op, Operation, RecvFlags, Request, Side, Traits};
use crate::{
    block_on,
    buf::{BufResult, IoBufMut},
    driver::{Completion, Driver, Fd, Kind, Scratch},
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::Builder,
    spawn,
    sys::Backend,
    task::context,
};
use std::{
    io,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

fn driver() -> Driver {
    context::with("a test", |core| core.driver.clone())
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let a = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (a, listener.accept().await.unwrap().0)
}

// 1. A multishot receive with a ring of buffers: public, see `tests/pooled.rs`.

// 2. A zero-copy send whose buffer comes back only at the notification: public, see
// `tests/zero_copy.rs`.

// 3. A received message with control data.

struct RecvControl<B> {
    fd: Fd,
    buf: B,
}

impl<B: IoBufMut> Op for RecvControl<B> {
    type Output = (io::Result<usize>, B, Vec<u8>);
    const TRAITS: Traits = Traits { scratch: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let message = scratch.message_mut(self.buf.as_uninit(), true);
        Request::RecvMessage { fd: &self.fd, message, flags: RecvFlags::default() }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        let control = completion.control().to_vec();
        (completion.fill(0, &mut self.buf), self.buf, control)
    }
}

#[test]
fn a_message_brings_its_control_data() {
    block_on(async {
        let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        // (Windows has another call for control data, which no public operation needs yet.)
        let Ok(kind) = driver().control(|backend| backend.want_ttl(receiver.fd())) else { return };
        for _ in 0..10 {
            sender.send_to("ttl", receiver.local_addr().unwrap()).await.0.unwrap();
            let op = RecvControl { fd: receiver.fd().clone(), buf: Vec::with_capacity(16) };
            let (result, buf, control) = Operation::new(op).await;
            assert_eq!((result.unwrap(), &buf[..]), (3, &b"ttl"[..]));
            // One cmsghdr (16 bytes on 64-bit systems) of that kind, and the value.
            assert!(control.len() >= 20, "no control data came: {control:?}");
            let [level, option] =
                [8, 12].map(|at| i32::from_ne_bytes(control[at..at + 4].try_into().unwrap()));
            assert_eq!([level, option], kind);
        }
    });
}

// 4. A chain: public, see `tests/links.rs`.

// 5. A write that asks again until all is written.

#[test]
fn write_all_asks_again_until_everything_is_taken() {
    block_on(async {
        let (a, b) = pair().await;
        let bytes: Vec<u8> = (0..4_000_000u32).map(|i| (i % 251) as u8).collect();
        let expected = bytes.clone();
        let reader = spawn(async move {
            let (mut all, mut buf) = (Vec::new(), Vec::with_capacity(3000));
            while all.len() < 4_000_000 {
                let (n, back) = b.read(buf).await;
                assert!(n.unwrap() > 0);
                all.extend_from_slice(&back);
                buf = back;
            }
            all
        });
        assert_eq!(a.write_all(bytes).await.0.unwrap(), 4_000_000);
        assert!(reader.await.unwrap() == expected, "bytes were lost or out of order");
    });
}

// 6. An accept whose descriptor never gets a number.

struct AcceptDirect {
    fd: Fd,
}

impl Op for AcceptDirect {
    type Output = io::Result<Fd>;
    const TRAITS: Traits = Traits { side: Some(Side::Read), gives_more: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        Request::Accept { fd: &self.fd, peer: scratch.peer_mut(), direct: true }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.into_fd(Kind::Stream)
    }
}

#[test]
fn a_direct_accept_reads_writes_and_frees_its_place_in_the_table() {
    if !Backend::HAS_DIRECT {
        println!("not run: this backend has no table of descriptors without numbers");
        return;
    }
    block_on(async {
        driver().control(|backend| backend.enable_direct(2)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        // More connections than the table has places: each is freed before the next.
        for round in 0..10u8 {
            let client = TcpStream::connect(addr).await.unwrap();
            let fd = Operation::new(AcceptDirect { fd: listener.fd().clone() }).await.unwrap();
            assert!(fd.is_direct());
            let stream = TcpStream::from_fd(fd);
            client.write_all(vec![round; 3]).await.0.unwrap();
            assert_eq!(stream.read_exact(vec![0; 3]).await.1, [round; 3]);
            stream.write_all("ok").await.0.unwrap();
            assert_eq!(client.read_exact(vec![0; 2]).await.1, b"ok");
            stream.close().await.unwrap();
            assert_eq!(client.read(vec![0; 8]).await.0.unwrap(), 0);
        }
    });
}

// 7. A job of the pool that outlives the runtime.

/// A job that is stuck until somebody lets it go.
pub(crate) struct Stall {
    go: Mutex<bool>,
    changed: Condvar,
    begun: AtomicBool,
}

impl Stall {
    fn new() -> Arc<Stall> {
        let (go, changed) = (Mutex::new(false), Condvar::new());
        Arc::new(Stall { go, changed, begun: AtomicBool::new(false) })
    }

    pub(crate) fn wait(&self) {
        self.begun.store(true, SeqCst);
        let mut go = self.go.lock().unwrap();
        while !*go {
            go = self.changed.wait(go).unwrap();
        }
    }

    fn let_go(&self) {
        *self.go.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

struct Stalled {
    on: Arc<Stall>,
    buf: Vec<u8>,
    dropped: Arc<AtomicBool>,
}

impl Op for Stalled {
    type Output = BufResult<usize, Vec<u8>>;
    const TRAITS: Traits = Traits { cancel_on_drop: true, ..Traits::PROMPT };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Stall { on: &self.on, into: self.buf.as_uninit() }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill(0, &mut self.buf), std::mem::take(&mut self.buf))
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.dropped.store(true, SeqCst);
    }
}

#[test]
fn a_pool_job_reports_to_its_future() {
    block_on(async {
        let stall = Stall::new();
        let dropped = Arc::new(AtomicBool::new(false));
        let op = Stalled { on: stall.clone(), buf: Vec::with_capacity(100), dropped };
        let job = spawn(Operation::new(op));
        crate::yield_now().await;
        stall.let_go();
        let (n, buf) = job.await.unwrap();
        assert_eq!((n.unwrap(), buf), (100, vec![7; 100]));
    });
}

#[test]
fn a_pool_job_that_is_stuck_survives_the_runtime_and_keeps_its_buffer() {
    let stall = Stall::new();
    let dropped = Arc::new(AtomicBool::new(false));
    let runtime = Builder::new().shutdown_timeout(Duration::from_millis(20)).build().unwrap();
    let handle = runtime.handle();
    let op = Stalled { on: stall.clone(), buf: Vec::with_capacity(4096), dropped: dropped.clone() };
    runtime.block_on(async {
        let job = spawn(Operation::new(op));
        while !stall.begun.load(SeqCst) {
            crate::yield_now().await;
        }
        drop(job);
    });
    drop(runtime);
    assert!(!dropped.load(SeqCst), "the job may still write: its buffer must not be freed");
    assert_eq!(handle.metrics().cores[0].leaked, 1);
    // It writes now, into memory that is leaked and nobody else's; and reports to nobody.
    stall.let_go();
}

#[test]
fn a_pool_job_that_has_not_begun_is_taken_back() {
    let (first, second) = (Stall::new(), Stall::new());
    let dropped = [Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false))];
    let runtime = Builder::new().blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let op = |on: &Arc<Stall>, i: usize| {
            let (on, dropped) = (on.clone(), dropped[i].clone());
            Operation::new(Stalled { on, buf: vec![0; 16], dropped })
        };
        let running = spawn(op(&first, 0));
        let waiting = spawn(op(&second, 1));
        while !first.begun.load(SeqCst) {
            crate::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        // Longer than a turn comes late.
        for _ in 0..1000 {
            crate::yield_now().await;
        }
        assert!(dropped[1].load(SeqCst), "a job that had not begun was not taken back");
        first.let_go();
        running.await.unwrap().0.unwrap();
    });
    assert!(!second.begun.load(SeqCst));
}

#[test]
fn a_kernel_without_truncation_in_the_ring_truncates_on_the_pool() {
    let temporary = std::env::temp_dir().join(format!("kael-truncate-{}", std::process::id()));
    block_on(async {
        driver()
            .control(|backend| {
                backend.forget_truncate();
                Ok(())
            })
            .unwrap();
        let file = crate::fs::File::create(&temporary).await.unwrap();
        file.set_len(12_345).await.unwrap();
        assert_eq!(file.metadata().await.unwrap().len(), 12_345);
        crate::fs::remove_file(&temporary).await.unwrap();
    });
}
