//! What one change does to its knote.

use super::{
    knote::{Knote, Source},
    names::*,
    queue::Queue,
    settings::Profile,
    sources::Timer,
};
use libc::c_int;

impl Queue {
    /// One element of a list of changes. The error is for the caller's list of events.
    pub(super) fn change(&mut self, change: &kevent) -> Result<(), c_int> {
        let found = self.find(change)?;
        if change.flags & EV_DELETE != 0 {
            self.forget_one_shot(change.ident, Some(change.filter));
            self.drop_knote(found.ok_or(libc::ENOENT)?);
            return Ok(());
        }
        let is_add = change.flags & EV_ADD != 0;
        let index = match found {
            Some(index) => {
                if is_add || self.profile.touches_without_add() {
                    self.touch(index, change)?;
                }
                index
            }
            None if is_add => self.attach(change)?,
            None => return Err(libc::ENOENT),
        };
        self.enable(index, change);
        let profile = self.profile;
        let knote = self.knote(index);
        // An added knote is looked at once, also when it was there: what came before is not lost.
        let is_looked_at = match profile {
            Profile::NetBsd => is_add,
            _ => !knote.disabled,
        };
        if is_looked_at && knote.report(profile).is_some() {
            self.activate(index);
        }
        Ok(())
    }

    /// A knote that was there gets what the change has, except the flags of its own: it stays
    /// EV_CLEAR or EV_ONESHOT or neither, as it was made.
    fn touch(&mut self, index: u32, change: &kevent) -> Result<(), c_int> {
        let profile = self.profile;
        let knote = self.knote(index);
        knote.udata.0 = change.udata;
        knote.data = change.data;
        match &mut knote.source {
            Source::User(user) => user.change(change, profile),
            // Begins again; what had passed is forgotten.
            Source::Timer(timer) if change.flags & EV_ADD != 0 => {
                *timer = Timer::new(change, profile)?;
            }
            _ => knote.fflags = change.fflags,
        }
        Ok(())
    }

    fn enable(&mut self, index: u32, change: &kevent) {
        let knote = self.knote(index);
        if change.flags & EV_ENABLE != 0 {
            knote.disabled = false;
            // What came while it was disabled.
            if knote.active {
                self.activate(index);
            }
        } else if change.flags & EV_DISABLE != 0 {
            knote.disabled = true;
        }
    }

    /// An event of this knote has been delivered, or a false one was.
    pub(super) fn delivered(&mut self, index: u32, event: &kevent, is_true: bool) {
        let knote = self.knote(index);
        if event.flags & EV_ONESHOT != 0 {
            if knote.is_of_descriptor() {
                self.last_one_shot = Some(super::queue::LastOneShot(*event));
            }
            self.drop_knote(index);
            return;
        }
        let Knote { flags, source, active, disabled, .. } = knote;
        // FreeBSD and its kin clear a timer by itself.
        let clears = *flags & EV_CLEAR != 0 || matches!(source, Source::Timer(_));
        let dispatches = *flags & EV_DISPATCH != 0;
        if is_true && clears {
            match source {
                Source::User(user) => user.clear(),
                Source::Timer(timer) => timer.clear(),
                _ => {}
            }
        }
        *disabled |= dispatches;
        if dispatches || is_true && clears {
            *active = false;
        } else if is_true {
            self.activate(index);
        }
    }
}
