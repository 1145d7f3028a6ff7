//! Faults for tests: what the kernel might answer, and on a good day does not. A plan belongs to a thread.
//!
//! An answer is injected *instead* of the operation: the kernel never sees that submission, so nothing is transferred,
//! which is what an error means. A short transfer is a real one of fewer bytes.

use super::{
    super::event::{MORE, NOTIFICATION, buffer_of},
    Event,
    abi::*,
};
use std::cell::RefCell;

/// What happens to a submission.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It is answered so, and never reaches the kernel.
    Answer(i32),
    /// So, and the completion names a buffer besides.
    AnswerNaming(i32, u16),
    /// It transfers at most so many bytes (or vectors).
    Shorten(u32),
    /// A multishot ends with its first result.
    Once,
}

#[derive(Default)]
struct Plan {
    /// Calls of io_uring_enter so far, and those that shall fail: (first, count, errno).
    enters: u32,
    failing: Option<(u32, u32, i32)>,
    /// Only calls that would submit something fail, and count.
    submitting: bool,
    /// The kernel refuses a thread for submissions so.
    no_thread: Option<i32>,
    /// No device can be polled, and says so.
    no_polls: Option<i32>,
    /// (opcode, what, how often).
    rules: Vec<(u8, Fault, u32)>,
    hits: u32,
    forged: Vec<Event>,
    /// The completions that were read, if they are kept.
    seen: Option<Vec<Event>>,
}

thread_local! {
    static PLAN: RefCell<Plan> = RefCell::default();
}

fn plan<R>(f: impl FnOnce(&mut Plan) -> R) -> R {
    PLAN.with_borrow_mut(f)
}

/// Forgets everything.
pub(super) fn clear() {
    plan(|plan| *plan = Plan::default());
}

/// `count` calls of io_uring_enter fail, from the `nth` on (the first is 1).
pub(super) fn fail_enter(nth: u32, count: u32, errno: i32) {
    plan(|plan| {
        plan.failing = Some((nth, count, errno));
        plan.enters = 0;
    });
}

/// As `fail_enter`, but only calls that would submit something count.
pub(super) fn fail_submitting(nth: u32, count: u32, errno: i32) {
    fail_enter(nth, count, errno);
    plan(|plan| plan.submitting = true);
}

/// The kernel refuses a thread for submissions.
pub(super) fn refuse_threads(errno: i32) {
    plan(|plan| plan.no_thread = Some(errno));
}

/// Asked before a ring with a thread is made: the errno that the kernel shall answer.
pub(super) fn refusing_threads() -> Option<i32> {
    plan(|plan| {
        plan.hits += u32::from(plan.no_thread.is_some());
        plan.no_thread
    })
}

/// No device can be polled.
pub(super) fn refuse_polls(errno: i32) {
    plan(|plan| plan.no_polls = Some(errno));
}

/// Asked for each answer of a device that is polled: the errno that takes its place.
pub(super) fn refusing_polls() -> Option<i32> {
    plan(|plan| {
        plan.hits += u32::from(plan.no_polls.is_some());
        plan.no_polls
    })
}

/// The next `times` submissions of that opcode meet the fault.
pub(super) fn meet(opcode: u8, fault: Fault, times: u32) {
    plan(|plan| plan.rules.push((opcode, fault, times)));
}

/// How many faults were met.
pub(super) fn hits() -> u32 {
    plan(|plan| plan.hits)
}

/// A completion that the kernel never made. Its flags are MORE or NOTIFICATION, or name a buffer.
pub(super) fn forge(event: Event) {
    let raw = |flag, raw| if event.flags & flag != 0 { raw } else { 0 };
    let buffer = buffer_of(event.flags).map_or(0, naming);
    let flags = raw(MORE, CQE_MORE) | raw(NOTIFICATION, CQE_NOTIF) | buffer;
    plan(|plan| plan.forged.push(Event { flags, ..event }));
}

fn naming(buffer: u16) -> u32 {
    CQE_BUFFER | u32::from(buffer) << 16
}

/// Keeps the completions that are read from here on.
pub(super) fn keep_seen() {
    plan(|plan| plan.seen = Some(Vec::new()));
}

/// The completions since `keep_seen`.
pub(super) fn seen() -> Vec<Event> {
    plan(|plan| plan.seen.clone().unwrap_or_default())
}

/// Calls of io_uring_enter since the plan was made or cleared.
pub(super) fn enters() -> u32 {
    plan(|plan| plan.enters)
}

/// Asked before each call of io_uring_enter: the errno that it shall answer.
pub(super) fn entering(count: u32) -> Option<i32> {
    plan(|plan| {
        if plan.submitting && count == 0 {
            return None;
        }
        plan.enters += 1;
        let (nth, times, errno) = plan.failing?;
        let fails = plan.enters >= nth && plan.enters - nth < times;
        plan.hits += u32::from(fails);
        fails.then_some(errno)
    })
}

/// Asked for each submission of an operation: the result and the flags that take its place.
pub(super) fn starting(sqe: &mut Sqe) -> Option<(i32, u32)> {
    plan(|plan| {
        let rule =
            plan.rules.iter_mut().find(|(opcode, _, times)| *opcode == sqe.opcode && *times > 0)?;
        rule.2 -= 1;
        plan.hits += 1;
        match rule.1 {
            Fault::Answer(result) => Some((result, 0)),
            Fault::AnswerNaming(result, buffer) => Some((result, naming(buffer))),
            Fault::Shorten(most) => {
                sqe.len = sqe.len.min(most);
                None
            }
            Fault::Once => {
                sqe.ioprio = 0;
                None
            }
        }
    })
}

/// The completions that were forged.
pub(super) fn take_forged() -> Vec<Event> {
    plan(|plan| std::mem::take(&mut plan.forged))
}

/// Told each completion that is read.
pub(super) fn note(event: Event) {
    plan(|plan| {
        if let Some(seen) = &mut plan.seen {
            seen.push(event);
        }
    });
}
