//! Between making a ring and its first submission: what is asked, restricted and registered.
//!
//! All of it is done while the ring is disabled, so that nothing of it has to be allowed later.

use super::{super::abi::*, Ring};
use std::os::fd::AsRawFd;

impl Ring {
    /// Which operations the kernel has, and one flag of an operation.
    pub(in super::super) fn probe(&mut self) -> Result<Probe, i32> {
        // struct io_uring_probe: last_op u8, ops_len u8, then 14 bytes, then 8 bytes an operation.
        let mut raw = [0u8; 16 + 8 * 256];
        self.register(REGISTER_PROBE, raw.as_mut_ptr() as usize, 256)?;
        let reports_copies = self.features & FEATURE_REG_REG_RING != 0;
        let is_6_12 = self.features & FEATURE_MIN_TIMEOUT != 0;
        let mut probe = Probe { ops: [false; 256], reports_copies, is_6_12, bundles: false };
        for i in 0..usize::from(raw[1]) {
            probe.ops[i] = raw[16 + i * 8 + 2] & 1 != 0;
        }
        probe.bundles = self.features & FEATURE_BUNDLES != 0 && probe.has(SIGN_OF_6_16);
        Ok(probe)
    }

    /// From [`enable`](Self::enable) on, the kernel refuses everything that is not in the list. A
    /// kernel that cannot restrict leaves the ring as it is.
    pub(in super::super) fn restrict(&mut self, allowed: &[Restriction]) {
        let (at, count) = (allowed.as_ptr() as usize, allowed.len() as u32);
        self.restricted = self.register(REGISTER_RESTRICTIONS, at, count).is_ok();
    }

    /// Waits look at the queues of the network cards for `limit_us` before they sleep. False: this
    /// kernel does not have it.
    pub(in super::super) fn busy_poll(&mut self, limit_us: u32) -> bool {
        let mut napi = Napi { busy_poll_us: limit_us, ..Napi::default() };
        self.register(REGISTER_NAPI, &raw mut napi as usize, 1).is_ok()
    }

    /// The ring begins to take submissions, and belongs to the calling thread (SINGLE_ISSUER).
    pub(in super::super) fn enable(&mut self) -> Result<(), i32> {
        self.register_itself();
        self.register(REGISTER_ENABLE_RINGS, 0, 0).map(drop)
    }

    /// Entering by a registered index spares the kernel the look-up of the descriptor.
    fn register_itself(&mut self) {
        let mut update =
            ResourceUpdate { offset: u32::MAX, resv: 0, data: self.fd.as_raw_fd() as u64 };
        let arg = &raw mut update;
        if self.register(REGISTER_RING_FDS, arg as usize, 1) == Ok(1) {
            self.enter_fd = update.offset;
            self.enter_flags |= ENTER_REGISTERED_RING;
        }
    }
}

/// IORING_OP_PIPE, which is not used here.
const SIGN_OF_6_16: u8 = 62;

/// Which operations the kernel has.
pub(in super::super) struct Probe {
    ops: [bool; 256],
    /// `IORING_SEND_ZC_REPORT_USAGE` is of Linux 6.2 and cannot be asked for; what can be came one
    /// version later.
    reports_copies: bool,
    is_6_12: bool,
    bundles: bool,
}

impl Probe {
    pub(in super::super) fn has(&self, opcode: u8) -> bool {
        self.ops[usize::from(opcode)]
    }

    /// Notifications may say whether the kernel had to copy.
    pub(in super::super) fn reports_copies(&self) -> bool {
        self.reports_copies
    }

    /// A read may be repeated for as long as something comes, each time into a buffer of a group (Linux 6.7), and that is sound. Before
    /// 6.7.3 what was longer than a buffer waited for more to come
    /// ([c79f52f0656e](https://git.kernel.org/torvalds/c/c79f52f0656e)); before 6.12 the last answer did not name its buffer
    /// ([c9d952b9103b](https://git.kernel.org/torvalds/c/c9d952b9103b)). What can be asked for of 6.12 is that a wait gathers completions.
    pub(in super::super) fn repeats_reads(&self) -> bool {
        self.is_6_12 && self.has(OP_READ_MULTISHOT)
    }

    /// One completion of a receive may bring several buffers. Linux 6.10 has it and left gaps between them at times until
    /// 6.16 ("only retry recv bundle for a full transfer"), which is the first with IORING_OP_PIPE.
    pub(in super::super) fn bundles(&self) -> bool {
        self.bundles
    }

    #[cfg(test)]
    pub(in super::super) fn without(&mut self, opcode: u8) {
        self.ops[usize::from(opcode)] = false;
    }
}
