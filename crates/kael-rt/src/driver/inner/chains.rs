//! Chains: operations of which each begins when the one before it has got all that it asked for.
//!
//! Where the system carries them out (`Backend::CHAINS`) it takes a chain as a whole. Elsewhere the driver does: those that
//! have not begun are `Queued`, in no queue but their chain, and the next one takes the way of what had to wait for room.
//!
//! ```text
//!   Reserved ─ start_chain ─▶ InFlight ──▶ Done ── whole ──▶ the next: Queued ─▶ Backlog ─▶ InFlight
//!                                            └─── short or an error ──▶ all behind it: Done, ECANCELED
//! ```

use super::{
    super::{
        aligned::Alignment,
        slot::{IN_CHAIN, NONE, Slot, State},
    },
    Inner,
};
use crate::{
    error::Fault,
    op::Request,
    sys::{Backend, errno},
};
use std::{mem, ptr::NonNull};

impl Inner {
    /// Starts a chain as a whole, or refuses it as a whole. False: there is no room for it now.
    pub(in crate::driver) fn start_chain<const N: usize>(
        &mut self,
        slots: [NonNull<Slot>; N],
        requests: [Request<'static>; N],
    ) -> bool {
        if let Some((at, code)) = self.refused(&requests) {
            for (i, slot) in slots.into_iter().enumerate() {
                let head = self.slots.head_at(slot);
                head.result = if i == at { code } else { -errno::ECANCELED };
                head.marks.state = State::Done;
            }
            return true;
        }
        for (slot, request) in slots.iter().zip(&requests) {
            self.note(*slot, request);
            let head = self.slots.head_at(*slot);
            head.fd = request.fd().map(|fd| fd.node());
            head.marks.side = None;
            head.enough = i32::MAX;
        }
        if !Backend::CHAINS {
            self.start_one_by_one(slots, requests);
            return true;
        }
        let mut ids = slots.iter().map(|slot| self.slots.head_at(*slot).id);
        let chain = requests.map(|request| (ids.next().expect("one for each"), request));
        if !self.backend.start_chain(chain) {
            return false;
        }
        for slot in slots {
            self.started += 1;
            let head = self.slots.head_at(slot);
            head.chain = IN_CHAIN;
            head.marks.state = State::InFlight;
        }
        true
    }

    /// What keeps a chain from being begun: which of it, and why.
    fn refused<const N: usize>(
        &mut self,
        requests: &[Request<'static>; N],
    ) -> Option<(usize, i32)> {
        if N > self.backend.longest_chain() {
            return Some((0, Fault::TooLong.code()));
        }
        requests.iter().enumerate().find_map(|(i, request)| {
            let fd = request.fd()?;
            let alignment = fd.alignment.get();
            let code = if !fd.belongs_to_tag(self.tag) || fd.number() < 0 {
                self.fault_of(fd).code()
            } else if alignment != Alignment::ANY {
                alignment.refuses(request)?
            } else {
                return None;
            };
            Some((i, code))
        })
    }

    fn start_one_by_one<const N: usize>(
        &mut self,
        slots: [NonNull<Slot>; N],
        requests: [Request<'static>; N],
    ) {
        for (i, slot) in slots.iter().enumerate() {
            let next = slots.get(i + 1).map(|next| self.slots.head_at(*next).id.index());
            let head = self.slots.head_at(*slot);
            head.chain = next.unwrap_or(NONE);
            head.marks.state = State::Queued;
            let index = head.id.index();
            let rest = self.slots.rest(index);
            (rest.prev, rest.next) = (NONE, NONE);
        }
        // The others are lowered again when their turn comes.
        if let Some(first) = requests.into_iter().next() {
            self.start(slots[0], first);
        }
    }

    /// An operation of a chain is over: the next one begins, or the rest is cancelled.
    #[cold]
    pub(super) fn go_on(&mut self, slot: NonNull<Slot>) {
        let head = self.slots.head_at(slot);
        let whole = head.result >= 0 && head.result as u32 >= head.asked;
        let mut next = mem::replace(&mut head.chain, NONE);
        if next == NONE || next == IN_CHAIN {
            return;
        }
        if whole {
            let next = self.slots.at(next);
            self.put_off(next);
            return;
        }
        while next != NONE {
            let head = self.slots.head(next);
            head.result = -errno::ECANCELED;
            head.marks.state = State::Done;
            next = mem::replace(&mut head.chain, NONE);
        }
    }
}
