//! What is known of each descriptor, and who waits for it: plain memory, without a call.
//!
//! ```text
//!              may be tried ──── EAGAIN, or a stream gave less than was asked ───▶ must be waited for
//!                   ▲                                                                    │
//!                   └────────────────────────── a hint ──────────────────────────────────┘
//! ```
//!
//! Where the end of a stream or an error was seen, no other hint will come: it may always be tried.
#![forbid(unsafe_code)]

use crate::{
    driver::{NONE, SlotId},
    op::{Request, Side},
};

/// One direction of a descriptor.
#[derive(Clone, Copy)]
pub(super) struct Direction {
    /// A call may get something; false: only a hint changes that.
    pub(super) ready: bool,
    /// The other side has ended it, or an error is there.
    pub(super) ended: bool,
    /// The system gives hints of it.
    pub(super) armed: bool,
    /// It is in the list of those to be tried in the next turn.
    pub(super) listed: bool,
    /// The requests that wait for it, in their order.
    first: u32,
    last: u32,
}

impl Direction {
    const FRESH: Direction = Direction {
        ready: true,
        ended: false,
        armed: false,
        listed: false,
        first: NONE,
        last: NONE,
    };

    /// The request in that slot is the first that waits for it.
    #[inline(always)]
    pub(super) fn is_first(&self, index: u32) -> bool {
        self.first == index
    }

    /// The slot of the first request that waits for it.
    #[inline(always)]
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// Nobody waits for it.
    #[inline]
    pub(super) fn is_free(&self) -> bool {
        self.first == NONE
    }
}

/// Whether a file may be read without a thread, if its bytes are in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cheap {
    Unknown,
    Yes,
    No,
}

pub(super) struct Watch {
    /// Which use of the number this is: a hint may be of one that is over.
    pub(super) generation: u32,
    pub(super) sides: [Direction; 2],
    pub(super) cheap: Cheap,
    /// The first that waits to read is a multishot whose future has looked in vain: it is to be told of the next hint.
    pub(super) asks: bool,
}

/// A request that waits for a hint.
struct Waiting {
    id: SlotId,
    request: Option<Request<'static>>,
    fd: i32,
    side: Side,
    prev: u32,
    next: u32,
}

#[derive(Default)]
pub(super) struct Watches {
    /// By the descriptor's number.
    watches: Vec<Watch>,
    /// By the slot's index.
    waiting: Vec<Waiting>,
    count: u32,
}

impl Watches {
    /// How many requests wait.
    pub(super) fn waiting(&self) -> u32 {
        self.count
    }

    #[inline]
    pub(super) fn get(&mut self, fd: i32) -> &mut Watch {
        let index = fd as usize;
        if index >= self.watches.len() {
            self.grow(index);
        }
        &mut self.watches[index]
    }

    #[cold]
    fn grow(&mut self, index: usize) {
        self.watches.resize_with((index + 1).next_power_of_two().max(64), || Watch {
            generation: 0,
            sides: [Direction::FRESH; 2],
            cheap: Cheap::Unknown,
            asks: false,
        });
    }

    /// The slot of the first request that waits to read from a descriptor of which there are hints.
    #[inline(always)]
    pub(super) fn reader(&self, fd: i32) -> u32 {
        self.watches[fd as usize].sides[Side::Read as usize].first
    }

    #[inline]
    pub(super) fn side(&mut self, fd: i32, side: Side) -> &mut Direction {
        &mut self.get(fd).sides[side as usize]
    }

    /// The descriptor, if a hint is of this use of its number.
    #[inline]
    pub(super) fn current(&mut self, fd: i32, generation: u32) -> Option<&mut Watch> {
        self.watches.get_mut(fd as usize).filter(|watch| watch.generation == generation)
    }

    /// The number is given up: what is known of it is forgotten. Whether the system gave hints of it.
    pub(super) fn forget(&mut self, fd: i32) -> bool {
        let Some(watch) = self.watches.get_mut(fd as usize) else { return false };
        let was_armed = watch.sides.iter().any(|side| side.armed);
        debug_assert!(watch.sides.iter().all(|side| side.first == NONE), "somebody waits for {fd}");
        watch.generation = watch.generation.wrapping_add(1);
        watch.cheap = Cheap::Unknown;
        watch.asks = false;
        watch.sides = [Direction::FRESH; 2];
        was_armed
    }

    /// Puts a request at the end of those that wait.
    #[inline]
    pub(super) fn push(&mut self, id: SlotId, request: Request<'static>, fd: i32, side: Side) {
        let index = id.index();
        if index as usize >= self.waiting.len() {
            let none = || Waiting {
                id: SlotId::NEVER,
                request: None,
                fd: -1,
                side: Side::Read,
                prev: NONE,
                next: NONE,
            };
            self.waiting.resize_with((index as usize + 1).next_power_of_two().max(64), none);
        }
        let direction = self.side(fd, side);
        let last = std::mem::replace(&mut direction.last, index);
        if last == NONE {
            direction.first = index;
        } else {
            self.waiting[last as usize].next = index;
        }
        self.waiting[index as usize] =
            Waiting { id, request: Some(request), fd, side, prev: last, next: NONE };
        self.count += 1;
    }

    /// The first of those that wait, with what is known of its direction.
    #[inline]
    pub(super) fn first(
        &mut self,
        fd: i32,
        side: Side,
    ) -> Option<(SlotId, &mut Request<'static>, &mut Direction)> {
        let direction = &mut self.watches.get_mut(fd as usize)?.sides[side as usize];
        let waiting = self.waiting.get_mut(direction.first as usize)?;
        Some((waiting.id, waiting.request.as_mut()?, direction))
    }

    /// Nobody waits for a direction in which a call may get something.
    #[inline]
    pub(super) fn may_try(&self, fd: i32, side: Side) -> bool {
        let watch = self.watches.get(fd as usize);
        watch.is_none_or(|watch| {
            let direction = &watch.sides[side as usize];
            direction.ready && direction.is_free()
        })
    }

    /// Takes a request out of those that wait, wherever it is. `None`: it is not there.
    #[inline]
    pub(super) fn remove(&mut self, id: SlotId) -> Option<Request<'static>> {
        let waiting = self.waiting.get_mut(id.index() as usize)?;
        if waiting.id != id {
            return None;
        }
        let request = waiting.request.take()?;
        waiting.id = SlotId::NEVER;
        let (fd, side, prev, next) = (waiting.fd, waiting.side, waiting.prev, waiting.next);
        if let Request::RecvPooled { multishot: true, .. } = request {
            self.get(fd).asks = false;
        }
        match prev {
            NONE => self.side(fd, side).first = next,
            prev => self.waiting[prev as usize].next = next,
        }
        match next {
            NONE => self.side(fd, side).last = prev,
            next => self.waiting[next as usize].prev = prev,
        }
        self.count -= 1;
        Some(request)
    }
}
