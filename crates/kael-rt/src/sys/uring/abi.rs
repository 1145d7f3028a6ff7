//! The io_uring ABI: the structures and numbers of `<linux/io_uring.h>` that we use, no more.
//! Source: Linux 6.18, include/uapi/linux/io_uring.h. A table; no logic.

/// One submission: `struct io_uring_sqe`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Sqe {
    pub(super) opcode: u8,
    pub(super) flags: u8,
    pub(super) ioprio: u16,
    pub(super) fd: i32,
    /// Offset, or a second address.
    pub(super) off: u64,
    pub(super) addr: u64,
    pub(super) len: u32,
    pub(super) op_flags: u32,
    pub(super) user_data: u64,
    pub(super) buf_group: u16,
    pub(super) personality: u16,
    pub(super) file_index: u32,
    pub(super) addr3: u64,
    pub(super) pad: u64,
}
const _: () = assert!(size_of::<Sqe>() == 64);

impl Sqe {
    /// The same as whole words: one store for each, where each field would have its own.
    #[inline(always)]
    pub(super) fn words(self) -> [u64; 8] {
        const { assert!(u16::from_ne_bytes([1, 0]) == 1, "the first of a word is its lowest part") };
        let two = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let code =
            u32::from(self.opcode) | u32::from(self.flags) << 8 | u32::from(self.ioprio) << 16;
        let place = u32::from(self.buf_group) | u32::from(self.personality) << 16;
        [
            two(code, self.fd as u32),
            self.off,
            self.addr,
            two(self.len, self.op_flags),
            self.user_data,
            two(place, self.file_index),
            self.addr3,
            self.pad,
        ]
    }
}

/// One completion: `struct io_uring_cqe`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Cqe {
    pub(super) user_data: u64,
    pub(super) res: i32,
    pub(super) flags: u32,
}
const _: () = assert!(size_of::<Cqe>() == 16);

/// `struct io_uring_params`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Params {
    pub(super) sq_entries: u32,
    pub(super) cq_entries: u32,
    pub(super) flags: u32,
    pub(super) sq_thread_cpu: u32,
    pub(super) sq_thread_idle: u32,
    pub(super) features: u32,
    pub(super) wq_fd: u32,
    pub(super) resv: [u32; 3],
    pub(super) sq_off: SqOffsets,
    pub(super) cq_off: CqOffsets,
}
const _: () = assert!(size_of::<Params>() == 120);

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct SqOffsets {
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) ring_mask: u32,
    pub(super) ring_entries: u32,
    pub(super) flags: u32,
    pub(super) dropped: u32,
    pub(super) array: u32,
    pub(super) resv1: u32,
    pub(super) user_addr: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct CqOffsets {
    pub(super) head: u32,
    pub(super) tail: u32,
    pub(super) ring_mask: u32,
    pub(super) ring_entries: u32,
    pub(super) overflow: u32,
    pub(super) cqes: u32,
    pub(super) flags: u32,
    pub(super) resv1: u32,
    pub(super) user_addr: u64,
}

/// `struct io_uring_getevents_arg`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct WaitArg {
    pub(super) sigmask: u64,
    pub(super) sigmask_len: u32,
    pub(super) min_wait_us: u32,
    pub(super) timeout: u64,
}

/// `struct io_uring_reg_wait`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct RegWait {
    pub(super) timeout: Timespec,
    pub(super) min_wait_us: u32,
    pub(super) flags: u32,
    pub(super) sigmask: u64,
    pub(super) sigmask_len: u32,
    pub(super) pad: [u32; 3],
    pub(super) pad2: [u64; 2],
}
const _: () = assert!(size_of::<RegWait>() == 64);

/// `struct io_uring_region_desc`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Region {
    pub(super) addr: u64,
    pub(super) size: u64,
    pub(super) flags: u32,
    pub(super) id: u32,
    pub(super) mmap_offset: u64,
    pub(super) resv: [u64; 4],
}

/// `struct io_uring_mem_region_reg`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct RegionRegister {
    pub(super) region: u64,
    pub(super) flags: u64,
    pub(super) resv: [u64; 2],
}

/// `struct __kernel_timespec`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Timespec {
    pub(super) seconds: i64,
    pub(super) nanoseconds: i64,
}

/// `struct io_uring_buf_reg`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct BufReg {
    pub(super) ring_addr: u64,
    pub(super) ring_entries: u32,
    pub(super) group: u16,
    pub(super) flags: u16,
    pub(super) resv: [u64; 3],
}

/// `struct io_uring_rsrc_update2`
#[derive(Default)]
#[repr(C)]
pub(super) struct ResourceUpdate2 {
    pub(super) offset: u32,
    pub(super) reserved: u32,
    pub(super) data: u64,
    pub(super) tags: u64,
    pub(super) count: u32,
    pub(super) reserved2: u32,
}

