//! Descriptors: one pooled, counted node for each open file or socket, shared by the public
//! type, its halves, and the operations on it.
//!
//! A node counts those who use it (`users`) and apart from them its orphans, operations whose
//! future is gone (`orphans`). When only orphans are left, nobody can ask for more: they are
//! cancelled. When nobody is left, the descriptor is closed. So a close never overtakes a queued
//! or running operation on the same number, and the number is not reused under one.

use super::{Driver, aligned::Alignment, slot::NONE};
use crate::{error::Fault, op::Side, sys, task::context};
use std::{
    cell::{Cell, RefCell, UnsafeCell},
    io,
    mem::ManuallyDrop,
    ptr::{self, NonNull},
};

/// What a descriptor is: it decides whether the gates are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    File,
    Datagram,
    // From here on both sides have a gate.
    /// One end of a pipe: a stream of which the system reads and writes as it does of a file.
    Pipe,
    // From here on plain transfers go the short way.
    Stream,
    Listener,
}

/// One side of a socket: who is with the kernel, who waits, and what was left behind.
pub(crate) struct Gate {
    /// The slot whose operation has the side; [`NONE`] if it is free.
    pub(super) holder: Cell<u32>,
    /// The operations that wait for it, in the order of their first poll.
    pub(super) first: Cell<u32>,
    pub(super) last: Cell<u32>,
    /// The slot of a dropped operation that had received something.
    pub(super) carry: Cell<u32>,
    /// An error that nobody has seen yet, or one that stays (see `dead`).
    pub(super) sticky: Cell<i32>,
    /// The sticky error stays: the stream is over on this side.
    pub(super) dead: Cell<bool>,
}

impl Gate {
    const fn new() -> Gate {
        Gate {
            holder: Cell::new(NONE),
            first: Cell::new(NONE),
            last: Cell::new(NONE),
            carry: Cell::new(NONE),
            sticky: Cell::new(0),
            dead: Cell::new(false),
        }
    }

    fn reset(&self) {
        debug_assert!(self.holder.get() == NONE && self.first.get() == NONE);
        self.carry.set(NONE);
        self.sticky.set(0);
        self.dead.set(false);
    }

    /// Nobody is here, and nothing was left: whoever comes may pass.
    #[inline(always)]
    pub(super) fn is_open(&self) -> bool {
        // NONE has all bits set.
        let nobody = self.holder.get() & self.first.get() & self.carry.get();
        nobody == NONE && self.sticky.get() == 0
    }

    fn is_quiet(&self) -> bool {
        self.holder.get() == NONE && self.first.get() == NONE && self.carry.get() == NONE
    }
}

/// What each transfer looks at comes first, and is one line of the cache.
#[repr(C, align(64))]
pub(crate) struct Descriptor {
    number: Cell<i32>,
    users: Cell<u32>,
    /// The driver's address, to be compared only.
    tag: Cell<*const ()>,
    /// The driver, while the node is in use. It keeps the node's own memory alive. Written when the
    /// first user comes and when the last is gone.
    driver: UnsafeCell<Option<Driver>>,
    pub(super) write: Gate,
    kind: Cell<Kind>,
    direct: Cell<bool>,
    /// Queued sends that are not over.
    pub(crate) queued: Cell<u8>,
    /// Accepting failed for want of a descriptor, and somebody was told.
    pub(crate) starved: Cell<bool>,
    /// So many more queued sends may find the socket full: see `inner/quiet.rs`.
    pub(super) pressed: Cell<u16>,
    /// What direct I/O on the file wants.
    pub(super) alignment: Cell<Alignment>,
    orphans: Cell<u32>,
    /// Its place in the backend's table, or [`NONE`].
    place: Cell<u32>,
    pub(super) read: Gate,
    /// What it reads may be in memory, and the system can be asked for that alone.
    pub(crate) cached: Cell<bool>,
    next: Cell<*const Descriptor>,
}

const _: () = assert!(std::mem::offset_of!(Descriptor, read) <= 64);

