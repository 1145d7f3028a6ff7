//! The ring's own table of files. A file in it is found without a look-up and without counting a
//! user, which is 5 to 10 % of a read from the page cache.
//!
//! A file keeps its ordinary number as well, so nothing is lost without the table: where the kernel
//! refuses it, or it is full, files are named by their numbers.
//!
//! ```text
//!          enter               answered: 1              leave              answered
//!   Free ────────▶ Entering ───────────────▶ Ready ────────────▶ Leaving ──────────▶ Free
//!                     │ answered: error                            ▲
//!                     └───────────────────▶ Refused ───── leave ───┘
//! ```
//!
//! Both changes are submissions, and cost no call of their own. A submission that was queued before
//! one that empties its place still finds the file: the kernel takes them in order.

use super::{
    Backend, NOBODY,
    abi::*,
    direct::{self, Direct},
    ring::{Probe, Ring},
};
use crate::driver::NONE;

/// The most places.
const PLACES: u32 = 8192;

/// `user_data` of the first change; those of the others follow, two for each place.
pub(super) const FIRST: u64 = u64::MAX - 2 - 2 * PLACES as u64;

/// Marks the place of a direct descriptor among those to be emptied.
const DIRECT: u32 = 1 << 31;

pub(super) struct FileTable {
    states: Vec<State>,
    /// What the kernel reads when it executes a change: the number for each place, or -1.
    numbers: Box<[i32]>,
    free: Vec<u32>,
    /// Places to be emptied whose submissions wait for room.
    leaving: Vec<u32>,
    /// Changes whose answers have not been read.
    outstanding: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Entering,
    Ready,
    Refused,
    Leaving,
}

impl FileTable {
    /// Only where a place is emptied at once. Before Linux 6.13 that is done in the background: for a
    /// while after its close a program could not be run (ETXTBSY), a lock was still held, a pipe still
    /// open. There is no sign of that change but an operation that came soon after, in 6.15. (A thread of the kernel
    /// that takes submissions comes to it when it comes to it, so there is none with such a thread.)
    ///
    /// `direct`: so many places behind those for files are wanted besides, for the kernel to choose from.
    pub(super) fn new(ring: &mut Ring, probe: &Probe, direct: bool) -> (FileTable, Direct) {
        let empties_at_once = probe.has(OP_READV_FIXED) && !ring.has_thread();
        // Tests have the kernel put direct descriptors into it, which needs no more than a table.
        let wanted = empties_at_once || cfg!(test);
        let limit = if wanted { descriptors() } else { 0 };
        let direct = direct && empties_at_once && direct::is_possible(probe);
        let (places, direct) = if direct { direct::share(limit) } else { (limit, 0) };
        let (places, direct) = (places.min(PLACES), direct);
        let mut register = ResourceRegister {
            count: places + direct,
            flags: RESOURCE_SPARSE,
            ..Default::default()
        };
        let len = size_of::<ResourceRegister>() as u32;
        let is_made =
            places > 0 && ring.register(REGISTER_FILES2, &raw mut register as usize, len).is_ok();
        let (places, direct) = if is_made { (places, direct) } else { (0, 0) };
        let direct = Direct::new(ring, places, direct);
        let table = FileTable {
            states: vec![State::Free; places as usize],
            numbers: vec![-1; places as usize].into_boxed_slice(),
            free: if empties_at_once { (0..places).rev().collect() } else { Vec::new() },
            leaving: Vec::with_capacity(places as usize),
            outstanding: 0,
        };
        (table, direct)
    }

    pub(super) fn places(&self) -> usize {
        self.states.len()
    }

    /// Answers that are to come.
    pub(super) fn outstanding(&self) -> u32 {
        self.outstanding
    }

    /// The file in that place can be named by it.
    #[inline(always)]
    pub(super) fn is_ready(&self, place: u32) -> bool {
        self.states.get(place as usize) == Some(&State::Ready)
    }

    /// Gives a file a place, with the submission that puts it there.
    pub(super) fn enter(&mut self, number: i32) -> Option<(u32, Sqe)> {
        let place = self.free.pop()?;
        self.states[place as usize] = State::Entering;
        self.numbers[place as usize] = number;
        Some((place, self.change(place, false)))
    }

    /// Takes a file out of its place; [`next_leaving`](Self::next_leaving) has the submission.
    pub(super) fn leave(&mut self, place: u32) {
        debug_assert!(!matches!(self.states[place as usize], State::Free | State::Leaving));
        self.states[place as usize] = State::Leaving;
        // If the one that puts it there is not executed yet, it finds this too.
        self.numbers[place as usize] = -1;
        self.leaving.push(place);
    }

    pub(super) fn has_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    pub(super) fn next_leaving(&mut self) -> Option<Sqe> {
        let place = self.leaving.pop()?;
        if place & DIRECT != 0 {
            let close = super::lower::close((place & !DIRECT) as i32, true);
            return Some(Sqe { flags: SQE_CQE_SKIP, user_data: NOBODY, ..close });
        }
        Some(self.change(place, true))
    }

