//! What direct I/O wants: memory, offsets and lengths in steps of the file's. A transfer that is not aligned is refused
//! here, before a system call is spent on it, since the kernel's EINVAL says neither what is wrong nor what to do.

use super::descriptor::{Descriptor, Fd};
use crate::{
    error::{Fault, Unaligned},
    op::{Request, Span},
};

/// The steps of a file, as powers of two: of memory, and of offsets and lengths; and whether its transfers are polled. No bits: none are known.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Alignment(u16);

impl Alignment {
    pub(super) const ANY: Alignment = Alignment(0);

    /// `None`: what is no power of two is not understood, and left to the kernel.
    fn of(memory: u32, offset: u32) -> Option<Alignment> {
        let is_step = memory.is_power_of_two() && offset.is_power_of_two();
        let shifts = memory.trailing_zeros() | offset.trailing_zeros() << 8;
        is_step.then_some(Alignment(shifts as u16))
    }

    const POLLED: u16 = 1 << 15;

    fn memory(self) -> u32 {
        1 << (self.0 & 0xff)
    }

    /// The system is asked in another way, which the short one does not know.
    #[inline(always)]
    fn is_polled(self) -> bool {
        self.0 & Alignment::POLLED != 0
    }

    pub(super) fn offset(self) -> u32 {
        1 << (self.0 >> 8 & 0x7f)
    }

    /// What is wrong with a transfer.
    #[cold]
    pub(super) fn refuses(self, request: &Request<'_>) -> Option<i32> {
        match request {
            Request::Read { into, at, .. } => {
                self.refuses_part(*at, into.as_ptr().cast(), into.len())
            }
            Request::Write { from, at, .. } => self.refuses_part(*at, from.as_ptr(), from.len()),
            Request::ReadVectored { into, at, .. } => {
                into.parts().find_map(|(memory, len)| self.refuses_part(*at, memory, len))
            }
            Request::WriteVectored { from, at, .. } => {
                from.parts().find_map(|(memory, len)| self.refuses_part(*at, memory, len))
            }
            // The others do not move bytes past the cache, or only blocks of our own.
            _ => None,
        }
    }

    /// Nothing is wrong with it.
    #[inline(always)]
    fn suits(self, at: u64, memory: *const u8, len: usize) -> bool {
        let below = |step: u32| u64::from(step) - 1;
        let odd =
            (at | len as u64) & below(self.offset()) | memory.addr() as u64 & below(self.memory());
        odd == 0
    }

    fn refuses_part(self, at: u64, memory: *const u8, len: usize) -> Option<i32> {
        let (offset, step) = (self.offset(), self.memory());
        let unaligned = if !at.is_multiple_of(offset.into()) {
            (Unaligned::Offset, offset)
        } else if !len.is_multiple_of(offset as usize) {
            (Unaligned::Length, offset)
        } else if !memory.addr().is_multiple_of(step as usize) {
            (Unaligned::Memory, step)
        } else {
            return None;
        };
        Some(Fault::unaligned(unaligned.0, unaligned.1))
    }
}

impl Span<'_> {
    /// It is what direct I/O on its file wants, and need not be looked at again.
    #[inline(always)]
    pub(super) fn is_aligned(&self) -> bool {
        let wanted = self.fd.alignment.get();
        wanted == Alignment::ANY
            || !wanted.is_polled() && wanted.suits(self.offset, self.at.as_ptr(), self.len)
    }
}

impl Descriptor {
    /// In bytes: of memory, and of offsets and lengths; `None` if it is not known or not direct I/O.
    pub(crate) fn direct_alignment(&self) -> Option<(u32, u32)> {
        let alignment = self.alignment.get();
        (alignment != Alignment::ANY).then(|| (alignment.memory(), alignment.offset()))
    }
}

impl Fd {
    /// Asks what direct I/O on this file wants.
    pub(crate) fn learn_alignment(&self) {
        let (driver, number) = (self.driver(), self.number());
        let known = driver.with(|inner| {
            let (memory, offset) = inner.backend.direct_alignment(number)?;
            let Alignment(steps) = Alignment::of(memory, offset)?;
            let polled = if inner.backend.polls_direct() { Alignment::POLLED } else { 0 };
            Some(Alignment(steps | polled))
        });
        if let Some(Some(alignment)) = known {
            self.alignment.set(alignment);
        }
    }

    /// A read of so many bytes, fewer than were asked for, has met the end of the file: past the page cache there is no
    /// other reason not to move whole steps, and what follows could not be asked for.
    pub(crate) fn is_end_of_direct(&self, n: i32) -> bool {
        !(n as u32).is_multiple_of(self.step())
    }

    /// The step of offsets and lengths in bytes: 1 if it is not direct I/O.
    pub(crate) fn step(&self) -> u32 {
        self.alignment.get().offset()
    }
}

#[cfg(test)]
mod tests {
    use super::Alignment;

    #[test]
    fn d01_what_a_transfer_wants_is_what_the_file_says() {
        let alignment = Alignment::of(4, 512).expect("both are powers of two");
        assert_eq!((alignment.memory(), alignment.offset()), (4, 512));
        let (even, odd) = (4096 as *const u8, 4098 as *const u8);
        assert_eq!(alignment.refuses_part(512, even, 1024), None);
        let wrong = [(511, even, 512), (0, even, 511), (0, odd, 512)];
        let refused = wrong.map(|(at, memory, len)| alignment.refuses_part(at, memory, len));
        assert!(alignment.suits(512, even, 1024));
        assert!(!wrong.iter().any(|&(at, memory, len)| alignment.suits(at, memory, len)));
        assert!(Alignment::ANY.suits(511, odd, 3));
        assert!(refused.iter().all(Option::is_some), "{refused:?}");
        assert!(refused[0] != refused[1] && refused[1] != refused[2]);
        // 0 where there is no direct I/O.
        assert!(Alignment::of(0, 0).is_none() && Alignment::of(512, 1000).is_none());
    }
}
