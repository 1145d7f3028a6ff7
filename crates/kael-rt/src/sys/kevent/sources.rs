//! What is not a descriptor: user events, timers, the end of processes.

use super::{
    names::*,
    ready::{self, Report},
    settings::Profile,
};
use libc::c_int;
use std::{
    mem,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::{Duration, Instant},
};

pub(super) struct User {
    triggered: bool,
    fflags: u32,
}

impl User {
    /// FreeBSD does not look for a trigger in the change that makes the knote; macOS does.
    pub(super) fn new(change: &kevent, profile: Profile) -> User {
        let triggered = profile == Profile::Darwin && change.fflags & NOTE_TRIGGER != 0;
        User { triggered, fflags: change.fflags & NOTE_FFLAGSMASK }
    }

    pub(super) fn change(&mut self, change: &kevent, profile: Profile) {
        self.triggered |= change.fflags & NOTE_TRIGGER != 0;
        let fflags = change.fflags & NOTE_FFLAGSMASK;
        match change.fflags & NOTE_FFCTRLMASK {
            NOTE_FFAND => self.fflags &= fflags,
            NOTE_FFOR => self.fflags |= fflags,
            NOTE_FFCOPY => self.fflags = fflags,
            _ => {}
        }
        // FreeBSD's filt_usertouch clears last, so a trigger with EV_CLEAR is a trigger lost.
        if change.flags & EV_CLEAR != 0 && profile == Profile::FreeBsd {
            self.triggered = false;
        }
    }

    pub(super) fn clear(&mut self) {
        self.triggered = false;
    }

    pub(super) fn report(&self, data: i64) -> Option<Report> {
        self.triggered.then_some(Report { flags: 0, fflags: self.fflags, data })
    }
}

/// Fires every `period`; `data` is how often since the last event.
pub(super) struct Timer {
    next: Instant,
    period: Duration,
    fired: i64,
}

impl Timer {
    /// The unit is in the fflags, milliseconds without one. NetBSD knows no other.
    pub(super) fn new(change: &kevent, profile: Profile) -> Result<Timer, c_int> {
        let Ok(amount) = u64::try_from(change.data) else {
            return Err(libc::EINVAL);
        };
        let amount = amount.max(1);
        let period = match change.fflags {
            0 => Duration::from_millis(amount),
            _ if profile == Profile::NetBsd => return Err(libc::EINVAL),
            NOTE_SECONDS => Duration::from_secs(amount),
            NOTE_MSECONDS => Duration::from_millis(amount),
            NOTE_USECONDS => Duration::from_micros(amount),
            NOTE_NSECONDS => Duration::from_nanos(amount),
            _ => return Err(libc::EINVAL),
        };
        let next = Instant::now().checked_add(period).ok_or(libc::EINVAL)?;
        Ok(Timer { next, period, fired: 0 })
    }

    /// When it fires next.
    pub(super) fn next(&self) -> Instant {
        self.next
    }

    /// Counts what has passed; whether there was any.
    pub(super) fn advance(&mut self, now: Instant) -> bool {
        let Some(late) = now.checked_duration_since(self.next) else {
            return false;
        };
        // A bound for the arithmetic only: what is left is counted by the next call.
        let more = (late.as_nanos() / self.period.as_nanos()).min(1 << 30) as u32;
        self.fired += 1 + i64::from(more);
        self.next += self.period * (more + 1);
        true
    }

    pub(super) fn clear(&mut self) {
        self.fired = 0;
    }

    pub(super) fn report(&self) -> Option<Report> {
        (self.fired > 0).then_some(Report { data: self.fired, ..Report::default() })
    }
}

/// A process whose end is awaited.
pub(super) struct Process(OwnedFd);

impl Process {
    pub(super) fn new(change: &kevent, profile: Profile) -> Result<Process, c_int> {
        if change.fflags != NOTE_EXIT {
            return Err(libc::EINVAL);
        }
        let Ok(pid) = libc::pid_t::try_from(change.ident) else {
            return Err(libc::ESRCH);
        };
        // SAFETY: two numbers; what it makes is ours.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as c_int;
        if fd < 0 {
            // A number that can be no process's is EINVAL on Linux.
            return Err(match super::errno() {
                libc::EINVAL => libc::ESRCH,
                other => other,
            });
        }
        // SAFETY: just made.
        let process = Process(unsafe { OwnedFd::from_raw_fd(fd) });
        if profile.hides_zombies() && process.has_ended() {
            return Err(libc::ESRCH);
        }
        Ok(process)
    }

    pub(super) fn descriptor(&self) -> c_int {
        self.0.as_raw_fd()
    }

    /// The status as waitpid(2) would give it, except on macOS, where one has to ask for it.
    pub(super) fn report(&self, profile: Profile) -> Option<Report> {
        self.has_ended().then(|| {
            let data = if profile == Profile::Darwin { 0 } else { self.status() };
            Report { flags: EV_EOF | EV_ONESHOT, fflags: NOTE_EXIT, data }
        })
    }

    fn has_ended(&self) -> bool {
        ready::look(self.descriptor()).is_some_and(|bits| bits & libc::POLLIN != 0)
    }

    /// Nothing if it is not our child, or was waited for already.
    fn status(&self) -> i64 {
        let id = self.descriptor() as libc::id_t;
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: zeros are a valid siginfo_t, and the call fills ours. It leaves the child to be
        // waited for by its owner.
        let (code, status) = unsafe {
            let mut info: libc::siginfo_t = mem::zeroed();
            if libc::waitid(libc::P_PIDFD, id, &raw mut info, options) != 0 {
                return 0;
            }
            (info.si_code, info.si_status())
        };
        i64::from(match code {
            libc::CLD_EXITED => status << 8,
            libc::CLD_DUMPED => status | 0x80,
            _ => status,
        })
    }
}
