//! What happens when: submissions, the queue of what is due, and cancelling.
#![forbid(unsafe_code)]

use super::{
    ANSWERS_PER_TURN, Backend, Op, Stage, Submission,
    attempt::{Answer, Outcome, shut_down},
    control,
    memory::{self, Payload},
    to_event,
};
use crate::{
    driver::Descriptor,
    op::Request,
    sys::{
        event::{MORE, Region},
        shots,
    },
};
use std::{cmp::Ordering, mem, net::Shutdown};

/// Something that happens at its time. What is due together comes in an order that the seed made.
pub(super) struct Due {
    pub(super) at: u64,
    tie: u64,
    put: u64,
    what: What,
}

pub(super) enum What {
    /// A request is carried out, as far as it goes.
    Attempt(u64),
    Answer(u64, Answer),
}

impl Due {
    fn key(&self) -> (u64, u64, u64) {
        (self.at, self.tie, self.put)
    }
}

impl Ord for Due {
    /// The earliest is the greatest, as the heap wants it.
    fn cmp(&self, other: &Due) -> Ordering {
        other.key().cmp(&self.key())
    }
}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Due {}

impl Answer {
    pub(super) fn error(errno: i32) -> Answer {
        Answer { result: -errno, flags: 0, payload: Payload::None }
    }
}

/// Notes in the trace that are no requests.
pub(super) const CLOCK: u64 = 100;
const ANSWER: u64 = 101;
const CANCEL: u64 = 102;
const CLOSE: u64 = 103;
const SHUT_DOWN: u64 = 104;

/// Numbers a request for the trace, with what can be said of it without its addresses.
pub(super) fn describe(request: &Request<'_>) -> (u64, u64) {
    match request {
        Request::Nop => (1, 0),
        Request::Pass { .. } => (2, 0),
        Request::Read { into, at, .. } => (3, *at << 24 ^ into.len() as u64),
        Request::Write { from, at, .. } => (4, *at << 24 ^ from.len() as u64),
        Request::ReadVectored { into, at, .. } => (5, *at << 24 ^ into.count() as u64),
        Request::WriteVectored { at, .. } => (6, *at),
        Request::Sync { data_only, .. } => (7, u64::from(*data_only)),
        Request::Truncate { len, .. } => (8, *len),
        Request::Allocate { offset, len, .. } => (9, *offset << 24 ^ *len),
        Request::Stat { .. } => (10, 0),
        Request::StatPath { path, .. } => (11, path.count_bytes() as u64),
        Request::Open { flags, .. } => (12, *flags as u64),
        Request::Unlink { dir, .. } => (13, u64::from(*dir)),
        Request::Rename { .. } => (14, 0),
        Request::MakeDir { .. } => (15, 0),
        Request::Close { fd } => (16, fd.number() as u64),
        Request::Recv { fd, into, .. } => (17, on(fd) ^ into.len() as u64),
        Request::RecvPooled { fd, multishot, .. } => (18, on(fd) ^ u64::from(*multishot)),
        Request::RecvVectored { fd, .. } => (19, on(fd)),
        Request::RecvMessage { fd, .. } => (20, on(fd)),
        Request::Send { fd, from, .. } => (21, on(fd) ^ from.len() as u64),
        Request::SendZeroCopy { fd, from } => (22, on(fd) ^ from.len() as u64),
        Request::SendMessage { fd, .. } => (23, on(fd)),
        Request::SendMessageZeroCopy { fd, .. } => (28, on(fd)),
        Request::Accept { fd, .. } => (24, fd.number() as u64),
        Request::AcceptNext { fd, .. } => (30, fd.number() as u64),
        Request::Connect { fd, .. } => (25, fd.number() as u64),
        Request::Shutdown { how, .. } => (26, *how as u64),
        Request::RecvMessages { fd, .. } => (31, on(fd)),
        Request::Load { into, at, .. } => (29, *at << 24 ^ into.len() as u64),
        Request::Fill { .. }
        | Request::Take { .. }
        | Request::Give { .. }
        | Request::Transmit { .. }
        | Request::Ready { .. }
        | Request::AwaitClient { .. } => unreachable!("there is no pipe here"),
        #[cfg(test)]
        Request::Stall { .. } => (27, 0),
    }
}

fn on(fd: &Descriptor) -> u64 {
    (fd.number() as u64) << 32
}

