//! Accepts that the kernel repeats, and ends when it likes. They belong to no slot; `shots.rs` decides.
#![forbid(unsafe_code)]

use super::{
    super::{
        event::{Event, MORE, Started},
        shots::{Asked, Told},
    },
    Backend, Op, Stage, Submission,
    attempt::{Answer, Outcome},
    control,
    memory::Payload,
    work::What,
    world::Object,
};
use crate::{driver::SlotId, op::Request};

/// A note in the trace that is no request.
const REPEAT: u64 = 105;

impl Backend {
    /// Datagrams are received one by one.
    pub(crate) const REPEATS_MESSAGES: bool = false;

    /// An accept of a listener whose accept is repeated, or shall be. `Err`: the request is none, and goes its own way.
    pub(super) fn start_accept(
        &mut self,
        id: SlotId,
        mut request: Request<'static>,
    ) -> Result<Started, Request<'static>> {
        let (listener, repeats) = match &mut request {
            Request::Accept { fd, direct: false, .. } => (fd.number(), false),
            Request::AcceptNext { fd, peer } => {
                peer.forget();
                (fd.number(), true)
            }
            _ => return Err(request),
        };
        match self.shots.ask(listener, repeats) {
            Asked::Came(number) => {
                let result = self.hand_out(&mut request, number);
                if self.shots.may_hand_out() && self.random.chance(500) {
                    return Ok(Started::Done(result));
                }
                let answer = Answer { result, flags: 0, payload: Payload::None };
                self.put(self.now, What::Answer(id.0, answer));
            }
            Asked::Waits(user) => self.shots.wait(user, id, request),
            Asked::Begins(user) => {
                self.shots.wait(user, id, request);
                control::note(REPEAT, user, listener as u64);
                let fd = Some((listener, false));
                let (request, stage) = (Request::Nop, Stage::Queued);
                let shot =
                    Op { request, fd, object: None, stage, moved: Vec::new(), then: None, last: 0 };
                if self.ops.insert(user, shot).is_some() {
                    control::violation("an accept is repeated twice at a time".to_owned());
                }
                self.queue.push_back(Submission::Start(user));
            }
            Asked::Alone => return Err(request),
        }
        Ok(Started::Queued)
    }

    /// The kernel accepts once more. It may end the repeating with a connection, or for no reason.
    pub(super) fn accept_again(&mut self, user: u64, op: &mut Op) -> Outcome {
        if self.random.chance(self.faults.ended_shots) {
            let reasons = [libc::ECANCELED, libc::EINTR, libc::EAGAIN];
            return Outcome::error(reasons[self.random.below(3) as usize]);
        }
        match self.accept(user, op, false) {
            Outcome::Answer(Answer { result: result @ 0.., .. }) => {
                let more = !self.random.chance(self.faults.ended_shots);
                let flags = if more { MORE } else { 0 };
                let answer = Answer { result, flags, payload: Payload::None };
                if more { Outcome::Item(answer) } else { Outcome::Answer(answer) }
            }
            other => other,
        }
    }

    /// The kernel has accepted, or will no more.
    pub(super) fn accepted(&mut self, user: u64, result: i32, more: bool) {
        if !more {
            self.ops.remove(&user);
        }
        match self.shots.answered(user, result, more) {
            Told::Nothing => {}
            Told::Nobodys(number) => self.close(number, false),
            Told::For(id, mut request, result) => {
                let result = match result {
                    0.. => self.hand_out(&mut request, result),
                    code => code,
                };
                self.answers.push_back(Event { user: id.0, result, flags: 0 });
            }
        }
    }

    /// The answer of an accept that gets this connection, with its address if it wants that.
    fn hand_out(&mut self, request: &mut Request<'static>, number: i32) -> i32 {
        let Request::Accept { peer, .. } = request else { return number };
        self.calls += 1;
        let object = self.world.borrow().get(number, false);
        let addr = match object.as_deref() {
            Some(Object::Stream(stream)) => stream.borrow().peer,
            _ => None,
        };
        // A connection may have ended while it waited.
        match addr.filter(|_| !self.random.chance(self.faults.aborted)) {
            Some(addr) => {
                peer.set(addr);
                number
            }
            None => {
                if let Some(Object::Stream(stream)) = object.as_deref() {
                    stream.borrow_mut().resets = true;
                }
                self.close(number, false);
                -libc::ECONNABORTED
            }
        }
    }

    /// What shall stop is stopped.
    pub(super) fn stop_repeating(&mut self) {
        while let Some(user) = self.shots.next_leaving() {
            if !self.has_room() || self.random.chance(self.faults.full) {
                return;
            }
            self.queue.push_back(Submission::Cancel(user));
            self.shots.is_stopping(user);
        }
    }

    /// Nobody is going to ask for several connections of a listener.
    pub(crate) fn stop_accepting(&mut self, listener: i32) {
        self.shots.no_more(listener);
    }

    /// A listener is closed, and with it what nobody took.
    pub(super) fn forget_listener(&mut self, listener: i32) {
        for number in self.shots.forget(listener) {
            self.close(number, false);
        }
    }

    /// The core ends. True: accepts that the kernel repeats are not over.
    pub(crate) fn ends_accepting(&mut self) -> bool {
        while let Some(listener) = self.shots.any() {
            self.forget_listener(listener);
        }
        self.shots.are_out()
    }
}