/// `struct io_uring_buf`: an entry of a ring of provided buffers.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct BufEntry {
    pub(super) addr: u64,
    pub(super) len: u32,
    pub(super) id: u16,
    /// In entry 0 this is the ring's tail.
    pub(super) tail: u16,
}

/// `struct io_uring_file_index_range`.
#[repr(C)]
pub(super) struct FileRange {
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) resv: u64,
}

/// `struct io_uring_rsrc_register`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct ResourceRegister {
    pub(super) count: u32,
    pub(super) flags: u32,
    pub(super) resv: u64,
    pub(super) data: u64,
    pub(super) tags: u64,
}

/// `struct io_uring_rsrc_update`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct ResourceUpdate {
    pub(super) offset: u32,
    pub(super) resv: u32,
    pub(super) data: u64,
}

/// `struct io_uring_restriction`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Restriction {
    pub(super) kind: u16,
    /// An opcode of io_uring_register(2), an opcode of a submission, or a set of its flags.
    pub(super) value: u8,
    pub(super) resv: u8,
    pub(super) resv2: [u32; 3],
}
const _: () = assert!(size_of::<Restriction>() == 16);

/// `struct io_uring_napi`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(super) struct Napi {
    pub(super) busy_poll_us: u32,
    pub(super) prefer_busy_poll: u8,
    pub(super) pad: [u8; 3],
    pub(super) resv: u64,
}
const _: () = assert!(size_of::<Napi>() == 16);

pub(super) const SYS_SETUP: usize = 425;
pub(super) const SYS_ENTER: usize = 426;
pub(super) const SYS_REGISTER: usize = 427;

pub(super) const SETUP_IOPOLL: u32 = 1 << 0;
pub(super) const SETUP_SQPOLL: u32 = 1 << 1;
pub(super) const SETUP_CQSIZE: u32 = 1 << 3;
pub(super) const SETUP_R_DISABLED: u32 = 1 << 6;
pub(super) const SETUP_SUBMIT_ALL: u32 = 1 << 7;
pub(super) const SETUP_TASKRUN_FLAG: u32 = 1 << 9;
pub(super) const SETUP_SINGLE_ISSUER: u32 = 1 << 12;
pub(super) const SETUP_DEFER_TASKRUN: u32 = 1 << 13;
pub(super) const SETUP_NO_SQARRAY: u32 = 1 << 16;

pub(super) const FEATURE_REG_REG_RING: u32 = 1 << 13;
pub(super) const FEATURE_BUNDLES: u32 = 1 << 14;
pub(super) const FEATURE_MIN_TIMEOUT: u32 = 1 << 15;
pub(super) const FEATURE_NO_IOWAIT: u32 = 1 << 17;

pub(super) const OFFSET_QUEUES: i64 = 0;
pub(super) const OFFSET_SQES: i64 = 0x1000_0000;

pub(super) const SQ_NEED_WAKEUP: u32 = 1 << 0;
pub(super) const SQ_CQ_OVERFLOW: u32 = 1 << 1;
pub(super) const SQ_TASKRUN: u32 = 1 << 2;

pub(super) const ENTER_GETEVENTS: u32 = 1 << 0;
pub(super) const ENTER_SQ_WAKEUP: u32 = 1 << 1;
pub(super) const ENTER_SQ_WAIT: u32 = 1 << 2;
pub(super) const ENTER_EXT_ARG: u32 = 1 << 3;
pub(super) const ENTER_REGISTERED_RING: u32 = 1 << 4;
pub(super) const ENTER_EXT_ARG_REG: u32 = 1 << 6;
pub(super) const ENTER_NO_IOWAIT: u32 = 1 << 7;

pub(super) const REGISTER_PROBE: u32 = 8;
pub(super) const REGISTER_RESTRICTIONS: u32 = 11;
pub(super) const REGISTER_ENABLE_RINGS: u32 = 12;
pub(super) const UNREGISTER_FILES: u32 = 3;
pub(super) const REGISTER_FILES2: u32 = 13;
pub(super) const REGISTER_BUFFERS2: u32 = 15;
pub(super) const REGISTER_BUFFERS_UPDATE: u32 = 16;
pub(super) const REGISTER_RING_FDS: u32 = 20;
pub(super) const REGISTER_PBUF_RING: u32 = 22;
pub(super) const UNREGISTER_PBUF_RING: u32 = 23;
pub(super) const REGISTER_NAPI: u32 = 27;
pub(super) const REGISTER_RESIZE_RINGS: u32 = 33;
pub(super) const REGISTER_MEM_REGION: u32 = 34;
pub(super) const REGION_OF_USER: u32 = 1;
pub(super) const REGION_OF_WAITS: u64 = 1;
pub(super) const WAIT_HAS_TIMEOUT: u32 = 1;
pub(super) const REGISTER_FILE_ALLOC_RANGE: u32 = 25;
pub(super) const RESOURCE_SPARSE: u32 = 1;