impl Backend {
    /// The kernel takes what is queued, in order.
    pub(super) fn submit(&mut self) {
        while let Some(submission) = self.queue.pop_front() {
            self.submitted += 1;
            match submission {
                Submission::Start(user) => self.begin(user),
                Submission::Cancel(user) => self.stop(user),
                Submission::Close(number, direct) => {
                    control::note(CLOSE, number as u64, u64::from(direct));
                    let object = self.world.borrow_mut().close(number, direct);
                    drop(object);
                }
                Submission::ShutDown(number, direct) => {
                    control::note(SHUT_DOWN, number as u64, u64::from(direct));
                    let object = self.world.borrow().get(number, direct);
                    let _ = shut_down(object.as_deref(), Shutdown::Both);
                }
            }
        }
    }

    fn begin(&mut self, user: u64) {
        let Some(op) = self.ops.get_mut(&user) else { return };
        op.stage = Stage::Begun;
        if let Some((number, direct)) = op.fd {
            op.object = self.world.borrow().get(number, direct);
            if op.object.is_none() {
                return self.settle(user, Answer::error(libc::EBADF));
            }
        }
        let at = self.now + self.delay();
        self.put(at, What::Attempt(user));
    }

    /// Mostly at once or soon; now and then late.
    fn delay(&mut self) -> u64 {
        let longest = self.faults.longest_delay.as_nanos() as u64;
        match self.random.below(100) {
            0..50 => 0,
            50..90 => self.random.below(longest / 50 + 1),
            90..99 => self.random.below(longest / 5 + 1),
            _ => self.random.below(longest + 1),
        }
    }

    pub(super) fn put(&mut self, at: u64, what: What) {
        self.puts += 1;
        let tie = self.random.next();
        self.due.push(Due { at, tie, put: self.puts, what });
    }

    /// The last answer of a request is on its way.
    fn settle(&mut self, user: u64, answer: Answer) {
        let at = self.now + self.delay();
        let Some(op) = self.ops.get_mut(&user) else { return };
        op.stage = Stage::Settled;
        let at = at.max(op.last + 1);
        self.put(at, What::Answer(user, answer));
    }

    /// The last answer of a request that was stopped. A zero-copy send may have its notification yet.
    fn settle_stopped(&mut self, user: u64, answer: Answer) {
        let Some(op) = self.ops.remove(&user) else { return };
        let outcome = if is_zero_copy(&op.request) {
            self.zero_copy(&op.request, answer)
        } else {
            Outcome::Answer(answer)
        };
        self.ops.insert(user, op);
        match outcome {
            Outcome::Twice(answer, notice) => {
                self.send_item(user, answer);
                self.settle(user, notice);
            }
            Outcome::Answer(answer) => self.settle(user, answer),
            _ => unreachable!("a request that was stopped is answered"),
        }
    }

    /// An answer after which others follow.
    fn send_item(&mut self, user: u64, answer: Answer) {
        let at = self.now + self.delay();
        let Some(op) = self.ops.get_mut(&user) else { return };
        op.last = at.max(op.last + 1);
        let at = op.last;
        self.put(at, What::Answer(user, answer));
    }

    /// Does what is due, and gives answers as long as there is room.
    pub(super) fn answer(&mut self) {
        for (user, result) in self.unpark.take_done() {
            self.jobs -= 1;
            self.put(
                self.now,
                What::Answer(user, Answer { result, flags: 0, payload: Payload::None }),
            );
        }
        loop {
            self.go_on();
            if self.answers.len() >= ANSWERS_PER_TURN
                || self.due.peek().is_none_or(|due| due.at > self.now)
            {
                return;
            }
            let Some(due) = self.due.pop() else { return };
            match due.what {
                What::Attempt(user) => self.carry_out(user),
                What::Answer(user, answer) => self.give(user, &answer),
            }
        }
    }

    /// Requests whose object has changed are tried again.
    fn go_on(&mut self) {
        let woken = mem::take(&mut *self.woken.borrow_mut());
        for user in woken {
            let at = self.now + self.delay();
            if let Some(op) = self.ops.get_mut(&user)
                && op.stage == Stage::Parked
            {
                op.stage = Stage::Begun;
                self.put(at, What::Attempt(user));
            }
        }
    }

