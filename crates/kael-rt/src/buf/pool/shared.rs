//! The pool itself: its memory, which buffers are free, who waits, and what is lent to the kernel.

use crate::{
    driver::Driver,
    error::Error,
    sys::{self, Buffers},
};
use std::{
    alloc::{self, Layout},
    cell::{Cell, RefCell},
    collections::VecDeque,
    io, mem,
    ptr::NonNull,
    rc::Rc,
    task::Waker,
};

/// What a pool's handles, its buffers and the receives into it share.
///
/// ```text
///              take                          drop
///   free ─────────────▶ a PoolBuf ──────────────────────▶ given to who waits first
///    ▲                     ▲                  │     │
///    │                     │ received         │     └──▶ lent, while fewer are than shall be
///    └─────────────────────┼──────────────────┘               │
///                          └──────────────────────────────────┘
/// ```
pub(crate) struct Shared {
    buffers: Buffers,
    /// What was allocated, in which the buffers lie.
    memory: NonNull<u8>,
    layout: Layout,
    driver: Driver,
    free: RefCell<Vec<u16>>,
    /// Buffers that were made because all others were lent, or held; and those of them that are free.
    spares: RefCell<Vec<Spare>>,
    waiting: RefCell<Waiting>,
    lending: Cell<Lending>,
    lent: Cell<u16>,
    /// How many the kernel shall have. It takes the one that was lent longest ago, so each is used in turn: with few
    /// of them they stay in the cache.
    to_lend: Cell<u16>,
    /// The fewest that the kernel had left, and how many receives that is to be looked at after.
    fewest_left: Cell<u16>,
    until_look: Cell<u16>,
    /// The place of its memory in the ring's table, or why it has none.
    home: Result<u32, Option<io::Error>>,
}

struct Spare {
    /// Made by a `Box`, and freed as one.
    memory: NonNull<[u8]>,
    is_free: bool,
}

#[derive(Default)]
struct Waiting {
    /// In the order of their first polls.
    queue: VecDeque<(u64, Waker)>,
    /// Buffers that were given to futures that have not looked yet.
    given: Vec<(u64, u16)>,
    next: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lending {
    NotYet,
    To(u16),
    /// The system has no such thing, or refuses: receives take a buffer before they ask.
    Never,
}

/// Buffers that are lent at first.
const FEW: u16 = 16;

/// Receives between two looks at how many of the lent buffers were never used.
const LOOK_AFTER: u16 = 8192;

/// Three of four, and one at least.
fn most_to_lend(count: u16) -> u16 {
    (count - count / 4).min((count - 1).max(1))
}

const PAGE: usize = 4096;
const HUGE_PAGE: usize = 2 << 20;

impl Shared {
    /// From one buffer to the next: small ones share a page and do not straddle cache lines, large ones
    /// begin on one of their own, as direct I/O wants.
    pub(super) fn stride(size: usize) -> usize {
        if size >= PAGE {
            size.checked_next_multiple_of(PAGE).unwrap_or(usize::MAX)
        } else {
            size.max(64).next_power_of_two()
        }
    }

    pub(super) fn new(
        driver: Driver,
        count: u16,
        size: usize,
        huge: bool,
        registered: bool,
    ) -> Shared {
        let stride = Shared::stride(size);
        let (len, align) = (stride * usize::from(count), if huge { HUGE_PAGE } else { PAGE });
        // Zeroed memory of a large alignment would be written to by the allocator, all of it, and so be resident; plain
        // zeroed memory comes so from the system, page by page, when it is used. So the alignment is made here.
        let layout =
            Layout::from_size_align(len + align, 1).expect("the caller has looked at the size");
        // SAFETY: it is not of size 0: neither is the count nor the stride.
        let memory = unsafe { alloc::alloc_zeroed(layout) };
        let memory = NonNull::new(memory).unwrap_or_else(|| alloc::handle_alloc_error(layout));
        // SAFETY: less than `align` bytes on, and there are `len` bytes behind.
        let at = unsafe { memory.add(memory.align_offset(align)) };
        if huge {
            sys::advise_huge_pages(at, len);
        }
        let home = match registered.then(|| driver.register(at, len)) {
            None => Err(None),
            Some(Ok(place)) => place.ok_or(None),
            Some(Err(error)) => Err(Some(Error::pool_not_registered(error, len))),
        };
        Shared {
            buffers: Buffers { at, count, size: size as u32, stride },
            memory,
            layout,
            driver,
            // The first is taken first.
            free: RefCell::new((0..count).rev().collect()),
            spares: RefCell::default(),
            waiting: RefCell::default(),
            lending: Cell::new(Lending::NotYet),
            lent: Cell::new(0),
            to_lend: Cell::new(FEW.min(most_to_lend(count))),
            fewest_left: Cell::new(u16::MAX),
            until_look: Cell::new(LOOK_AFTER),
            home,
        }
    }

