//! The structure and the numbers of kqueue, with the names that the `libc` crate gives them and
//! FreeBSD's values.

use libc::c_void;

/// One change or one event; see kevent(2).
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct kevent {
    pub(crate) ident: usize,
    pub(crate) filter: i16,
    pub(crate) flags: u16,
    pub(crate) fflags: u32,
    pub(crate) data: i64,
    pub(crate) udata: *mut c_void,
}

pub(crate) const EVFILT_READ: i16 = -1;
pub(crate) const EVFILT_WRITE: i16 = -2;
pub(crate) const EVFILT_AIO: i16 = -3;
pub(crate) const EVFILT_VNODE: i16 = -4;
pub(crate) const EVFILT_PROC: i16 = -5;
pub(crate) const EVFILT_SIGNAL: i16 = -6;
pub(crate) const EVFILT_TIMER: i16 = -7;
pub(crate) const EVFILT_USER: i16 = -11;

pub(crate) const EV_ADD: u16 = 0x1;
pub(crate) const EV_DELETE: u16 = 0x2;
pub(crate) const EV_ENABLE: u16 = 0x4;
pub(crate) const EV_DISABLE: u16 = 0x8;
pub(crate) const EV_ONESHOT: u16 = 0x10;
pub(crate) const EV_CLEAR: u16 = 0x20;
pub(crate) const EV_RECEIPT: u16 = 0x40;
pub(crate) const EV_DISPATCH: u16 = 0x80;
pub(crate) const EV_ERROR: u16 = 0x4000;
pub(crate) const EV_EOF: u16 = 0x8000;

/// EVFILT_READ and EVFILT_WRITE: `data` is the least number of bytes that counts.
pub(crate) const NOTE_LOWAT: u32 = 0x1;

pub(crate) const NOTE_EXIT: u32 = 0x8000_0000;
pub(crate) const NOTE_FORK: u32 = 0x4000_0000;
pub(crate) const NOTE_EXEC: u32 = 0x2000_0000;

pub(crate) const NOTE_FFNOP: u32 = 0;
pub(crate) const NOTE_FFAND: u32 = 0x4000_0000;
pub(crate) const NOTE_FFOR: u32 = 0x8000_0000;
pub(crate) const NOTE_FFCOPY: u32 = 0xc000_0000;
pub(crate) const NOTE_FFCTRLMASK: u32 = 0xc000_0000;
pub(crate) const NOTE_FFLAGSMASK: u32 = 0x00ff_ffff;
pub(crate) const NOTE_TRIGGER: u32 = 0x0100_0000;

pub(crate) const NOTE_SECONDS: u32 = 0x1;
pub(crate) const NOTE_MSECONDS: u32 = 0x2;
pub(crate) const NOTE_USECONDS: u32 = 0x4;
pub(crate) const NOTE_NSECONDS: u32 = 0x8;
