//! The limit of a wait, as the kernel reads it. It lies in a page of its own, which newer kernels have
//! registered (`IORING_REGISTER_MEM_REGION`, Linux 6.13), so that nothing is copied at each wait.

use super::{super::abi::*, Ring, map::Map};
use std::ptr::NonNull;

const PAGE: usize = 4096;

/// The page holds a `RegWait`, and behind it a `WaitArg` that points at the time in the first.
pub(super) struct Limit {
    pub(super) page: Map,
    timeout: NonNull<Timespec>,
    /// In the structure that is in use.
    min_wait_us: NonNull<u32>,
    flags: u32,
    at: usize,
    len: usize,
}

impl Limit {
    pub(super) fn new() -> Result<Limit, i32> {
        let page = Map::anonymous(PAGE)?;
        let registered: NonNull<RegWait> = page.at(0);
        let plain: NonNull<WaitArg> = page.at(size_of::<RegWait>() as u32);
        // SAFETY: both lie in the page, one behind the other and aligned, and nobody else knows it.
        let (timeout, min_wait_us) = unsafe {
            let timeout = &raw mut (*registered.as_ptr()).timeout;
            registered.write(RegWait { flags: WAIT_HAS_TIMEOUT, ..RegWait::default() });
            plain.write(WaitArg { timeout: timeout as u64, ..WaitArg::default() });
            (NonNull::new_unchecked(timeout), &raw mut (*plain.as_ptr()).min_wait_us)
        };
        Ok(Limit {
            timeout,
            min_wait_us: NonNull::new(min_wait_us).expect("it is in the page"),
            flags: ENTER_EXT_ARG,
            at: plain.as_ptr() as usize,
            len: size_of::<WaitArg>(),
            page,
        })
    }

    /// From now on the kernel reads it at its place in the region.
    fn use_region(&mut self) {
        let registered: NonNull<RegWait> = self.page.at(0);
        // SAFETY: it lies in the page.
        let min_wait_us = unsafe { &raw mut (*registered.as_ptr()).min_wait_us };
        self.min_wait_us = NonNull::new(min_wait_us).expect("it is in the page");
        self.flags = ENTER_EXT_ARG | ENTER_EXT_ARG_REG;
        (self.at, self.len) = (0, size_of::<RegWait>());
    }

    /// Sets the limit of the next wait; returns the flags, the argument and its length for
    /// io_uring_enter(2).
    #[inline]
    pub(super) fn set(&mut self, timeout_ns: u64, min_wait_us: u32) -> (u32, usize, usize) {
        let timeout = Timespec {
            seconds: (timeout_ns / 1_000_000_000) as i64,
            nanoseconds: (timeout_ns % 1_000_000_000) as i64,
        };
        // SAFETY: both lie in the page. The kernel reads them in a call of this thread only.
        unsafe {
            self.timeout.write(timeout);
            self.min_wait_us.write(min_wait_us);
        }
        (self.flags, self.at, self.len)
    }

    pub(super) fn is_registered(&self) -> bool {
        self.flags & ENTER_EXT_ARG_REG != 0
    }
}

impl Ring {
    /// Spares each wait with a limit the copies of it. Only while the ring is disabled; a kernel that
    /// refuses goes on copying.
    pub(in super::super) fn register_limit(&mut self) {
        let page = &self.limit.page;
        let mut region = Region {
            addr: page.at.as_ptr() as u64,
            size: page.len as u64,
            flags: REGION_OF_USER,
            ..Region::default()
        };
        let register = RegionRegister {
            region: &raw mut region as u64,
            flags: REGION_OF_WAITS,
            ..RegionRegister::default()
        };
        if self.register(REGISTER_MEM_REGION, &raw const register as usize, 1).is_ok() {
            self.limit.use_region();
        }
    }

    pub(in super::super) fn has_registered_limit(&self) -> bool {
        self.limit.is_registered()
    }
}