    pub(super) fn count(&self) -> u16 {
        self.buffers.count
    }

    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.buffers.size as usize
    }

    #[inline]
    pub(crate) fn at(&self, buffer: u16) -> NonNull<u8> {
        if buffer < self.count() { self.buffers.get(buffer) } else { self.spare_at(buffer) }
    }

    #[cold]
    fn spare_at(&self, buffer: u16) -> NonNull<u8> {
        self.spares.borrow()[usize::from(buffer - self.count())].memory.cast()
    }

    /// A buffer beyond those of the pool. `None`: their numbers have run out.
    #[cold]
    pub(super) fn make(&self) -> Option<u16> {
        let mut spares = self.spares.borrow_mut();
        let place = match spares.iter().position(|spare| spare.is_free) {
            Some(place) => {
                spares[place].is_free = false;
                place
            }
            None => {
                let memory = vec![0; self.size()].into_boxed_slice();
                spares.push(Spare { memory: NonNull::from(Box::leak(memory)), is_free: false });
                spares.len() - 1
            }
        };
        u16::try_from(usize::from(self.count()) + place).ok()
    }

    pub(super) fn available(&self) -> usize {
        self.free.borrow().len()
    }

    pub(super) fn lent(&self) -> usize {
        usize::from(self.lent.get())
    }

    pub(super) fn is_registered(&self) -> bool {
        self.home.is_ok()
    }

    pub(super) fn registration_error(&self) -> Option<&io::Error> {
        self.home.as_ref().err()?.as_ref()
    }

    #[inline]
    pub(crate) fn take(&self) -> Option<u16> {
        self.free.borrow_mut().pop()
    }

    /// One that was just taken is not used. (Nobody waits while one is free.)
    #[inline]
    pub(crate) fn put_back_unused(&self, buffer: u16) {
        self.free.borrow_mut().push(buffer);
    }

    /// How many answers may wait unread for one future.
    pub(crate) fn bound(&self) -> u8 {
        (self.count() / 4).clamp(1, 64) as u8
    }

    /// The group that receives into this pool name; `None`: they take a buffer first. The first time,
    /// buffers are lent.
    #[inline]
    pub(crate) fn group(self: &Rc<Self>) -> Option<u16> {
        match self.lending.get() {
            Lending::To(group) => Some(group),
            Lending::Never => None,
            Lending::NotYet => self.begin_to_lend(),
        }
    }

    /// The same for who has asked before.
    pub(crate) fn its_group(&self) -> u16 {
        match self.lending.get() {
            Lending::To(group) => group,
            Lending::NotYet | Lending::Never => unreachable!("a receive asks for the group first"),
        }
    }

    #[cold]
    fn begin_to_lend(self: &Rc<Self>) -> Option<u16> {
        let Ok(group) = self.driver.provide(Rc::downgrade(self), self.buffers) else {
            self.lending.set(Lending::Never);
            return None;
        };
        self.lending.set(Lending::To(group));
        self.lend_free_ones(group);
        Some(group)
    }

    fn lend_free_ones(&self, group: u16) {
        while self.lent.get() < self.to_lend.get()
            && let Some(buffer) = self.take()
        {
            self.lend(group, buffer);
        }
    }

    /// The kernel has used up what it was lent, or nearly: it gets twice as many from now on.
    #[cold]
    pub(crate) fn lend_more(&self) {
        let (wanted, most) = (self.to_lend.get(), most_to_lend(self.count()));
        if let (Lending::To(group), true) = (self.lending.get(), wanted < most) {
            self.to_lend.set(wanted.saturating_mul(2).min(most));
            self.lend_free_ones(group);
        }
    }

    fn lend(&self, group: u16, buffer: u16) {
        if self.driver.lend(group, buffer) {
            self.lent.set(self.lent.get() + 1);
        } else {
            // The runtime has ended; nobody receives any more.
            self.free.borrow_mut().push(buffer);
        }
    }