pub(super) const RESTRICT_REGISTER: u16 = 0;
pub(super) const RESTRICT_OPCODE: u16 = 1;
pub(super) const RESTRICT_FLAGS: u16 = 2;

pub(super) const SQE_FIXED_FILE: u8 = 1 << 0;
pub(super) const SQE_IO_LINK: u8 = 1 << 2;
pub(super) const SQE_BUFFER_SELECT: u8 = 1 << 5;
pub(super) const SQE_CQE_SKIP: u8 = 1 << 6;

pub(super) const CQE_BUFFER: u32 = 1 << 0;
pub(super) const CQE_MORE: u32 = 1 << 1;
pub(super) const CQE_SOCK_NONEMPTY: u32 = 1 << 2;
pub(super) const CQE_NOTIF: u32 = 1 << 3;

pub(super) const ACCEPT_MULTISHOT: u16 = 1 << 0;
pub(super) const RECV_MULTISHOT: u16 = 1 << 1;
pub(super) const RECV_BUNDLE: u16 = 1 << 4;
pub(super) const SEND_ZC_FIXED_BUF: u16 = 1 << 2;
pub(super) const SEND_ZC_REPORT_USAGE: u16 = 1 << 3;
pub(super) const FSYNC_DATASYNC: u32 = 1;
pub(super) const POLL_ADD_MULTI: u32 = 1;
pub(super) const FILE_INDEX_ALLOC: u32 = u32::MAX;
pub(super) const SOCKET_SETSOCKOPT: u64 = 3;

pub(super) const OP_NOP: u8 = 0;
pub(super) const OP_READV: u8 = 1;
pub(super) const OP_WRITEV: u8 = 2;
pub(super) const OP_FSYNC: u8 = 3;
pub(super) const OP_READ_FIXED: u8 = 4;
pub(super) const OP_WRITE_FIXED: u8 = 5;
pub(super) const OP_POLL_ADD: u8 = 6;
pub(super) const OP_SENDMSG: u8 = 9;
pub(super) const OP_RECVMSG: u8 = 10;
pub(super) const OP_ACCEPT: u8 = 13;
pub(super) const OP_ASYNC_CANCEL: u8 = 14;
pub(super) const OP_CONNECT: u8 = 16;
pub(super) const OP_FALLOCATE: u8 = 17;
pub(super) const OP_OPENAT: u8 = 18;
pub(super) const OP_CLOSE: u8 = 19;
pub(super) const OP_FILES_UPDATE: u8 = 20;
pub(super) const OP_STATX: u8 = 21;
pub(super) const OP_READ: u8 = 22;
pub(super) const OP_WRITE: u8 = 23;
pub(super) const OP_SEND: u8 = 26;
pub(super) const OP_RECV: u8 = 27;
pub(super) const OP_SHUTDOWN: u8 = 34;
pub(super) const OP_RENAMEAT: u8 = 35;
pub(super) const OP_UNLINKAT: u8 = 36;
pub(super) const OP_MKDIRAT: u8 = 37;
pub(super) const OP_SOCKET: u8 = 45;
pub(super) const OP_URING_CMD: u8 = 46;
pub(super) const OP_SEND_ZC: u8 = 47;
pub(super) const OP_SENDMSG_ZC: u8 = 48;
pub(super) const OP_READ_MULTISHOT: u8 = 49;
pub(super) const OP_FIXED_FD_INSTALL: u8 = 54;
pub(super) const OP_FTRUNCATE: u8 = 55;
pub(super) const OP_READV_FIXED: u8 = 60;
pub(super) const OP_WRITEV_FIXED: u8 = 61;

#[cfg(test)]
mod tests {
    use super::Sqe;

    #[test]
    fn the_words_of_a_submission_are_its_fields() {
        let sqe = Sqe {
            opcode: 0x11,
            flags: 0x22,
            ioprio: 0x3344,
            fd: -5,
            off: 0x6677_8899_aabb_ccdd,
            addr: 0x0102_0304_0506_0708,
            len: 0x8090_a0b0,
            op_flags: 0x1121_3141,
            user_data: u64::MAX - 7,
            buf_group: 0x5152,
            personality: 0x5354,
            file_index: 0x5556_5758,
            addr3: 0x6162_6364_6566_6768,
            pad: 0x7172_7374_7576_7778,
        };
        // SAFETY: both are 64 bytes without gaps, and any bytes are words.
        let as_it_lies: [u64; 8] = unsafe { std::mem::transmute(sqe) };
        assert_eq!(sqe.words(), as_it_lies);
    }
}
