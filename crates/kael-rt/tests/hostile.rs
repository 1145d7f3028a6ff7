//! Buffers that break their contract, as far as that can be noticed: they panic in each of their methods at each call,
//! change their length, or are somewhere else when the answer comes. (`IoBuf` and `IoBufMut` are unsafe traits, so no
//! safe code can do this; what these buffers name stays valid memory.) The panic belongs to the task that used the
//! buffer. Nothing else suffers, and no slot is lost.

#![cfg(not(kael_backend = "sim"))] // Its subjects are this system's own limits.

mod rig;

use kael_rt::JoinError;
use kael_rt::buf::{BufResult, IoBuf, IoBufMut};
use kael_rt::fs::File;
use kael_rt::net::{TcpStream, UdpSocket};
use kael_rt::runtime::{Builder, Runtime};
use kael_rt::time::{Duration, timeout};
use rig::{READINESS, TempFile, null, pair, until};
use std::cell::Cell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};

/// What a hostile buffer does, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    Nothing,
    /// Panics in the nth call of `as_init`, `as_uninit`, `set_init`.
    PanicInInit(u32),
    PanicInUninit(u32),
    PanicInSet(u32),
    /// From the nth call on it names other memory of its own.
    MoveAt(u32),
    /// From the nth call on it names less, or more.
    ShrinkAt(u32),
    GrowAt(u32),
}

struct Hostile {
    memory: [Box<[u8]>; 2],
    trick: Trick,
    inits: Cell<u32>,
    uninits: Cell<u32>,
    sets: u32,
}

const LEN: usize = 16;

impl Hostile {
    fn new(trick: Trick) -> Hostile {
        let memory = [1, 2].map(|byte| vec![byte; 2 * LEN].into_boxed_slice());
        Hostile { memory, trick, inits: Cell::new(0), uninits: Cell::new(0), sets: 0 }
    }

    /// Which memory it names at a call, and how much of it.
    fn view(&self) -> (usize, usize) {
        let call = self.inits.get() + self.uninits.get();
        match self.trick {
            Trick::MoveAt(nth) if call >= nth => (1, LEN),
            Trick::ShrinkAt(nth) if call >= nth => (0, LEN / 2),
            Trick::GrowAt(nth) if call >= nth => (0, 2 * LEN),
            _ => (0, LEN),
        }
    }
}

/// Runs a test, in which no buffer's panic may leave the runtime.
fn within_limit(test: impl FnOnce() + Send + 'static) {
    rig::within_limit(|| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(test)) {
            assert!(panic.downcast_ref() != Some(&PANIC), "{PANIC}'s panic left the runtime");
            resume_unwind(panic);
        }
    });
}

const PANIC: &str = "a hostile buffer";

/// Panics without a message: only what is not expected shall be printed.
fn panic_if(now: bool) {
    if now {
        resume_unwind(Box::new(PANIC));
    }
}

fn count(calls: &Cell<u32>) -> u32 {
    calls.set(calls.get() + 1);
    calls.get()
}

// SAFETY: it is not true that it returns the same memory at each call; that is what is tested. But both memories live
// as long as the buffer, and nobody else uses them, so the kernel writes into nothing that is not there.
unsafe impl IoBuf for Hostile {
    fn as_init(&self) -> &[u8] {
        let nth = count(&self.inits);
        panic_if(self.trick == Trick::PanicInInit(nth));
        let (which, len) = self.view();
        &self.memory[which][..len]
    }
}

// SAFETY: as above.
unsafe impl IoBufMut for Hostile {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let nth = count(&self.uninits);
        panic_if(self.trick == Trick::PanicInUninit(nth));
        let (which, len) = self.view();
        let memory = self.memory[which].as_mut_ptr().cast();
        // SAFETY: the slice is that long at least, and initialised already.
        unsafe { std::slice::from_raw_parts_mut(memory, len) }
    }

    unsafe fn set_init(&mut self, _: usize) {
        self.sets += 1;
        panic_if(self.trick == Trick::PanicInSet(self.sets));
    }
}

