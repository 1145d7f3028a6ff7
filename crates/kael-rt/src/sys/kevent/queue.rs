//! One queue: its knotes, and how they are found, made and dropped.
//!
//! Below is epoll, edge-triggered, and only to be told that something may have changed: whether a
//! condition holds is asked of the descriptor itself (`ready.rs`). The reads of a descriptor are
//! registered with the queue's own epoll, the writes with a second one inside it: in one
//! registration, an edge of one direction would look like one of the other.

use super::{
    chance::Chance,
    epoll,
    knote::{Knote, Source},
    names::*,
    ready::{self, Kind},
    settings::{self, Profile},
    sources::{Process, Timer, User},
};
use libc::c_int;
use std::{
    collections::VecDeque,
    os::fd::{AsRawFd, OwnedFd},
};

/// No knote.
const NONE: u32 = u32::MAX;

pub(super) struct Queue {
    pub(super) number: c_int,
    /// The epoll of the writes.
    pub(super) writes: OwnedFd,
    /// Wakes those who wait.
    pub(super) bell: OwnedFd,
    pub(super) profile: Profile,
    pub(super) chance: Chance,
    pub(super) slots: Vec<Slot>,
    free: Vec<u32>,
    /// For each descriptor the knotes of its reads and writes.
    descriptors: Vec<[u32; 2]>,
    /// The knotes that are not of descriptors.
    pub(super) others: Vec<u32>,
    /// Those that may have an event, in the order in which they became so.
    pub(super) active: VecDeque<u32>,
    /// The last one-shot that was delivered, as long as its number is open.
    pub(super) last_one_shot: Option<LastOneShot>,
    /// Threads that wait in the kernel, or are about to.
    pub(super) waiting: usize,
}

pub(super) struct Slot {
    pub(super) knote: Knote,
    /// An edge that is older than the knote has another.
    generation: u32,
}

pub(super) struct LastOneShot(pub(super) kevent);

// SAFETY: nobody here follows its udata.
unsafe impl Send for LastOneShot {}

impl Queue {
    pub(super) fn new(number: c_int, writes: OwnedFd, bell: OwnedFd) -> Queue {
        let (seed, stream) = settings::next_stream();
        Queue {
            number,
            writes,
            bell,
            profile: settings::profile(),
            chance: Chance::new(seed, stream),
            // Room for what tests have, so that those that count allocations count the driver's.
            slots: Vec::with_capacity(512),
            free: Vec::with_capacity(512),
            descriptors: Vec::with_capacity(512),
            others: Vec::with_capacity(16),
            active: VecDeque::with_capacity(512),
            last_one_shot: None,
            waiting: 0,
        }
    }

    pub(super) fn knote(&mut self, index: u32) -> &mut Knote {
        &mut self.slots[index as usize].knote
    }

    /// The knote of this edge, if it is still the one that asked for it.
    pub(super) fn of_tag(&self, tag: u64) -> Option<u32> {
        let slot = self.slots.get(tag as u32 as usize)?;
        let is_same = slot.generation == (tag >> 32) as u32;
        (is_same && !matches!(slot.knote.source, Source::Free)).then_some(tag as u32)
    }

    fn tag(&self, index: u32) -> u64 {
        u64::from(self.slots[index as usize].generation) << 32 | u64::from(index)
    }

    /// The epoll in which a filter's descriptors are.
    fn epoll(&self, filter: i16) -> c_int {
        if filter == EVFILT_WRITE { self.writes.as_raw_fd() } else { self.number }
    }

    /// The knote of a change. An error is one of the change itself: a number that is not open, a
    /// filter that the system does not have.
    pub(super) fn find(&mut self, change: &kevent) -> Result<Option<u32>, c_int> {
        match change.filter {
            EVFILT_READ | EVFILT_WRITE => {
                let Ok(fd) = c_int::try_from(change.ident) else {
                    return Err(libc::EBADF);
                };
                if !ready::is_open(fd) {
                    self.drop_descriptor(change.ident);
                    return Err(libc::EBADF);
                }
                let Some(index) = self.of_descriptor(change.ident, change.filter) else {
                    return Ok(None);
                };
                if !self.is_registered(index) {
                    self.drop_descriptor(change.ident);
                    return Ok(None);
                }
                Ok(Some(index))
            }
            EVFILT_USER if !self.profile.has_user_events() => Err(libc::EINVAL),
            EVFILT_USER | EVFILT_TIMER | EVFILT_PROC => {
                let found = self.others.iter().copied().find(|&index| {
                    let knote = &self.slots[index as usize].knote;
                    knote.ident == change.ident && knote.filter == change.filter
                });
                Ok(found)
            }
            _ => Err(libc::EINVAL),
        }
    }

    /// Makes the knote that a change asks for.
    pub(super) fn attach(&mut self, change: &kevent) -> Result<u32, c_int> {
        let source = match change.filter {
            EVFILT_USER => Source::User(User::new(change, self.profile)),
            EVFILT_TIMER => Source::Timer(Timer::new(change, self.profile)?),
            EVFILT_PROC => Source::Process(Process::new(change, self.profile)?),
            // What kind of file it is shows when epoll has taken it or not.
            _ => Source::Descriptor(Kind::Other),
        };
        let knote = Knote::new(change, self.profile, source);
        let index = self.take_slot(knote);
        let attached = match change.filter {
            EVFILT_READ | EVFILT_WRITE => self.attach_descriptor(index),
            EVFILT_PROC => self.attach_process(index),
            _ => Ok(()),
        };
        if let Err(error) = attached {
            self.free_slot(index);
            return Err(error);
        }
        match self.knote(index).is_of_descriptor() {
            true => *self.place(change.ident, change.filter) = index,
            false => self.others.push(index),
        }
        Ok(index)
    }

