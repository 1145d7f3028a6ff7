//! Pools whose buffers a driver may receive into, and what passes between the two.

use super::{
    Descriptor, Driver, Fd, Key,
    inner::Inner,
    slot::{Answer, NONE, SlotId, State},
};
use crate::{
    buf::PoolShared,
    error::Fault,
    sys::{Backend, Buffers, buffer_of},
    task::clone_waker,
};
use std::{
    io,
    ptr::NonNull,
    rc::{Rc, Weak},
    task::Waker,
};

/// Pools that may receive on one core at a time.
const MAX_POOLS: usize = 256;

impl Driver {
    /// Lets the backend receive into buffers of a pool, once they are given to it. Returns the group's
    /// number.
    pub(crate) fn provide(&self, pool: Weak<PoolShared>, buffers: Buffers) -> io::Result<u16> {
        self.with(|inner| inner.provide(pool, buffers))
            .unwrap_or_else(|| Err(Fault::error(Fault::Ended.code())))
    }

    /// The pool ends, and nothing is under way that could receive into it.
    pub(crate) fn withdraw(&self, group: u16) {
        self.with(|inner| {
            inner.pools[usize::from(group)] = Weak::new();
            inner.backend.withdraw(group);
        });
    }

    /// Lets the backend pick a buffer. False: the driver has ended.
    #[inline]
    pub(crate) fn lend(&self, group: u16, buffer: u16) -> bool {
        self.with(|inner| inner.backend.give_back(group, buffer)).is_some()
    }

    /// Registers memory with the backend. `Ok(None)`: it has no such thing.
    pub(crate) fn register(&self, at: NonNull<u8>, len: usize) -> io::Result<Option<u32>> {
        self.control(|backend| backend.register_memory(at, len))
    }

    /// The memory is used no more.
    pub(crate) fn unregister(&self, place: u32) {
        self.with(|inner| inner.backend.unregister_memory(place));
    }

    /// Somebody waits for the buffer of a queued send, perhaps.
    pub(crate) fn hurry(&self) {
        self.with(Inner::hurry);
    }

    /// Gives buffers that nobody will read back to their pools.
    #[inline]
    pub(super) fn return_buffers(&self) {
        while let Some((pool, buffer)) = self.borrow().and_then(|mut inner| inner.next_returned()) {
            pool.put_back_unread(buffer);
        }
    }

    /// Notes that a stream of large messages reads into a buffer that it has taken.
    pub(crate) fn count_plain(&self) {
        self.with(|inner| inner.plain_receives += 1);
    }

    /// Notes that somebody got a buffer of a pool with something in it, having waited for one or not.
    pub(crate) fn count_pooled(&self, starved: bool) {
        self.with(|inner| {
            inner.pooled_receives += 1;
            inner.pool_starved += u64::from(starved);
        });
    }
}

/// What a multishot that receives into a pool has for its future.
pub(crate) enum Piece {
    /// The result, and the buffer.
    Item(i32, Option<u16>),
    /// The same, and the buffer was not lent before.
    #[allow(dead_code, reason = "only readiness receives so")]
    Taken(i32, u16),
    /// It is over; its last answer is taken as any other.
    Last,
    Pending,
}

impl super::Fd {
    /// Something that was received before waits to be read.
    pub(crate) fn has_unread(&self) -> bool {
        self.read.carry.get() != NONE
    }
}

impl Key {
    /// The next item of a multishot that receives from `fd` into `pool`. If there is none, `waker` will be woken.
    #[inline]
    pub(crate) fn poll_piece(&self, waker: &Waker, fd: &Fd, pool: &Rc<PoolShared>) -> Piece {
        if Backend::ON_DEMAND {
            let Some(mut inner) = self.driver.borrow() else { return Piece::Last };
            if inner.slots.head_at(self.slot).marks.state != State::InFlight {
                return Piece::Last;
            }
            if inner.backend.may_receive(self.id, fd.number())
                && let Some(item) = inner.receive(self.id, fd, pool)
            {
                return item;
            }
            let waker_there = &inner.slots.head_at(self.slot).waker;
            if waker_there.as_ref().is_some_and(|own| own.will_wake(waker)) {
                return Piece::Pending;
            }
        } else {
            let Some(mut inner) = self.driver.borrow() else { return Piece::Last };
            if let Some((result, flags)) = inner.pop_item(self.slot) {
                inner.pooled_receives += 1;
                return Piece::Item(result, buffer_of(flags));
            }
            let head = inner.slots.head_at(self.slot);
            // From here on it waits.
            head.marks.answer = Answer::Nothing;
            match (head.marks.state, &head.waker) {
                (State::InFlight, Some(own)) if own.will_wake(waker) => return Piece::Pending,
                (State::InFlight, _) => {}
                _ => return Piece::Last,
            }
        }
        let waker = clone_waker(waker);
        let old = self.driver.with(|inner| inner.slots.head_at(self.slot).waker.replace(waker));
        drop(old);
        Piece::Pending
    }
}

impl Inner {
    /// Receives for a multishot whose future looks: into a buffer that nobody has, or one that was lent to the backend.
    #[inline(always)]
    fn receive(&mut self, id: SlotId, fd: &Descriptor, pool: &PoolShared) -> Option<Piece> {
        let own = pool.take();
        let (at, buffer) = match own {
            Some(buffer) => (pool.at(buffer), buffer),
            None => self.backend.take_lent(id, fd, pool.its_group())?,
        };
        // SAFETY: a buffer of that size, taken just now, so it is nobody else's.
        let result = unsafe { self.backend.receive_waiting(id, fd, at, pool.size()) };
        if result <= 0 {
            match own {
                Some(buffer) => pool.put_back_unused(buffer),
                None => self.backend.give_back(pool.its_group(), buffer),
            }
            return None;
        }
        self.items_seen += 1;
        self.pooled_receives += 1;
        Some(match own {
            Some(buffer) => Piece::Taken(result, buffer),
            None => Piece::Item(result, Some(buffer)),
        })
    }

    fn provide(&mut self, pool: Weak<PoolShared>, buffers: Buffers) -> io::Result<u16> {
        let place = self.pools.iter().position(|pool| pool.strong_count() == 0);
        let place = place.unwrap_or(self.pools.len());
        if place == MAX_POOLS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        self.backend.provide(place as u16, buffers)?;
        if place == self.pools.len() {
            self.pools.push(pool);
        } else {
            self.pools[place] = pool;
        }
        Ok(place as u16)
    }

    #[inline]
    fn next_returned(&mut self) -> Option<(Rc<PoolShared>, u16)> {
        loop {
            let (group, buffer) = self.returned.pop()?;
            if let Some(pool) = self.pools[usize::from(group)].upgrade() {
                return Some((pool, buffer));
            }
        }
    }
}