fn tricks() -> Vec<Trick> {
    let mut tricks = Vec::new();
    for nth in 1..=6 {
        let kinds = [
            Trick::PanicInInit,
            Trick::PanicInUninit,
            Trick::PanicInSet,
            Trick::MoveAt,
            Trick::ShrinkAt,
            Trick::GrowAt,
        ];
        tricks.extend(kinds.map(|kind| kind(nth)));
    }
    tricks
}

/// How an operation with a hostile buffer may end.
#[derive(Debug)]
enum End {
    /// The panic reached the task that awaits the operation, as it should.
    Panicked,
    Answered,
}

fn end_of<T>(joined: Result<T, JoinError>) -> End {
    match joined {
        Ok(_) => End::Answered,
        Err(error) => {
            assert!(error.is_panic());
            End::Panicked
        }
    }
}

/// Few slots, so that each one lost is missed soon.
fn with_few_slots() -> Runtime {
    Builder::new().max_in_flight(16).build().unwrap()
}

/// Runs one operation in a task of its own; it ends by itself, whatever its buffer does.
async fn attempt<T: 'static>(
    what: &str,
    trick: Trick,
    op: impl Future<Output = T> + 'static,
) -> End {
    let task = kael_rt::spawn(op);
    match timeout(Duration::from_secs(10), task).await {
        Ok(joined) => end_of(joined),
        Err(_) => panic!("{what} with {trick:?} never ends"),
    }
}

async fn expect_all_well(runtime: &kael_rt::runtime::Handle) {
    let (a, b) = pair().await;
    // More at a time than there are slots.
    let tasks: Vec<_> =
        (0..40).map(|_| kael_rt::spawn(async { File::open(null()).await.map(drop) })).collect();
    for task in tasks {
        let opened = timeout(Duration::from_secs(10), task).await.expect("slots are left");
        opened.unwrap().unwrap();
    }
    let wrote = timeout(Duration::from_secs(10), a.write_all("well")).await;
    assert_eq!(wrote.expect("a slot is left").0.unwrap(), 4);
    assert_eq!(b.read_exact(vec![0; 4]).await.1, b"well");
    drop((a, b));
    until("nothing is in flight", || runtime.metrics().cores[0].in_flight == 0).await;
}

#[test]
fn r40_reads_into_hostile_buffers() {
    within_limit(|| {
        let runtime = with_few_slots();
        let handle = runtime.handle();
        runtime.block_on(async {
            for trick in tricks() {
                // The bytes come in two parts, so that a whole read looks at the buffer between.
                let end =
                    stream_read(trick, async move |stream| stream.read(Hostile::new(trick)).await)
                        .await;
                expect_noticed("read", trick, &end, false);
                let end = stream_read(trick, async move |stream| {
                    stream.read_exact(Hostile::new(trick)).await
                })
                .await;
                expect_noticed("read_exact", trick, &end, true);
            }
            expect_all_well(&handle).await;
        });
    });
}

