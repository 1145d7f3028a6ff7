//! Completions on their way to the driver.

use super::{Backend, abi::CQE_SOCK_NONEMPTY, shots};
use crate::{
    driver::{NONE, SlotId},
    sys::event::Event,
};
use std::ops::ControlFlow;

impl Backend {
    /// The slot of the next completion but `after`, or what is no slot's index.
    #[inline(always)]
    pub(crate) fn soon(&self, after: u32) -> u32 {
        self.ring.soon(after).map_or(NONE, |user| SlotId(user).index())
    }

    /// Gives the completions that are there to `f`, at most `left` of them, until it breaks off. It must not panic: what
    /// was read is noted at the end.
    #[inline(always)]
    pub(crate) fn each<B>(
        &mut self,
        left: &mut u32,
        mut f: impl FnMut(Event) -> ControlFlow<B>,
    ) -> Option<B> {
        let mut known = self.ring.take_known();
        let mut broken = None;
        while *left > 0
            && broken.is_none()
            && let Some(cqe) = known.next()
        {
            // One comparison for all values that belong to no slot.
            let event = if cqe.user_data >= shots::FIRST {
                self.ring.put_back(&known);
                let event = self.note_own(cqe.user_data, cqe.res, cqe.flags);
                known = self.ring.take_known();
                match event {
                    Some(event) => event,
                    None => continue,
                }
            } else {
                // That there is more in a socket concerns nobody.
                let flags = cqe.flags & !CQE_SOCK_NONEMPTY;
                Event { user: cqe.user_data, result: cqe.res, flags }
            };
            #[cfg(test)]
            super::faults::note(Event { flags: self.flags(event), ..event });
            *left -= 1;
            broken = f(event).break_value();
        }
        self.ring.put_back(&known);
        broken
    }
}
