//! Listeners whose accept the kernel repeats by itself: what has come and was not taken, and who waits. It decides, and
//! makes no call.
//!
//! ```text
//!          nothing is there            at the bound, or nobody wants more        the kernel was asked
//!   Idle ───────────────────▶ Armed ──────────────────────────────────▶ Leaving ─────────────────────▶ Stopping
//!    ▲                        │   ▲             somebody wants more        │                              │
//!    │                        │   └────────────────────────────────────────┘                              │
//!    └── its last answer ◀────┴───────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! It is begun only when somebody asks and nothing is there. So it is begun again once, however it has ended.
#![forbid(unsafe_code)]

use super::errno;
use crate::{driver::SlotId, op::Request};
use std::{collections::VecDeque, mem};

/// Connections of a listener that wait here to be taken. With so many the kernel is asked to stop.
const MOST: usize = 64;
/// Listeners that are served so at a time. Others are asked for each connection.
pub(super) const LISTENERS: usize = 4096;
/// So many connections are handed out without a turn between them, so that their task does not keep the core.
const IN_A_ROW: u32 = 32;
/// `user_data` of the accept in the first place; those of the others follow. No slot has it: no index is so large.
pub(super) const FIRST: u64 = u64::MAX - (1 << 16);

pub(super) struct Shots {
    all: Vec<Shot>,
    /// How many there may be.
    limit: usize,
    /// Accepts that are with the kernel, and those among them that it has yet to be asked to stop.
    out: u32,
    leaving: u32,
    /// Since somebody had to wait.
    handed_out: u32,
}

struct Shot {
    /// The listener's number. `None`: it is closed, and so is what comes yet.
    listener: Option<i32>,
    state: State,
    came: VecDeque<i32>,
    waiting: Option<(SlotId, Request<'static>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Armed,
    Leaving,
    Stopping,
}

/// What becomes of an accept that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is one by itself.
    Alone,
    /// This connection is there.
    Came(i32),
    /// It waits at that place.
    Waits(u64),
    /// It waits, and the kernel is to be asked.
    Begins(u64),
}

/// What becomes of an answer of the kernel's.
pub(super) enum Told {
    Nothing,
    /// The answer of whoever waits.
    For(SlotId, Request<'static>, i32),
    /// A connection of a listener that is closed.
    Nobodys(i32),
}

impl Shots {
    /// For so many listeners at a time: none, where the kernel's repeating is not sound.
    pub(super) fn new(limit: usize) -> Shots {
        Shots { all: Vec::new(), limit, out: 0, leaving: 0, handed_out: 0 }
    }

    /// Something waits to be taken, or the kernel accepts for this listener.
    pub(super) fn has(&self, listener: i32) -> bool {
        let is_it = |shot: &Shot| shot.listener == Some(listener);
        self.all.iter().find(|shot| is_it(shot)).is_some_and(|shot| !shot.is_empty())
    }

    /// An accept is asked for; `repeats`: others will follow it.
    pub(super) fn ask(&mut self, listener: i32, repeats: bool) -> Asked {
        let Some(place) = self.place_of(listener, repeats) else { return Asked::Alone };
        let shot = &mut self.all[place];
        if let Some(came) = shot.came.pop_front() {
            return Asked::Came(came);
        }
        self.handed_out = 0;
        match shot.state {
            State::Idle if !repeats => Asked::Alone,
            State::Idle => {
                shot.state = State::Armed;
                self.out += 1;
                Asked::Begins(FIRST + place as u64)
            }
            State::Leaving if repeats => {
                shot.state = State::Armed;
                self.leaving -= 1;
                Asked::Waits(FIRST + place as u64)
            }
            State::Armed | State::Leaving | State::Stopping => Asked::Waits(FIRST + place as u64),
        }
    }

    fn place_of(&mut self, listener: i32, make: bool) -> Option<usize> {
        let place = self.all.iter().position(|shot| shot.listener == Some(listener));
        if place.is_some() || !make {
            return place;
        }
        let is_free = |shot: &Shot| shot.listener.is_none() && shot.state == State::Idle;
        let place = self.all.iter().position(is_free).unwrap_or(self.all.len());
        if place == self.limit {
            return None;
        }
        if place == self.all.len() {
            let came = VecDeque::with_capacity(MOST);
            self.all.push(Shot { listener: None, state: State::Idle, came, waiting: None });
        }
        self.all[place].listener = Some(listener);
        Some(place)
    }