    /// A direct descriptor is closed when there is room for the submission.
    #[cold]
    pub(super) fn close_later(&mut self, number: i32) {
        self.leaving.push(number as u32 | DIRECT);
    }

    fn is_used(&self) -> bool {
        self.states.iter().any(|state| *state != State::Free)
    }

    /// Empties all places. Nobody waits for the answer.
    fn all_leave(&mut self) -> Sqe {
        self.numbers.fill(-1);
        Sqe {
            opcode: OP_FILES_UPDATE,
            flags: SQE_CQE_SKIP,
            fd: -1,
            addr: self.numbers.as_ptr() as u64,
            len: self.numbers.len() as u32,
            user_data: NOBODY,
            ..Sqe::default()
        }
    }

    fn change(&mut self, place: u32, leaving: bool) -> Sqe {
        self.outstanding += 1;
        Sqe {
            opcode: OP_FILES_UPDATE,
            fd: -1,
            off: u64::from(place),
            addr: &raw const self.numbers[place as usize] as u64,
            len: 1,
            user_data: FIRST + u64::from(place) * 2 + u64::from(leaving),
            ..Sqe::default()
        }
    }

    /// Takes note of a completion, if it is the answer to a change.
    pub(super) fn answered(&mut self, user_data: u64, result: i32) {
        let Some(change) = user_data.checked_sub(FIRST) else { return };
        let Some(state) = self.states.get_mut(change as usize / 2) else { return };
        self.outstanding = self.outstanding.saturating_sub(1);
        match (change % 2 == 1, *state) {
            (false, State::Entering) if result == 1 => *state = State::Ready,
            (false, State::Entering) => *state = State::Refused,
            (true, State::Leaving) => {
                *state = State::Free;
                self.free.push(change as u32 / 2);
            }
            _ => {}
        }
    }

    /// Places that no file has.
    #[cfg(test)]
    pub(super) fn free_places(&self) -> usize {
        self.free.len()
    }

    /// Behaves as if other files had all the places that are free.
    #[cfg(test)]
    pub(super) fn fill(&mut self) {
        self.free.clear();
    }

    /// Sets the last places aside for descriptors that the kernel puts there itself.
    #[cfg(test)]
    pub(super) fn set_aside(&mut self, count: u32) -> u32 {
        let first = self.states.len() as u32 - count;
        self.free.retain(|place| *place < first);
        first
    }
}

impl Backend {
    /// Gives a file a place in the ring's table, if one is free: the place, or `NONE`.
    pub(crate) fn enter_table(&mut self, number: i32) -> u32 {
        if !self.has_room() {
            return NONE;
        }
        let Some((place, sqe)) = self.files.enter(number) else { return NONE };
        #[cfg(test)]
        let mut sqe = sqe;
        #[cfg(test)]
        if let Some((result, _)) = super::faults::starting(&mut sqe) {
            self.files.answered(sqe.user_data, result);
            return place;
        }
        // SAFETY: it points into the table, which stays as long as the ring.
        unsafe { self.ring.push(sqe) };
        place
    }

    /// Takes a file out of the table. It goes with whatever is submitted next, or when there is room.
    pub(crate) fn leave_table(&mut self, place: u32) {
        if place != NONE {
            self.files.leave(place);
            self.empty_places();
        }
    }

    /// At the end: the kernel frees an ended ring some time after it was closed, and what was in its table would
    /// be open until then, even if its last owner closes it.
    pub(super) fn leave_nothing(&mut self) {
        let has_direct = self.direct.places() > 0;
        if !self.files.is_used() && !has_direct {
            return;
        }
        if has_direct {
            self.empty_places();
        }
        if self.has_room() {
            let sqe = self.files.all_leave();
            // SAFETY: it points into the table, which stays as long as the ring.
            unsafe { self.ring.push(sqe) };
            self.flush();
        }
        if self.ring.unsubmitted() > 0 || self.direct.is_used() {
            // The kernel takes no submission, or nobody is left who would close a direct descriptor.
            let _ = self.ring.register(UNREGISTER_FILES, 0, 0);
        }
    }

    #[cold]
    pub(super) fn empty_places(&mut self) {
        while self.files.has_leaving() && self.has_room() {
            let Some(sqe) = self.files.next_leaving() else { return };
            if sqe.opcode == OP_CLOSE {
                self.unreserve_direct();
            }
            // SAFETY: it points into the table, which stays as long as the ring.
            unsafe { self.ring.push(sqe) };
        }
    }

    /// Sets places of the ring's table aside for direct descriptors.
    #[cfg(test)]
    pub(crate) fn enable_direct(&mut self, count: u32) -> std::io::Result<()> {
        let first = self.files.set_aside(count);
        self.direct = Direct::new(&mut self.ring, first, count);
        self.direct.makes_sockets = false;
        match self.direct.places() {
            0 => Err(std::io::ErrorKind::Unsupported.into()),
            _ => Ok(()),
        }
    }
}

/// How many descriptors the process may have; the kernel wants no larger table.
fn descriptors() -> u32 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes to the structure.
    let failed = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0;
    if failed { 0 } else { u32::try_from(limit.rlim_cur).unwrap_or(u32::MAX) }
}
