//! A knote: one interest of a queue, and where it is between quiet and delivered.
//!
//! ```text
//!              activate                    collect: true
//!   quiet ────────────────▶ active, queued ─────────────▶ event; then, by its flags:
//!     ▲                        │    ▲                       ONESHOT   gone
//!     │     collect: not true  │    │                       CLEAR     quiet
//!     └────────────────────────┘    │                       DISPATCH  quiet, disabled
//!                                   └────────────────────── otherwise queued again, at the end
//! ```
//!
//! A disabled knote may become active, but is not queued until it is enabled.

use super::{
    names::{EV_ADD, EV_DELETE, EV_DISABLE, EV_ENABLE, kevent},
    ready::{self, Kind, Report},
    settings::Profile,
    sources::{Process, Timer, User},
};
use libc::{c_int, c_void};

pub(super) struct Knote {
    pub(super) ident: usize,
    pub(super) filter: i16,
    /// Those of the first EV_ADD: no later change alters them.
    pub(super) flags: u16,
    pub(super) fflags: u32,
    pub(super) data: i64,
    pub(super) udata: Udata,
    pub(super) source: Source,
    /// Its condition may hold.
    pub(super) active: bool,
    /// It is in the list of the active ones.
    pub(super) queued: bool,
    pub(super) disabled: bool,
}

/// The caller's own; only ever handed back.
pub(super) struct Udata(pub(super) *mut c_void);

// SAFETY: nobody here follows it.
unsafe impl Send for Udata {}

/// What a knote watches.
pub(super) enum Source {
    /// Nothing: the slot is free.
    Free,
    Descriptor(Kind),
    User(User),
    Timer(Timer),
    Process(Process),
}

impl Knote {
    pub(super) fn new(change: &kevent, profile: Profile, source: Source) -> Knote {
        let add = if profile.keeps_add() { 0 } else { EV_ADD };
        Knote {
            ident: change.ident,
            filter: change.filter,
            flags: change.flags & !(add | EV_DELETE | EV_ENABLE | EV_DISABLE),
            fflags: change.fflags,
            data: change.data,
            udata: Udata(change.udata),
            source,
            active: false,
            queued: false,
            disabled: change.flags & EV_DISABLE != 0,
        }
    }

    /// Whether the condition holds now.
    pub(super) fn report(&self, profile: Profile) -> Option<Report> {
        let fd = self.ident as c_int;
        match &self.source {
            Source::Free => None,
            Source::Descriptor(kind) if self.filter == super::EVFILT_READ => {
                ready::readable(fd, *kind, self.fflags, self.data)
            }
            Source::Descriptor(kind) => ready::writable(fd, *kind, self.fflags, self.data),
            Source::User(user) => user.report(self.data),
            Source::Timer(timer) => timer.report(),
            Source::Process(process) => process.report(profile),
        }
    }

    pub(super) fn event(&self, report: Report) -> kevent {
        kevent {
            ident: self.ident,
            filter: self.filter,
            flags: self.flags | report.flags,
            fflags: report.fflags,
            data: report.data,
            udata: self.udata.0,
        }
    }

    pub(super) fn is_of_descriptor(&self) -> bool {
        matches!(self.source, Source::Descriptor(_))
    }
}
