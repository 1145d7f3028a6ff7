//! [`Account`]: what the calls of a program add up to. It is told of each call that has ended, and asks the system nothing.

use super::calls::Kind;
use super::descriptors::{Descriptor, Target};
use super::ptrace::Tid;
use crate::latency::Recorder;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// One call that has returned.
#[derive(Clone, Copy)]
pub(super) struct Call {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) thread: Tid,
    pub(super) on: Descriptor,
    pub(super) arguments: [u64; 6],
    /// What the kernel returned: a negative number is an error's.
    pub(super) result: i64,
    pub(super) time: Duration,
}

/// A system call, by what it was made on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) target: Target,
}

/// All calls of one kind.
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) calls: u64,
    pub(super) errors: u64,
    /// Of the errors: nothing was there, or no room.
    pub(super) not_ready: u64,
    /// That returned 0: the end of what is read, a wait whose time was up.
    pub(super) empty: u64,
    /// What was read or written, of calls whose result says it.
    pub(super) bytes: u64,
    pub(super) time: Duration,
    pub(super) recorder: Recorder,
}

#[derive(Default)]
pub(super) struct Account {
    pub(super) rows: BTreeMap<Key, Row>,
    pub(super) accepted: u64,
    /// Receives that returned data, on sockets that were accepted and on all others.
    pub(super) received_of_accepted: u64,
    pub(super) received_of_others: u64,
    /// io_uring: what was handed over in all calls.
    pub(super) submitted: u64,
    /// Writes of exactly what the thread had received right before from another descriptor, in bytes that matter.
    pub(super) copies: u64,
    last_received: HashMap<Tid, (u64, i64)>,
}

const EAGAIN: i64 = -11;
/// The highest number of an error; what is below it is a result, such as an address.
const LAST_ERROR: i64 = -4095;
/// A copy of less is not worth another way.
const COPY_BYTES: i64 = 4096;

impl Account {
    pub(super) fn add(&mut self, call: &Call) {
        let key = Key { name: call.name, target: call.on.target };
        let row = self.rows.entry(key).or_insert_with(|| Row::new(call.kind));
        row.add(call);
        match call.kind {
            Kind::Accept if call.result >= 0 => self.accepted += 1,
            Kind::Enter if call.result > 0 => self.submitted += call.result.unsigned_abs(),
            Kind::Receive => self.received(call),
            Kind::Send => self.sent(call),
            _ => {}
        }
    }

    fn received(&mut self, call: &Call) {
        if call.result <= 0 {
            return;
        }
        self.last_received.insert(call.thread, (call.arguments[0], call.result));
        match call.on {
            Descriptor { target: Target::Socket, is_accepted: true } => {
                self.received_of_accepted += 1
            }
            Descriptor { target: Target::Socket, is_accepted: false } => {
                self.received_of_others += 1
            }
            _ => {}
        }
    }

    fn sent(&mut self, call: &Call) {
        let Some((from, bytes)) = self.last_received.remove(&call.thread) else { return };
        if from != call.arguments[0] && bytes == call.result && bytes >= COPY_BYTES {
            self.copies += 1;
        }
    }

    pub(super) fn calls(&self) -> u64 {
        self.rows.values().map(|row| row.calls).sum()
    }

    /// The rows of a kind, on any of these targets.
    pub(super) fn of<'a>(
        &'a self,
        kind: Kind,
        targets: &'a [Target],
    ) -> impl Iterator<Item = (&'a Key, &'a Row)> {
        self.rows.iter().filter(move |(key, row)| {
            row.kind == kind && (targets.is_empty() || targets.contains(&key.target))
        })
    }

    /// How many calls of a kind there were; on anything, if no target is named.
    pub(super) fn count(&self, kind: Kind, targets: &[Target]) -> u64 {
        self.of(kind, targets).map(|(_, row)| row.calls).sum()
    }

    pub(super) fn bytes(&self, kind: Kind, targets: &[Target]) -> u64 {
        self.of(kind, targets).map(|(_, row)| row.bytes).sum()
    }
}

