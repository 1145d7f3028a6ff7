//! Each rule of the contract, on each profile, without chance unless it says so.

mod calls;
mod closed;
mod descriptors;
mod files;
mod hostile;
mod other_filters;

use super::*;
use std::{
    mem::MaybeUninit,
    os::fd::{FromRawFd, OwnedFd},
};

/// A queue and its caller.
struct Kq(OwnedFd);

impl Kq {
    fn new(profile: Profile) -> Kq {
        Kq::with_seed(profile, None)
    }

    fn with_seed(profile: Profile, seed: Option<u64>) -> Kq {
        set_profile(profile);
        set_seed(seed);
        // SAFETY: no contract; what it makes is ours.
        let number = unsafe { kqueue() };
        assert!(number >= 0, "errno {}", errno());
        // SAFETY: just made.
        Kq(unsafe { OwnedFd::from_raw_fd(number) })
    }

    /// One call with room for `room` events. No limit waits for ever.
    fn call(
        &self,
        changes: &[kevent],
        room: usize,
        limit: Option<Duration>,
    ) -> Result<Vec<kevent>, c_int> {
        assert!(room <= 64);
        let mut events = [const { MaybeUninit::<kevent>::uninit() }; 64];
        let limit = limit.map(|limit| timespec {
            tv_sec: limit.as_secs() as i64,
            tv_nsec: limit.subsec_nanos().into(),
        });
        // SAFETY: as many changes and as much room as we say, and a time or none.
        let count = unsafe {
            kevent(
                self.0.as_raw_fd(),
                changes.as_ptr(),
                changes.len() as c_int,
                events.as_mut_ptr().cast(),
                room as c_int,
                limit.as_ref().map_or(ptr::null(), ptr::from_ref),
            )
        };
        if count < 0 {
            return Err(errno());
        }
        // SAFETY: so many were written.
        Ok(events[..count as usize].iter().map(|event| unsafe { event.assume_init() }).collect())
    }

    /// Changes that must not fail, and no events.
    fn apply(&self, changes: &[kevent]) {
        assert_eq!(self.call(changes, 0, None), Ok(vec![]));
    }

    /// What there is now.
    fn poll(&self) -> Vec<kevent> {
        self.call(&[], 64, Some(Duration::ZERO)).unwrap()
    }

    /// What there is, or will be.
    fn wait(&self) -> Vec<kevent> {
        let events = self.call(&[], 64, Some(Duration::from_secs(20))).unwrap();
        assert!(!events.is_empty(), "time limit");
        events
    }
}

impl Drop for Kq {
    fn drop(&mut self) {
        closing(self.0.as_raw_fd());
    }
}

fn change(ident: usize, filter: i16, flags: u16) -> kevent {
    kevent { ident, filter, flags, fflags: 0, data: 0, udata: ptr::null_mut() }
}

fn on(fd: &impl AsRawFd, filter: i16, flags: u16) -> kevent {
    change(fd.as_raw_fd() as usize, filter, flags)
}

fn with_udata(change: kevent, udata: usize) -> kevent {
    kevent { udata: ptr::without_provenance_mut(udata), ..change }
}

fn idents(events: &[kevent]) -> Vec<usize> {
    events.iter().map(|event| event.ident).collect()
}