async fn stream_read<F>(trick: Trick, read: F) -> End
where
    F: AsyncFnOnce(TcpStream) -> BufResult<usize, Hostile> + 'static,
{
    let (here, there) = pair().await;
    let writer = kael_rt::spawn(async move {
        for half in [[3u8; LEN / 2], [4; LEN / 2]] {
            let _ = there.write_all(half.to_vec()).await.0;
            kael_rt::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let end = attempt("a read", trick, async move { read(here).await.0 }).await;
    writer.await.unwrap();
    end
}

/// What a read must notice.
fn expect_noticed(what: &str, trick: Trick, end: &End, exact: bool) {
    let must_panic = match trick {
        Trick::PanicInUninit(1) => true,
        // Where the calls are ours, the second part is asked for by a second look.
        Trick::PanicInUninit(2) if READINESS => true,
        // The second look is the one after the kernel has answered.
        Trick::PanicInUninit(2) | Trick::PanicInSet(1) => !exact,
        Trick::MoveAt(2) | Trick::ShrinkAt(2) if !exact => matches!(trick, Trick::MoveAt(_)),
        Trick::PanicInInit(1) => exact,
        _ => return,
    };
    assert_eq!(matches!(end, End::Panicked), must_panic, "{what} with {trick:?}");
}

#[test]
fn r40_writes_from_hostile_buffers() {
    within_limit(|| {
        let runtime = with_few_slots();
        let handle = runtime.handle();
        runtime.block_on(async {
            for trick in tricks() {
                let (a, b) = pair().await;
                let reader =
                    kael_rt::spawn(
                        async move { while let (Ok(1..), _) = b.read(vec![0; 64]).await {} },
                    );
                let end = attempt("write", trick, async move {
                    let _ = a.write(Hostile::new(trick)).await;
                    let (result, _) = a.write_all(Hostile::new(trick)).await;
                    drop(result);
                })
                .await;
                if trick == Trick::PanicInInit(1) {
                    assert!(matches!(end, End::Panicked), "{trick:?}");
                }
                // The stream is closed whatever came of it.
                reader.await.unwrap();
            }
            expect_all_well(&handle).await;
        });
    });
}

#[test]
fn r40_files_and_datagrams_with_hostile_buffers() {
    within_limit(|| {
        let temp = TempFile::new("r40", &[8; 4096]);
        let runtime = with_few_slots();
        let handle = runtime.handle();
        runtime.block_on(async {
            for trick in tricks() {
                let open = async |path: &std::path::Path| {
                    File::options().read(true).write(true).open(path).await.unwrap()
                };
                let file = open(&temp.0).await;
                let _ = attempt("read_at", trick, async move {
                    file.read_at(Hostile::new(trick), 0).await.0
                })
                .await;
                let file = open(&temp.0).await;
                let _ = attempt("read_exact_at", trick, async move {
                    // It ends beyond the file's end, so it asks twice.
                    file.read_exact_at(Hostile::new(trick), 4090).await.0
                })
                .await;
                let file = open(&temp.0).await;
                let _ = attempt("write_all_at", trick, async move {
                    file.write_all_at(Hostile::new(trick), 0).await.0
                })
                .await;
                let file = open(&temp.0).await;
                let _ = attempt("read_vectored_at", trick, async move {
                    let bufs = [Hostile::new(Trick::Nothing), Hostile::new(trick)];
                    file.read_vectored_at(bufs, 0).await.0
                })
                .await;
                let _ = attempt("datagrams", trick, async move {
                    let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    let to = b.local_addr().unwrap();
                    let (sent, _) = a.send_to(Hostile::new(trick), to).await;
                    assert!(sent.is_ok());
                    let (got, _) = b.recv_from(Hostile::new(trick)).await;
                    got.unwrap()
                })
                .await;
            }
            expect_all_well(&handle).await;
        });
    });
}

/// A buffer that panics while a dropped operation still has it: nobody is there who could be told.
#[test]
fn r40_dropped_operations_with_hostile_buffers() {
    within_limit(|| {
        let runtime = with_few_slots();
        let handle = runtime.handle();
        runtime.block_on(async {
            for trick in tricks() {
                let (a, b) = pair().await;
                // A write that does not fit is not done when it is dropped; it goes on with the buffer.
                let fill = begin(a.write_all(vec![0u8; 8 << 20])).await;
                let wait = begin(a.write_all(Hostile::new(trick))).await;
                drop((fill, wait));
                let read = begin(a.read(Hostile::new(trick))).await;
                drop(read);
                drop(a);
                while let (Ok(1..), _) = b.read(vec![0; 1 << 20]).await {}
            }
            expect_all_well(&handle).await;
        });
    });
}

/// Polls once; `None` if that panics.
async fn begin<F: Future + Unpin>(mut op: F) -> Option<F> {
    let mut cx = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let _ = Pin::new(&mut op).poll(&mut cx);
    }));
    polled.is_ok().then_some(op)
}