impl Row {
    fn new(kind: Kind) -> Row {
        Row {
            kind,
            calls: 0,
            errors: 0,
            not_ready: 0,
            empty: 0,
            bytes: 0,
            time: Duration::ZERO,
            recorder: Recorder::new(),
        }
    }

    fn add(&mut self, call: &Call) {
        self.calls += 1;
        self.time += call.time;
        self.recorder.record(call.time);
        match call.result {
            LAST_ERROR..0 => self.errors += 1,
            0 => self.empty += 1,
            bytes if self.kind.is_transfer() && !call.name.ends_with("mmsg") => {
                self.bytes += bytes.unsigned_abs();
            }
            _ => {}
        }
        self.not_ready += u64::from(call.result == EAGAIN);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A call as a test tells it.
    pub(in crate::system::trace) fn call(
        name: &'static str,
        target: Target,
        descriptor: u64,
        result: i64,
    ) -> Call {
        Call {
            name,
            kind: Kind::of(name),
            thread: 1,
            on: Descriptor { target, is_accepted: false },
            arguments: [descriptor, 0, 0, 0, 0, 0],
            result,
            time: Duration::from_micros(3),
        }
    }

    #[test]
    fn calls_add_up_by_name_and_target() {
        let mut account = Account::default();
        for result in [64, 64, -11, 0] {
            account.add(&call("read", Target::Socket, 5, result));
        }
        account.add(&call("read", Target::File, 6, 4096));
        let row = &account.rows[&Key { name: "read", target: Target::Socket }];
        assert_eq!((row.calls, row.errors, row.not_ready, row.empty, row.bytes), (4, 1, 1, 1, 128));
        assert_eq!(row.time, Duration::from_micros(12));
        assert_eq!(account.calls(), 5);
        assert_eq!(account.count(Kind::Receive, &[]), 5);
        assert_eq!(account.bytes(Kind::Receive, &[Target::File]), 4096);
        assert_eq!((account.received_of_accepted, account.received_of_others), (0, 2));
    }

    #[test]
    fn an_address_is_no_error_and_no_number_of_bytes() {
        let mut account = Account::default();
        account.add(&call("mmap", Target::None, 0, 0x7fff_0000_0000));
        account.add(&call("mmap", Target::None, 0, -12));
        account.add(&call("brk", Target::None, 0, i64::MIN));
        let row = &account.rows[&Key { name: "mmap", target: Target::None }];
        assert_eq!((row.calls, row.errors, row.bytes), (2, 1, 0));
        assert_eq!(account.rows[&Key { name: "brk", target: Target::None }].errors, 0);
    }

    #[test]
    fn a_copy_is_what_one_thread_received_and_sent_on() {
        let mut account = Account::default();
        account.add(&call("read", Target::File, 5, 65536));
        account.add(&call("write", Target::Socket, 6, 65536));
        assert_eq!(account.copies, 1);
        // Back to where it came from, a part of it, another thread, too little.
        account.add(&call("read", Target::Socket, 5, 65536));
        account.add(&call("write", Target::Socket, 5, 65536));
        account.add(&call("read", Target::Socket, 5, 65536));
        account.add(&call("write", Target::Socket, 6, 4096));
        account.add(&call("read", Target::Socket, 5, 65536));
        account.add(&Call { thread: 2, ..call("write", Target::Socket, 6, 65536) });
        account.add(&call("read", Target::Socket, 5, 64));
        account.add(&call("write", Target::Socket, 6, 64));
        assert_eq!(account.copies, 1);
    }

    #[test]
    fn rings_and_accepted_connections_are_counted() {
        let mut account = Account::default();
        account.add(&call("io_uring_enter", Target::None, 4, 7));
        account.add(&call("io_uring_enter", Target::None, 4, -62));
        account.add(&call("accept4", Target::None, 4, 9));
        account.add(&call("accept4", Target::None, 4, -11));
        assert_eq!((account.submitted, account.accepted), (7, 1));
    }
}