impl Descriptor {
    #[inline]
    pub(super) fn gate(&self, side: Side) -> &Gate {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    /// Whether requests pass the gate of that side. Files are positional, and datagrams do not
    /// interleave.
    #[inline(always)]
    pub(super) fn is_gated(&self, side: Side) -> bool {
        match side {
            Side::Read => self.kind.get() != Kind::File,
            Side::Write => self.kind.get() as u8 >= Kind::Pipe as u8,
        }
    }

    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        self.kind.get()
    }

    /// Bytes in order, with an end: a connection or a pipe.
    #[inline]
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.kind.get(), Kind::Stream | Kind::Pipe)
    }

    /// One end of a pipe, which has no calls of sockets.
    #[inline(always)]
    pub(crate) fn is_pipe(&self) -> bool {
        self.kind.get() == Kind::Pipe
    }

    /// The number, as the kernel knows it; -1 once it was given away.
    #[inline]
    pub(crate) fn number(&self) -> i32 {
        self.number.get()
    }

    /// The number is an index into the ring's own table.
    #[inline]
    pub(crate) fn is_direct(&self) -> bool {
        self.direct.get()
    }

    /// Its place in the backend's table, or [`NONE`].
    #[allow(dead_code, reason = "only a ring has such a table")]
    #[inline]
    pub(crate) fn place(&self) -> u32 {
        self.place.get()
    }

    #[allow(dead_code, reason = "only Windows tells it later")]
    pub(crate) fn set_place(&self, place: u32) {
        self.place.set(place);
    }

    /// The same; from here on it has none.
    pub(crate) fn take_place(&self) -> u32 {
        self.place.replace(NONE)
    }

    /// Both were made by the same driver.
    pub(crate) fn is_of_the_driver_of(&self, other: &Descriptor) -> bool {
        std::ptr::eq(self.tag.get(), other.tag.get())
    }

    /// It was made by the driver at that address.
    #[inline(always)]
    pub(super) fn belongs_to_tag(&self, tag: *const ()) -> bool {
        std::ptr::eq(self.tag.get(), tag)
    }

    /// The driver, if it is the one that runs on this thread now and is not ending, and nothing is
    /// in the way of a plain transfer.
    #[inline(always)]
    pub(super) fn may_pass(&self, side: Option<Side>) -> Option<&Driver> {
        // A number that was given away takes the tag with it.
        if !context::is_driver(self.tag.get()) {
            return None;
        }
        // Datagrams go the long way: they come with their sender's address; and pipes, lest sockets look whether they are one.
        if let Some(side) = side
            && !(self.kind.get() as u8 >= Kind::Stream as u8 && self.gate(side).is_open())
        {
            return None;
        }
        // SAFETY: as in `driver`; and a descriptor in use has one.
        Some(unsafe { (*self.driver.get()).as_ref().unwrap_unchecked() })
    }

    /// It, as a slot notes it. A node in use stays where it is.
    #[inline]
    pub(super) fn node(&self) -> NonNull<Descriptor> {
        NonNull::from(self)
    }

    /// Only orphans are left.
    #[inline]
    pub(super) fn is_abandoned(&self) -> bool {
        self.users.get() == 0
    }

    /// Nothing more is written: what waits to be is refused.
    pub(super) fn end_writes(&self) {
        self.write.sticky.set(Fault::Closed.code());
        self.write.dead.set(true);
    }

    /// Another peer will be at the other end: what the last one left behind is told to nobody.
    #[allow(
        dead_code,
        reason = "only the server's end of a named pipe has one peer after the other"
    )]
    pub(crate) fn forget_peer(&self) {
        for gate in [&self.read, &self.write] {
            gate.sticky.set(0);
            gate.dead.set(false);
        }
    }

    /// A write was stopped, and nobody knows how far it came: no other may follow it.
    #[allow(dead_code, reason = "only named pipes do not say how far")]
    pub(crate) fn tear(&self) {
        if self.write.sticky.get() == 0 {
            self.write.sticky.set(Fault::Torn.code());
            self.write.dead.set(true);
        }
    }

    /// A user becomes an orphan.
    pub(super) fn add_orphan(&self) {
        self.users.set(self.users.get() - 1);
        self.orphans.set(self.orphans.get() + 1);
    }

    /// An orphan is about to be dropped, as users are.
    pub(super) fn end_orphan(&self) {
        self.users.set(self.users.get() + 1);
        self.orphans.set(self.orphans.get() - 1);
    }
}

