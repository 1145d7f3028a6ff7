//! What the system says is ready, and carrying out what waits for it.

use super::{Backend, Hint, Poller, attempt::Try};
use crate::{
    op::{Request, Side},
    sys::event::Event,
};
use std::mem;

impl Backend {
    /// Hints of a direction shall come, and the one that is true now if there is one. (kqueue is told only with the next wait.
    /// Whoever arms has a request that waits, so there will be one, and a turn without it only delays both.)
    pub(super) fn arm(&mut self, fd: i32, side: Side) -> Result<(), i32> {
        if self.watches.side(fd, side).armed {
            return Ok(());
        }
        let other = match side {
            Side::Read => Side::Write,
            Side::Write => Side::Read,
        };
        let other = self.watches.side(fd, other).armed;
        let generation = self.watches.get(fd).generation;
        self.poller.arm(fd, generation, side, other)?;
        self.watches.side(fd, side).armed = true;
        Ok(())
    }

    /// A direction is to be tried in the next turn.
    pub(super) fn list(&mut self, fd: i32, side: Side) {
        let generation = self.watches.get(fd).generation;
        let direction = self.watches.side(fd, side);
        if !mem::replace(&mut direction.listed, true) {
            self.listed.push((fd, generation, side));
        }
    }

    /// Notes a hint, and carries out what waits for it. Some: a multishot's future is to look.
    #[inline(always)]
    pub(super) fn take_hint(&mut self, hint: Hint) -> Option<Event> {
        let Hint { number, generation, ready, ended, refused } = hint;
        let watch = self.watches.current(number, generation)?;
        let mut told = None;
        if ready[Side::Read as usize] {
            let asks = refused == 0 && mem::take(&mut watch.asks);
            let direction = &mut watch.sides[Side::Read as usize];
            direction.ready = true;
            direction.ended |= ended[Side::Read as usize];
            direction.armed &= Poller::STAYS_ARMED[Side::Read as usize] && refused == 0;
            if asks {
                told = Some(Self::look_of(direction.first()));
            } else if !direction.is_free() {
                self.try_waiting(number, Side::Read, refused);
            }
        }
        if ready[Side::Write as usize] {
            let direction = self.watches.side(number, Side::Write);
            direction.ready = true;
            direction.ended |= ended[Side::Write as usize];
            direction.armed &= Poller::STAYS_ARMED[Side::Write as usize] && refused == 0;
            if !direction.is_free() {
                self.try_waiting(number, Side::Write, refused);
            }
        }
        told
    }

    pub(super) fn try_listed(&mut self) {
        let mut listed = mem::replace(&mut self.listed, mem::take(&mut self.spare));
        for (fd, generation, side) in listed.drain(..) {
            // What was listed of the number's last owner says nothing of the next, who may be listed behind it.
            if self.watches.current(fd, generation).is_some() {
                self.watches.side(fd, side).listed = false;
                self.try_waiting(fd, side, 0);
            }
        }
        self.spare = listed;
    }

    /// Carries out what waits for a direction, in order, as far as it goes now. `refused`: what goes on waiting has
    /// this error.
    fn try_waiting(&mut self, fd: i32, side: Side, refused: i32) {
        while let Some((id, request, direction)) = self.watches.first(fd, side)
            && direction.ready
        {
            if let Request::RecvPooled { multishot: true, .. } = request {
                return self.tell(id, fd, refused);
            }
            let tried = Try::make(request, &mut self.groups, true);
            let answer = tried.answer;
            self.calls += tried.calls;
            tried.note(direction);
            if answer.result == -libc::EAGAIN {
                break;
            }
            let request = self.watches.remove(id).expect("it was the first");
            self.report(id, &request, answer);
        }
        // It goes on waiting, or the next one does.
        let direction = self.watches.side(fd, side);
        if !direction.is_free()
            && !direction.ready
            && let Err(errno) = if refused == 0 { self.arm(fd, side) } else { Err(refused) }
        {
            while let Some((id, ..)) = self.watches.first(fd, side) {
                self.watches.remove(id);
                self.finish(id, -errno, 0);
            }
        }
    }
}