    fn carry_out(&mut self, user: u64) {
        // A cancel may have settled it since.
        if self.ops.get(&user).is_none_or(|op| op.stage != Stage::Begun) {
            return;
        }
        let Some(mut op) = self.ops.remove(&user) else { return };
        let outcome = match user >= shots::FIRST {
            true => self.accept_again(user, &mut op),
            false => self.attempt(user, &mut op),
        };
        if matches!(outcome, Outcome::Parked) {
            op.stage = Stage::Parked;
        }
        self.ops.insert(user, op);
        match outcome {
            Outcome::Parked => {}
            Outcome::Again => {
                let at = self.now + self.delay();
                self.put(at, What::Attempt(user));
            }
            Outcome::Answer(answer) => self.settle(user, answer),
            Outcome::Item(answer) => {
                self.send_item(user, answer);
                let at = self.now + self.delay();
                self.put(at, What::Attempt(user));
            }
            Outcome::Twice(answer, notice) => {
                self.send_item(user, answer);
                self.settle(user, notice);
            }
        }
    }

    /// Writes the memory and reports.
    fn give(&mut self, user: u64, answer: &Answer) {
        control::note(ANSWER, user, answer.result as u64);
        let last = answer.flags & MORE == 0;
        let Some(op) = self.ops.get_mut(&user) else {
            // A job of the pool has written its memory itself.
            self.answers.push_back(to_event(user, answer));
            return;
        };
        memory::check(&mut op.request);
        memory::write(&mut op.request, &answer.payload);
        if user >= shots::FIRST {
            return self.accepted(user, answer.result, !last);
        }
        self.answers.push_back(to_event(user, answer));
        if last {
            let op = self.ops.remove(&user);
            // The object may end here, and wake others.
            let asked = op.as_ref().map_or(0, |op| Region::of(&op.request).asked);
            if let Some(next) = op.and_then(|op| op.then) {
                if answer.result >= 0 && answer.result as u32 >= asked {
                    self.begin(next);
                } else {
                    self.settle(next, Answer::error(libc::ECANCELED));
                }
            }
        }
    }

    /// A cancel: it may come too late, and it may find something.
    fn stop(&mut self, user: u64) {
        let Some(op) = self.ops.get(&user) else { return };
        control::note(CANCEL, user, op.stage as u64);
        match op.stage {
            Stage::Queued | Stage::Settled => {}
            Stage::Linked => self.settle(user, Answer::error(libc::ECANCELED)),
            // What does not wait for a peer may be beyond stopping.
            Stage::Begun if !waits(user, &op.request) && self.random.chance(500) => {}
            Stage::Begun | Stage::Parked => {
                if self.random.chance(250) {
                    // The race is lost: it gets what there is.
                    if let Some(op) = self.ops.get_mut(&user) {
                        op.stage = Stage::Begun;
                    }
                    self.carry_out(user);
                }
                let Some(op) = self.ops.get_mut(&user) else { return };
                if op.stage != Stage::Settled {
                    let answer = cancelled(op);
                    self.settle_stopped(user, answer);
                }
            }
        }
    }
}

/// The answer of a request that was stopped: what it had moved counts.
fn cancelled(op: &mut Op) -> Answer {
    let moved = mem::take(&mut op.moved);
    if moved.is_empty() {
        return Answer::error(libc::ECANCELED);
    }
    let result = moved.len() as i32;
    let payload = match op.request {
        Request::Recv { .. } | Request::RecvMessage { .. } | Request::RecvVectored { .. } => {
            Payload::Bytes(moved)
        }
        // A send has nothing to write.
        _ => Payload::None,
    };
    Answer { result, flags: 0, payload }
}

/// A request that waits for a peer can always be stopped.
fn waits(user: u64, request: &Request<'_>) -> bool {
    let waits = matches!(
        request,
        Request::Recv { .. }
            | Request::RecvVectored { .. }
            | Request::RecvMessage { .. }
            | Request::RecvPooled { .. }
            | Request::Accept { .. }
            | Request::Connect { .. }
            | Request::Send { .. }
            | Request::SendMessage { .. }
            | Request::SendZeroCopy { .. }
            | Request::SendMessageZeroCopy { .. }
    );
    waits || user >= shots::FIRST
}

fn is_zero_copy(request: &Request<'_>) -> bool {
    matches!(request, Request::SendZeroCopy { .. } | Request::SendMessageZeroCopy { .. })
}