    fn attach_descriptor(&mut self, index: u32) -> Result<(), c_int> {
        let tag = self.tag(index);
        let Knote { ident, filter, .. } = *self.knote(index);
        let fd = ident as c_int;
        if self.profile == Profile::Darwin && ready::is_terminal_device(fd) {
            return Err(libc::EINVAL);
        }
        let by_epoll = match epoll::add(self.epoll(filter), fd, interest(filter), tag) {
            Ok(()) => true,
            Err(libc::EPERM) => false,
            // Left by an earlier owner of the number, which is the same file.
            Err(libc::EEXIST) => {
                epoll::change(self.epoll(filter), fd, interest(filter), tag)?;
                true
            }
            Err(error) => return Err(error),
        };
        let kind = ready::kind(fd, by_epoll).ok_or(libc::EBADF)?;
        self.knote(index).source = Source::Descriptor(kind);
        Ok(())
    }

    fn attach_process(&mut self, index: u32) -> Result<(), c_int> {
        let tag = self.tag(index);
        let Source::Process(process) = &self.slots[index as usize].knote.source else {
            unreachable!("the slot was filled by our caller");
        };
        epoll::add(self.number, process.descriptor(), interest(EVFILT_READ), tag)
    }

    /// Whether the knote's number still names the file for which it was made. epoll knows, unless
    /// the same file came back to the same number.
    pub(super) fn is_registered(&self, index: u32) -> bool {
        let Knote { ident, filter, ref source, .. } = self.slots[index as usize].knote;
        let fd = ident as c_int;
        match source {
            Source::Descriptor(kind @ Kind::File { .. }) => ready::kind(fd, false) == Some(*kind),
            Source::Descriptor(_) => epoll::has(self.epoll(filter), fd),
            _ => true,
        }
    }

    /// May have an event from now on.
    pub(super) fn activate(&mut self, index: u32) {
        let knote = self.knote(index);
        knote.active = true;
        if !knote.disabled && !knote.queued {
            knote.queued = true;
            self.active.push_back(index);
        }
    }

    /// Drops both knotes of a number, as its close does, and what is left of them in epoll.
    pub(super) fn drop_descriptor(&mut self, ident: usize) {
        for filter in [EVFILT_READ, EVFILT_WRITE] {
            if let Some(index) = self.of_descriptor(ident, filter) {
                self.drop_knote(index);
            }
        }
        self.forget_one_shot(ident, None);
    }

    /// It will not be delivered again. No filter is any.
    pub(super) fn forget_one_shot(&mut self, ident: usize, filter: Option<i16>) {
        let is_it = |last: &LastOneShot| {
            last.0.ident == ident && filter.is_none_or(|filter| filter == last.0.filter)
        };
        if self.last_one_shot.as_ref().is_some_and(is_it) {
            self.last_one_shot = None;
        }
    }

    pub(super) fn drop_knote(&mut self, index: u32) {
        let Knote { ident, filter, queued, .. } = *self.knote(index);
        if queued {
            self.active.retain(|&other| other != index);
        }
        if self.knote(index).is_of_descriptor() {
            epoll::remove(self.epoll(filter), ident as c_int);
            *self.place(ident, filter) = NONE;
        } else {
            self.others.retain(|&other| other != index);
        }
        self.free_slot(index);
    }

    fn of_descriptor(&self, ident: usize, filter: i16) -> Option<u32> {
        let index = self.descriptors.get(ident)?[direction(filter)];
        (index != NONE).then_some(index)
    }

    fn place(&mut self, ident: usize, filter: i16) -> &mut u32 {
        if ident >= self.descriptors.len() {
            self.descriptors.resize(ident + 1, [NONE; 2]);
        }
        &mut self.descriptors[ident][direction(filter)]
    }

    fn take_slot(&mut self, knote: Knote) -> u32 {
        if let Some(index) = self.free.pop() {
            *self.knote(index) = knote;
            return index;
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot { knote, generation: 0 });
        // So that nothing but a new slot allocates.
        self.free.reserve(self.slots.len());
        self.active.reserve(self.slots.len() - self.active.len());
        index
    }

    fn free_slot(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        // The highest generation would make the tags that are not of knotes.
        slot.generation = (slot.generation + 1) % u32::MAX;
        slot.knote.source = Source::Free;
        slot.knote.queued = false;
        self.free.push(index);
    }
}

fn direction(filter: i16) -> usize {
    (filter == EVFILT_WRITE) as usize
}

/// An end or an error is always told.
fn interest(filter: i16) -> c_int {
    let bits = match filter {
        EVFILT_WRITE => libc::EPOLLOUT,
        _ => libc::EPOLLIN | libc::EPOLLRDHUP,
    };
    bits | libc::EPOLLET
}
