//! How a call gets its events: edges are taken from epoll, and the active knotes are asked whether
//! they mean it.

use super::{
    chance::{self, Plan},
    epoll,
    knote::Source,
    names::*,
    queue::Queue,
    ready::{self, Report},
};
use libc::{c_int, epoll_event};
use std::{os::fd::AsRawFd, time::Instant};

/// Edges that one call of epoll takes.
const EDGES: usize = 64;

/// The caller's list of events, with room for `room`; it may lie where the changes lie.
pub(super) struct Events {
    place: *mut kevent,
    room: usize,
    count: usize,
}

impl Events {
    /// # Safety
    ///
    /// `place` has room for as many as `room` says and is nobody else's during the call.
    pub(super) unsafe fn new(place: *mut kevent, room: usize) -> Events {
        Events { place, room, count: 0 }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn has_room(&self) -> bool {
        self.count < self.room
    }

    pub(super) fn push(&mut self, event: kevent) {
        assert!(self.has_room());
        // SAFETY: there is room, by the contract of `new`. What lies there may be a change, which has
        // been read.
        unsafe { self.place.add(self.count).write(event) };
        self.count += 1;
    }

    fn limit(&mut self, limit: usize) {
        self.room = self.room.min(limit);
    }

    fn filled(&mut self) -> &mut [kevent] {
        if self.count == 0 {
            return &mut [];
        }
        // SAFETY: `push` has written them, and nobody else looks at them during the call.
        unsafe { std::slice::from_raw_parts_mut(self.place, self.count) }
    }

    fn has(&self, ident: usize, filter: i16) -> bool {
        (0..self.count).any(|index| {
            // SAFETY: `push` has written it.
            let event = unsafe { &*self.place.add(index) };
            event.ident == ident && event.filter == filter
        })
    }
}

impl Queue {
    /// Everything that this call gets now, by its plan.
    pub(super) fn collect(&mut self, events: &mut Events, plan: &Plan) -> Result<(), c_int> {
        self.take_edges()?;
        self.take_timers();
        if plan.repeated && self.profile.has_stale_one_shots() {
            self.repeat(events);
        }
        if let Some(short) = plan.short {
            // One that is true at least: nothing that is there is hidden by what is not.
            events.limit(events.count() + 1 + short as usize % self.active.len().max(1));
        }
        // Only those that are active now: one that stays so goes to the end, and others get theirs.
        for _ in 0..self.active.len() {
            if !events.has_room() {
                break;
            }
            if let Some(index) = self.active.pop_front() {
                self.deliver(index, events);
            }
        }
        self.lie(events, plan);
        Ok(())
    }

    /// When a timer fires next.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let timers = self.others.iter().filter_map(|&index| {
            let knote = &self.slots[index as usize].knote;
            match &knote.source {
                Source::Timer(timer) if !knote.disabled => Some(timer.next()),
                _ => None,
            }
        });
        timers.min()
    }

    fn take_edges(&mut self) -> Result<(), c_int> {
        // The writes' epoll is ready until it is empty, so it is told each time.
        let writes = self.writes.as_raw_fd();
        if self.take_edges_of(self.number)? {
            self.take_edges_of(writes)?;
        }
        Ok(())
    }

    /// Whether there are edges of writes.
    fn take_edges_of(&mut self, epoll: c_int) -> Result<bool, c_int> {
        let mut has_writes = false;
        loop {
            let mut edges = [epoll_event { events: 0, u64: 0 }; EDGES];
            // The number was closed, and is open again as something else.
            let count = epoll::take(epoll, &mut edges).map_err(|_| libc::EBADF)?;
            for edge in &edges[..count] {
                match edge.u64 {
                    epoll::WRITES => has_writes = true,
                    epoll::BELL => {}
                    tag => {
                        if let Some(index) = self.of_tag(tag) {
                            self.edge(index);
                        }
                    }
                }
            }
            if count < EDGES {
                return Ok(has_writes);
            }
        }
    }

    /// epoll has seen something. A one-shot may be told without another look, so it is looked at here.
    fn edge(&mut self, index: u32) {
        let profile = self.profile;
        let knote = self.knote(index);
        if knote.flags & EV_ONESHOT == 0 || knote.report(profile).is_some() {
            self.activate(index);
        }
    }

    fn take_timers(&mut self) {
        for place in 0..self.others.len() {
            let index = self.others[place];
            if let Source::Timer(timer) = &mut self.knote(index).source
                && timer.advance(Instant::now())
            {
                self.activate(index);
            }
        }
    }

    /// The event of a knote that was just taken from the active ones, if it has one.
    fn deliver(&mut self, index: u32, events: &mut Events) {
        let profile = self.profile;
        let knote = self.knote(index);
        knote.queued = false;
        if knote.disabled {
            return;
        }
        if !self.is_registered(index) {
            // Closed without a word, and perhaps open again as another file.
            let ident = self.knote(index).ident;
            self.drop_descriptor(ident);
            return;
        }
        let knote = self.knote(index);
        let is_stale_one_shot = profile.has_stale_one_shots() && knote.flags & EV_ONESHOT != 0;
        let report = match knote.report(profile) {
            Some(report) => report,
            None if is_stale_one_shot => Report::default(),
            None => {
                knote.active = false;
                return;
            }
        };
        let event = knote.event(report);
        events.push(event);
        self.delivered(index, &event, true);
    }

    /// The last one-shot that an earlier call delivered.
    fn repeat(&mut self, events: &mut Events) {
        if let Some(last) = self.last_one_shot.take()
            && ready::kind(last.0.ident as c_int, true)
                .is_some_and(|kind| ready::may_lie(last.0.ident as c_int, kind, last.0.filter))
        {
            events.push(last.0);
        }
    }

    /// What a kernel may tell, although it is not true or not in this order.
    fn lie(&mut self, events: &mut Events, plan: &Plan) {
        if let Some(start) = plan.spurious
            && events.has_room()
            && let Some(index) = self.quiet(start, events)
        {
            let event = self.knote(index).event(Report { data: 1, ..Report::default() });
            events.push(event);
            self.delivered(index, &event, false);
        }
        if let Some(mut seed) = plan.shuffled {
            let filled = events.filled();
            for last in (1..filled.len()).rev() {
                filled.swap(last, chance::next(&mut seed) as usize % (last + 1));
            }
        }
    }

    /// A knote of a descriptor that has nothing to say, beginning anywhere.
    fn quiet(&self, start: u64, events: &Events) -> Option<u32> {
        let length = self.slots.len();
        let order = (0..length).map(|step| (start as usize % length + step) % length);
        order.map(|index| index as u32).find(|&index| {
            let knote = &self.slots[index as usize].knote;
            let Source::Descriptor(kind) = knote.source else {
                return false;
            };
            ready::may_lie(knote.ident as c_int, kind, knote.filter)
                && !knote.queued
                && !knote.disabled
                && !events.has(knote.ident, knote.filter)
                && self.is_registered(index)
        })
    }
}