    /// A buffer comes from the kernel.
    #[inline]
    pub(super) fn received(&self) {
        let left = self.lent.get() - 1;
        self.lent.set(left);
        self.fewest_left.set(left.min(self.fewest_left.get()));
        if left < self.to_lend.get() / 4 {
            self.lend_more();
        }
        let until = self.until_look.get() - 1;
        self.until_look.set(until);
        if until == 0 {
            self.lend_less();
        }
    }

    /// A burst is over for which the kernel was lent so many: it gets half as many from now on, if it still has
    /// enough then. What it has comes back as it is used.
    #[cold]
    fn lend_less(&self) {
        self.until_look.set(LOOK_AFTER);
        let (fewest, lent) = (self.fewest_left.replace(u16::MAX), self.to_lend.get());
        // With 5 of 8 left, a quarter of the half would be: just enough.
        if fewest > lent / 8 * 5 {
            self.to_lend.set((lent / 2).max(FEW.min(lent)));
        }
    }

    /// A buffer that the kernel had comes back, unread.
    pub(crate) fn put_back_unread(&self, buffer: u16) {
        self.received();
        self.put_back(buffer);
    }

    /// A buffer is free: for who waits, for the kernel, or to be taken.
    #[inline]
    pub(super) fn put_back(&self, buffer: u16) {
        if buffer >= self.count() {
            self.spares.borrow_mut()[usize::from(buffer - self.count())].is_free = true;
            return;
        }
        if !self.waiting.borrow().queue.is_empty() {
            return self.give(buffer);
        }
        match self.lending.get() {
            Lending::To(group) if self.lent.get() < self.to_lend.get() => self.lend(group, buffer),
            _ => self.free.borrow_mut().push(buffer),
        }
    }

    #[cold]
    fn give(&self, buffer: u16) {
        let waker = {
            let mut waiting = self.waiting.borrow_mut();
            let (ticket, waker) = waiting.queue.pop_front().expect("the caller has looked");
            waiting.given.push((ticket, buffer));
            waker
        };
        waker.wake();
    }

    /// A buffer for who has `ticket`, or its place in the queue. `waker` was cloned with nothing borrowed.
    pub(super) fn wait(&self, ticket: &mut Option<u64>, waker: Waker) -> Option<u16> {
        let mut waiting = self.waiting.borrow_mut();
        let Some(own) = *ticket else {
            if waiting.queue.is_empty()
                && let Some(buffer) = self.take()
            {
                return Some(buffer);
            }
            let own = waiting.next;
            waiting.next += 1;
            waiting.queue.push_back((own, waker));
            *ticket = Some(own);
            drop(waiting);
            // The buffer may be with a send of which nobody waits to hear.
            self.driver.hurry();
            return None;
        };
        if let Some(i) = waiting.given.iter().position(|(of, _)| *of == own) {
            *ticket = None;
            return Some(waiting.given.swap_remove(i).1);
        }
        let place = waiting.queue.iter_mut().find(|(of, _)| *of == own);
        let old = place.map(|(_, old)| mem::replace(old, waker));
        drop(waiting);
        drop(old);
        None
    }

    /// The future that has `ticket` goes.
    pub(super) fn stop_waiting(&self, ticket: u64) {
        let mut waiting = self.waiting.borrow_mut();
        if let Some(i) = waiting.given.iter().position(|(of, _)| *of == ticket) {
            let buffer = waiting.given.swap_remove(i).1;
            drop(waiting);
            return self.put_back(buffer);
        }
        let place = waiting.queue.iter().position(|(of, _)| *of == ticket);
        let own = place.and_then(|i| waiting.queue.remove(i));
        drop(waiting);
        drop(own);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Lending::To(group) = self.lending.get() {
            self.driver.withdraw(group);
        }
        if let Ok(place) = self.home {
            self.driver.unregister(place);
        }
        for spare in self.spares.get_mut() {
            // SAFETY: leaked in `make`, and its buffer is gone, as all are.
            drop(unsafe { Box::from_raw(spare.memory.as_ptr()) });
        }
        // SAFETY: allocated in `new` with that layout. No buffer and no operation is left that could name
        // it, and the kernel has forgotten it: what it might still use is a buffer of an operation.
        unsafe { alloc::dealloc(self.memory.as_ptr(), self.layout) };
    }
}