/// A counted pointer to a [`Descriptor`].
pub(crate) struct Fd(NonNull<Descriptor>);

impl Fd {
    pub(crate) fn set_kind(&self, kind: Kind) {
        self.kind.set(kind);
    }

    pub(crate) fn driver(&self) -> Driver {
        // SAFETY: it is not written while there is a user, and this is one.
        let driver = unsafe { &*self.driver.get() };
        driver.clone().expect("a descriptor in use has a driver")
    }

    /// Has the backend keep the file or socket in its table, if it has one and a free place.
    pub(crate) fn enter_table(&self) {
        if self.is_direct() {
            return;
        }
        let driver = self.driver();
        if let Some(place) = driver.with(|inner| inner.backend.enter_table(self.number())) {
            self.place.set(place);
        }
    }

    /// Gives a direct descriptor a number of the process in exchange for its place in the ring's table. Operations that
    /// are under way have the file already, and what is queued comes before the close.
    pub(crate) fn install(&self) -> io::Result<()> {
        if !self.is_direct() {
            return Ok(());
        }
        if self.number() < 0 {
            return Err(Fault::error(Fault::Closed.code()));
        }
        let driver = self.driver();
        let number = driver.control(|backend| backend.install(self))?;
        let place = self.number.replace(number);
        self.direct.set(false);
        driver.close(place, true);
        self.enter_table();
        Ok(())
    }

    /// Takes the number out, so that the end of this node closes nothing. Only for the last user
    /// of a quiet descriptor with a number of its own; otherwise the node comes back.
    fn release_number(self) -> Result<i32, Fd> {
        let quiet = self.read.is_quiet() && self.write.is_quiet();
        // Only what is going to leave gives up its place in the table.
        if self.is_shared() || !quiet || self.install().is_err() {
            return Err(self);
        }
        let (number, driver) = (self.number.get(), self.driver());
        if driver.with(|inner| inner.backend.may_let_go(number)) == Some(false) {
            return Err(self);
        }
        let place = self.take_place();
        if place != NONE {
            driver.with(|inner| inner.backend.leave_table(place));
            // Its next owner may close it at once, and then nothing may keep the file open.
            driver.flush();
        }
        driver.with(|inner| inner.backend.let_go(&self));
        self.forget_number();
        Ok(number)
    }

    /// The file as the standard library's; see [`release_number`](Self::release_number).
    pub(crate) fn into_file(self) -> Result<std::fs::File, Fd> {
        let number = self.release_number()?;
        // SAFETY: the number was ours alone, and the node has forgotten it.
        Ok(unsafe { sys::file_of(number) })
    }

    /// The stream as the standard library's; see [`release_number`](Self::release_number).
    pub(crate) fn into_stream(self) -> Result<std::net::TcpStream, Fd> {
        let number = self.release_number()?;
        // SAFETY: as in `into_file`.
        Ok(unsafe { sys::stream_of(number) })
    }

    /// A pipe's number; see [`release_number`](Self::release_number).
    #[allow(dead_code, reason = "pipes of Windows stay here")]
    pub(crate) fn into_number(self) -> Result<i32, Fd> {
        self.release_number()
    }

    /// Somebody else uses the descriptor too.
    pub(crate) fn is_shared(&self) -> bool {
        self.users.get() + self.orphans.get() > 1
    }

    /// Somebody uses the descriptor besides this and what dropped futures left under way.
    pub(crate) fn is_awaited(&self) -> bool {
        self.users.get() > 1
    }

    /// The descriptor was closed by an operation: nothing is left to close.
    pub(crate) fn forget_number(&self) {
        self.number.set(-1);
        // No driver's, and not what stands for none either.
        self.tag.set(ptr::dangling());
    }
}

