//! When a ring grows: its queues were too small for what has happened lately. It does so at the end
//! of a turn that had many completions, at most once in each, and never beyond its limit.

use super::{Backend, MAX_CQ_ENTRIES};
use std::{io, mem};

/// Completions of a turn after which it is looked whether the ring should grow: as many as the
/// smallest completion queue holds, so that none overflows unseen. Turns of less do not pay for it.
pub(super) const MANY: u32 = 8;
/// How often the submission queue must have been full between two such turns.
const PRESSURE: u32 = 2;
/// Refusals of the kernel after which it is not asked any more.
const MAX_REFUSALS: u32 = 8;

pub(super) struct Growth {
    /// Entries that the submission queue may have; 0 where it cannot grow.
    limit: u32,
    /// How often the submission queue was full since the last look.
    pressure: u32,
    refusals: u32,
}

impl Growth {
    pub(super) fn new(limit: u32) -> Growth {
        Growth { limit, pressure: 0, refusals: 0 }
    }

    pub(super) fn is_possible(&self) -> bool {
        self.limit > 0
    }

    /// The submission queue was full: it cost a call to the kernel.
    #[cold]
    pub(super) fn was_full(&mut self) {
        self.pressure = self.pressure.saturating_add(1);
    }
}

impl Backend {
    /// Twice the size, if that is worth it and allowed. For the end of a turn; what it has not read
    /// moves along.
    #[inline]
    pub(super) fn relieve(&mut self) -> io::Result<()> {
        let was_full = mem::take(&mut self.growth.pressure) >= PRESSURE;
        // Completions without room are worse: the kernel allocates for them and is entered once more.
        if was_full || self.ring.has_overflowed() { self.grow() } else { Ok(()) }
    }

    #[cold]
    fn grow(&mut self) -> io::Result<()> {
        let entries = self.ring.sq_entries() * 2;
        if entries > self.growth.limit {
            return Ok(());
        }
        let cq_entries = (self.ring.cq_entries() * 2).min(MAX_CQ_ENTRIES);
        let grown = self.ring.resize(entries, cq_entries).map_err(io::Error::from_raw_os_error)?;
        if !grown {
            self.growth.refusals += 1;
            if self.growth.refusals == MAX_REFUSALS {
                self.growth.limit = 0;
            }
        }
        Ok(())
    }
}