    /// Whether a connection may be handed out without a turn.
    pub(super) fn may_hand_out(&mut self) -> bool {
        self.handed_out = (self.handed_out + 1) % IN_A_ROW;
        self.handed_out > 0
    }

    /// Whose request waits at that place; a listener's accepts go one by one.
    pub(super) fn wait(&mut self, user: u64, id: SlotId, request: Request<'static>) {
        let before = self.all[(user - FIRST) as usize].waiting.replace((id, request));
        debug_assert!(before.is_none(), "one accept of a listener at a time");
    }

    /// Whoever waits does so no longer. False: he does not wait here.
    pub(super) fn give_up(&mut self, id: SlotId) -> bool {
        let waits =
            |shot: &&mut Shot| matches!(&shot.waiting, Some((waiting, _)) if *waiting == id);
        self.all.iter_mut().find(waits).is_some_and(|shot| shot.waiting.take().is_some())
    }

    /// The kernel has answered; `more` will follow.
    pub(super) fn answered(&mut self, user: u64, result: i32, more: bool) -> Told {
        let place = user.wrapping_sub(FIRST) as usize;
        let Some(shot) = self.all.get_mut(place).filter(|shot| shot.state != State::Idle) else {
            return Told::Nothing;
        };
        if !more {
            self.out -= 1;
            self.leaving -= u32::from(shot.state == State::Leaving);
            shot.state = State::Idle;
        }
        match (shot.waiting.take(), result) {
            (None, 0..) if shot.listener.is_none() => Told::Nobodys(result),
            (None, 0..) => {
                shot.came.push_back(result);
                if shot.came.len() >= MOST && shot.state == State::Armed {
                    self.leave(place);
                }
                Told::Nothing
            }
            // Nobody is there to hear of an error. Whoever comes next asks again, and meets it himself.
            (None, _) => Told::Nothing,
            // Only the repeating was stopped: whoever waits is to ask again.
            (Some((id, request)), code) if code == -errno::ECANCELED => {
                Told::For(id, request, -errno::EINTR)
            }
            (Some((id, request)), result) => Told::For(id, request, result),
        }
    }

    fn leave(&mut self, place: usize) {
        if self.all[place].state == State::Armed {
            self.all[place].state = State::Leaving;
            self.leaving += 1;
        }
    }

    /// Nobody is going to ask for several connections of this listener, unless somebody waits for one of them now.
    pub(super) fn no_more(&mut self, listener: i32) {
        let Some(place) = self.place_of(listener, false) else { return };
        if !matches!(self.all[place].waiting, Some((_, Request::AcceptNext { .. }))) {
            self.leave(place);
        }
    }

    /// The listener is closed: what nobody took is to be closed, too.
    pub(super) fn forget(&mut self, listener: i32) -> VecDeque<i32> {
        let Some(place) = self.place_of(listener, false) else { return VecDeque::new() };
        self.leave(place);
        self.all[place].listener = None;
        mem::take(&mut self.all[place].came)
    }

    /// A listener that is served so.
    pub(super) fn any(&self) -> Option<i32> {
        self.all.iter().find_map(|shot| shot.listener)
    }

    /// Accepts are with the kernel.
    pub(super) fn are_out(&self) -> bool {
        self.out > 0
    }

    #[inline(always)]
    pub(super) fn are_leaving(&self) -> bool {
        self.leaving > 0
    }

    /// An accept that the kernel is to be asked to stop.
    pub(super) fn next_leaving(&self) -> Option<u64> {
        let place = self.all.iter().position(|shot| shot.state == State::Leaving)?;
        Some(FIRST + place as u64)
    }

    /// It was asked.
    pub(super) fn is_stopping(&mut self, user: u64) {
        self.all[(user - FIRST) as usize].state = State::Stopping;
        self.leaving -= 1;
    }
}

impl Shot {
    fn is_empty(&self) -> bool {
        self.state == State::Idle && self.came.is_empty()
    }
}
