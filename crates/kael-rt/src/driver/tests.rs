//! Tests of the driver from within.

use super::{
    Completion, Driver, Fd, Scratch,
    slot::{NONE, SlotId, State},
};
use crate::{
    buf::IoBufMut,
    net::{TcpListener, TcpStream},
    op::{Op, Operation, RecvFlags, Request, Traits},
    runtime::Builder,
    sys::{Event, PART},
    task::context,
};
use std::{
    future::Future,
    mem::ManuallyDrop,
    pin::Pin,
    rc::Rc,
    task::{Context, Waker},
};

fn driver() -> Driver {
    context::with("a test", |core| core.driver.clone())
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (other, _) = listener.accept().await.unwrap();
    (one, other)
}

/// After 2^32 uses of a slot its generations begin again.
#[test]
fn r20_generations_begin_again_at_their_end() {
    crate::block_on(async {
        let (a, b) = pair().await;
        // All slots but those in use are at their last generation.
        driver().with(|inner| {
            for index in 0..inner.slots.len() {
                let head = inner.slots.head(index);
                if head.marks.state == State::Free {
                    head.id = SlotId::new(index, u32::MAX);
                }
            }
        });
        for round in 0..4u8 {
            assert_eq!(a.write_all(vec![round; 3]).await.0.unwrap(), 3);
            assert_eq!(b.read_exact(vec![0; 3]).await.1, [round; 3]);
        }
        let begun_again = driver().with(|inner| {
            let slots = 0..inner.slots.len();
            slots.filter(|index| inner.slots.head(*index).id.generation() < u32::MAX).count()
        });
        assert!(begun_again > Some(0));

        // What belongs to the last generation does not reach the first.
        let read = crate::spawn(async move { b.read(vec![0; 8]).await });
        crate::yield_now().await;
        driver().with(|inner| {
            let stale = inner.counters().stale;
            for index in 0..inner.slots.len() {
                let user = SlotId::new(index, u32::MAX).0;
                if inner.slots.current(SlotId(user)).is_none() {
                    inner.complete(Event { user, result: 8, flags: 0 });
                }
            }
            assert!(inner.counters().stale > stale);
        });
        crate::yield_now().await;
        assert!(!read.is_finished());
        a.write_all("first").await.0.unwrap();
        assert_eq!(read.await.unwrap().1, b"first");
    });
}

fn poll_once<F: Future + Unpin>(future: &mut F) {
    let polled = Pin::new(future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
}

/// A future does not count as a user of the driver until the end of the driver begins. From then on it does, or the
/// driver would be gone when the future is.
#[test]
fn r03_a_future_that_was_begun_keeps_the_driver_beyond_the_runtime() {
    let runtime = Builder::new().build().unwrap();
    let (futures, shell) = runtime.block_on(async {
        let (a, b) = pair().await;
        // With the kernel, behind it at the gate, and answered but unread.
        let mut futures = [b.read(vec![0; 8]), b.read(vec![0; 8]), a.read(vec![0; 8])];
        futures.iter_mut().for_each(poll_once);
        b.write_all("answer").await.0.unwrap();
        for _ in 0..3 {
            crate::yield_now().await;
        }
        (futures, Rc::downgrade(&driver().0))
    });
    // They are dropped only if that is sound.
    let mut futures = futures.map(ManuallyDrop::new);
    drop(runtime);
    for (dropped, future) in futures.iter_mut().enumerate() {
        assert_eq!(shell.strong_count(), 3 - dropped, "one for each future");
        // SAFETY: the driver is there, and the future is dropped once.
        unsafe { ManuallyDrop::drop(future) };
    }
    assert_eq!(shell.strong_count(), 0, "the last one ends the driver");
}

/// Reads, and says whether what was read is a part of a message.
struct ReadPart {
    fd: Fd,
    buf: Vec<u8>,
}

impl Op for ReadPart {
    type Output = (Vec<u8>, bool);
    const TRAITS: Traits = Traits { gives_more: true, ..Traits::RECEIVE };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let into = self.buf.as_uninit();
        Request::Recv { fd: &self.fd, into, flags: RecvFlags::default() }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        completion.fill(0, &mut self.buf).unwrap();
        (self.buf, completion.is_part())
    }
}

/// What a dropped read left is a message, or a part of one: what is read of it says whether more is to come.
#[test]
fn w06_what_was_left_of_a_message_keeps_its_end() {
    crate::block_on(async {
        let (a, b) = pair().await;
        for goes_on in [false, true] {
            let mut read = b.read(Vec::with_capacity(64));
            poll_once(&mut read);
            a.write_all("0123456789").await.0.unwrap();
            // Until it has its answer, at which nobody looks.
            while driver().with(|inner| inner.in_flight()) != Some(0) {
                crate::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            drop(read);
            let carry = b.fd().read.carry.get();
            assert_ne!(carry, NONE, "a read was dropped that had its answer");
            if goes_on {
                // As a pipe of messages says it.
                driver().with(|inner| inner.slots.head(carry).marks.flags |= PART);
            }
            let part = async |room| {
                let (fd, buf) = (b.fd().clone(), Vec::with_capacity(room));
                Operation::new(ReadPart { fd, buf }).await
            };
            assert_eq!(part(4).await, (b"0123".to_vec(), true));
            assert_eq!(part(64).await, (b"456789".to_vec(), goes_on));
        }
    });
}