impl std::ops::Deref for Fd {
    type Target = Descriptor;
    #[inline]
    fn deref(&self) -> &Descriptor {
        // SAFETY: a node in use stays where it is, and this reference is one of its users.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for Fd {
    #[inline]
    fn clone(&self) -> Fd {
        self.users.set(self.users.get() + 1);
        Fd(self.0)
    }
}

impl Drop for Fd {
    #[inline(always)]
    fn drop(&mut self) {
        let users = self.users.get() - 1;
        self.users.set(users);
        if users == 0 {
            // By value: a pointer to the handle would keep its operation in memory, for each that ends.
            Fd::last_user_gone(ManuallyDrop::new(Fd(self.0)));
        }
    }
}

impl Fd {
    #[cold]
    #[inline(never)]
    fn last_user_gone(last: ManuallyDrop<Fd>) {
        if last.orphans.get() == 0 {
            last.end();
        } else {
            let driver = last.driver();
            driver.abandon(last.0);
        }
    }

    /// Nobody is left: closes, and puts the node back into its pool.
    fn end(&self) {
        // SAFETY: the last user is gone, so nobody else looks at it.
        let driver = unsafe { &mut *self.driver.get() }.take();
        let driver = driver.expect("a descriptor in use has a driver");
        let (number, place) = (self.number.replace(-1), self.take_place());
        if number >= 0 {
            driver.with(|inner| inner.backend.leave_table(place));
            driver.close(number, self.direct.get());
        }
        self.read.reset();
        self.write.reset();
        driver.descriptors().put(self.0);
        // The driver may end here, and the node's memory with it: it is not touched any more.
    }
}

/// The pool of nodes of one driver.
pub(crate) struct Descriptors {
    free: Cell<*const Descriptor>,
    chunks: RefCell<Vec<NonNull<[Descriptor]>>>,
}

/// Nodes made at once.
const CHUNK: usize = 32;

impl Descriptors {
    pub(super) fn new() -> Descriptors {
        Descriptors { free: Cell::new(ptr::null()), chunks: RefCell::new(Vec::new()) }
    }

    /// A node for a descriptor that the kernel just made and nobody else owns.
    pub(super) fn take(&self, driver: &Driver, number: i32, kind: Kind, direct: bool) -> Fd {
        if self.free.get().is_null() {
            self.grow();
        }
        let node = NonNull::new(self.free.get().cast_mut()).expect("the pool has just grown");
        // SAFETY: free nodes are alive as long as the pool, which is ours.
        let fresh = unsafe { node.as_ref() };
        self.free.set(fresh.next.get());
        fresh.number.set(number);
        fresh.direct.set(direct);
        fresh.kind.set(kind);
        fresh.users.set(1);
        fresh.orphans.set(0);
        fresh.starved.set(false);
        fresh.pressed.set(0);
        fresh.alignment.set(Alignment::ANY);
        fresh.queued.set(0);
        fresh.cached.set(false);
        fresh.tag.set(driver.tag());
        // SAFETY: nobody uses the node yet.
        unsafe { *fresh.driver.get() = Some(driver.clone()) };
        Fd(node)
    }

    fn put(&self, node: NonNull<Descriptor>) {
        // SAFETY: the node came from this pool.
        unsafe { node.as_ref() }.next.set(self.free.get());
        self.free.set(node.as_ptr());
    }

    fn grow(&self) {
        let chunk: Box<[Descriptor]> = (0..CHUNK)
            .map(|_| Descriptor {
                number: Cell::new(-1),
                direct: Cell::new(false),
                place: Cell::new(NONE),
                kind: Cell::new(Kind::File),
                users: Cell::new(0),
                orphans: Cell::new(0),
                starved: Cell::new(false),
                pressed: Cell::new(0),
                alignment: Cell::default(),
                queued: Cell::new(0),
                cached: Cell::new(false),
                read: Gate::new(),
                write: Gate::new(),
                tag: Cell::new(ptr::null()),
                driver: UnsafeCell::new(None),
                next: Cell::new(ptr::null()),
            })
            .collect();
        let chunk = NonNull::from(Box::leak(chunk));
        // SAFETY: just made, and never freed before the pool ends.
        for node in unsafe { chunk.as_ref() } {
            self.put(NonNull::from(node));
        }
        self.chunks.borrow_mut().push(chunk);
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        for chunk in self.chunks.get_mut().drain(..) {
            // SAFETY: made by `grow`. Each node in use holds the driver and thereby this pool, so
            // none is in use.
            drop(unsafe { Box::from_raw(chunk.as_ptr()) });
        }
    }
}
