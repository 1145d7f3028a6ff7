//! What is wrong with the calls of a program: rules, each of which looks at what was measured and says how many calls it
//! could do without. The report has the ten that would save most.

use super::calls::Kind;
use super::descriptors::Target;
use super::measured::Measured;
use super::table;

pub(super) struct Finding {
    /// Calls that would not be made.
    pub(super) saved: u64,
    /// What it is, set in bold at the beginning, and what to do about it.
    pub(super) text: String,
}

impl Finding {
    /// The two parts of the text.
    pub(super) fn parts(&self) -> (&str, &str) {
        let bold = self.text.strip_prefix("**").and_then(|text| text.split_once("**"));
        bold.unwrap_or(("", &self.text))
    }
}

pub(super) const MOST: usize = 10;

/// Less than so often in all is chance, or the start of the program.
const FEW: u64 = 50;
/// Fewer of a hundred requests are no habit.
const OFTEN_EACH: f64 = 0.2;
/// The same where requests are not known, in a second.
const OFTEN_PER_SECOND: f64 = 100.0;
/// A program that looks so often in a second whether there is something to do.
const POLLS_PER_SECOND: f64 = 20.0;
/// Reads and writes of fewer bytes on average could be put together.
const SMALL_BYTES: u64 = 512;

type Rule = fn(&Measured) -> Option<Finding>;

const RULES: &[Rule] = &[
    round_trips,
    not_ready,
    watched_again,
    small_writes_to_files,
    small_reads_of_files,
    pieces_of_answers,
    synced_each,
    locks,
    clocks,
    paths_each,
    naps,
    empty_waits,
    copies,
    connections_each,
    options_each,
    memory,
    seeks,
    yields,
];

/// The findings, the most worth first.
pub(super) fn find(measured: &Measured) -> Vec<Finding> {
    let mut found: Vec<Finding> = RULES.iter().filter_map(|rule| rule(measured)).collect();
    found.sort_by_key(|finding| std::cmp::Reverse(finding.saved));
    found.truncate(MOST);
    found
}

/// Whether a request costs clearly more calls than it could.
pub(super) fn is_above(each: f64, possible: Option<f64>) -> bool {
    possible.is_some_and(|possible| each >= possible + OFTEN_EACH)
}

fn is_often(measured: &Measured, count: u64) -> bool {
    let is_habit = match measured.each(count) {
        Some(each) => each >= OFTEN_EACH,
        None => measured.per_second(count) >= OFTEN_PER_SECOND,
    };
    count >= FEW && is_habit
}

/// A finding of calls that are made often.
fn often(measured: &Measured, count: u64, text: impl FnOnce(&str) -> String) -> Option<Finding> {
    is_often(measured, count).then(|| Finding { saved: count, text: text(&measured.rate(count)) })
}

/// A request costs more calls than the table has for it. Named are the calls that are made for each.
fn round_trips(measured: &Measured) -> Option<Finding> {
    let possible = table::possible(measured)?;
    let requests = measured.requests?.count;
    let all = measured.account.calls();
    let each = measured.each(all)?;
    if requests < FEW || !is_above(each, Some(possible.one)) {
        return None;
    }
    let mut rows: Vec<_> = measured.account.rows.iter().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.calls));
    let calls: Vec<String> = rows
        .iter()
        .filter(|(_, row)| is_often(measured, row.calls))
        .filter_map(|(key, row)| Some(format!("{} {:.2}", key.name, measured.each(row.calls)?)))
        .collect();
    let beside = possible.one - possible.round_trip;
    let parts = match possible.round_trip {
        trip if trip > 0.0 && beside >= OFTEN_EACH => {
            format!(
                ": {trip:.2} for the request and its answer, {beside:.2} for what is done beside"
            )
        }
        _ => String::new(),
    };
    Some(Finding {
        // What is done beside has findings of its own, for which this one is the head.
        saved: all.saturating_sub((possible.round_trip * requests as f64) as u64),
        text: format!(
            "**{each:.2} system calls a request** ({}). The table says {:.2} for the same work with one request in flight{parts}; \
             {:.2} each with 64. An answer is queued, and the call that waits for the next request sends it.",
            calls.join(", "),
            possible.one,
            possible.many
        ),
    })
}

fn not_ready(measured: &Measured) -> Option<Finding> {
    let receives = measured.account.of(Kind::Receive, &[Target::Socket, Target::Pipe]);
    let count = receives.map(|(_, row)| row.not_ready).sum();
    often(measured, count, |rate| {
        format!(
            "**Reads that find nothing** ({rate}, EAGAIN). A read that did not fill its buffer has emptied the socket: wait then. \
             A read by completion is asked for once and answered when there is something."
        )
    })
}

fn watched_again(measured: &Measured) -> Option<Finding> {
    // Once for each connection is what readiness costs.
    let count = measured.account.count(Kind::Watch, &[]);
    let count = count.saturating_sub(2 * measured.account.accepted);
    often(measured, count, |rate| {
        format!(
            "**The interest list changes with the work** (epoll_ctl, {rate}). Register each descriptor once, with EPOLLET and for \
             both directions; by completion there is no list."
        )
    })
}

/// Calls that would be left if the same bytes went in pieces of 64 KiB.
fn in_larger_pieces(calls: u64, bytes: u64) -> u64 {
    calls.saturating_sub(bytes.div_ceil(65_536))
}

fn small(measured: &Measured, kind: Kind, targets: &[Target]) -> Option<(u64, u64)> {
    let (calls, bytes) =
        (measured.account.count(kind, targets), measured.account.bytes(kind, targets));
    let is_small = calls >= FEW && bytes > 0 && bytes / calls < SMALL_BYTES;
    is_small.then(|| (in_larger_pieces(calls, bytes), bytes / calls))
}

fn small_writes_to_files(measured: &Measured) -> Option<Finding> {
    let (saved, bytes) = small(measured, Kind::Send, &[Target::File, Target::Pipe, Target::Other])?;
    often(measured, saved, |rate| {
        format!(
            "**Small writes** ({rate}, {bytes} bytes on average): one for each line or record. Collect them and write when some \
             KiB are there, or when nothing more comes at once."
        )
    })
}

fn small_reads_of_files(measured: &Measured) -> Option<Finding> {
    let (saved, bytes) = small(measured, Kind::Receive, &[Target::File, Target::Pipe])?;
    often(measured, saved, |rate| {
        format!(
            "**Reads of few bytes** ({rate}, {bytes} bytes on average). Read some KiB at a time and take them from memory."
        )
    })
}

/// More sends than messages that came.
fn pieces_of_answers(measured: &Measured) -> Option<Finding> {
    let requests = measured.requests?.count;
    let sends = measured.account.count(Kind::Send, &[Target::Socket]);
    let saved = sends.saturating_sub(requests);
    often(measured, saved, |_| {
        format!(
            "**Answers in pieces** ({} sends). Head and body go in one writev(2) or sendmsg(2): several buffers, one call.",
            measured.rate(sends)
        )
    })
}

fn synced_each(measured: &Measured) -> Option<Finding> {
    let syncs = measured.account.count(Kind::Sync, &[]);
    let writes = measured.account.count(Kind::Send, &[Target::File]);
    if syncs < FEW / 5 || syncs * 2 < writes {
        return None;
    }
    let p99 = measured.account.of(Kind::Sync, &[]).map(|(_, row)| row.recorder.summary().p99).max();
    Some(Finding {
        saved: syncs,
        text: format!(
            "**A sync for each record** ({} syncs, {writes} writes to files; p99 {:.1} ms). Let records that arrive during one \
             sync share the next one (group commit).",
            syncs,
            p99.unwrap_or(0) as f64 / 1e6
        ),
    })
}

fn locks(measured: &Measured) -> Option<Finding> {
    let count = measured.account.count(Kind::Lock, &[]);
    often(measured, count, |rate| {
        format!(
            "**Threads wake and wait for each other** (futex, {rate}, {} threads). One thread for each core with its own connections \
             needs none.",
            measured.threads
        )
    })
}

fn clocks(measured: &Measured) -> Option<Finding> {
    let count = measured.account.count(Kind::Clock, &[]);
    often(measured, count, |rate| {
        format!(
            "**The clock is asked by a system call** ({rate}): the vDSO is not used, see vdso(7). Another clock source \
             (/sys/devices/system/clocksource), or the time read once for each turn of the loop."
        )
    })
}

fn paths_each(measured: &Measured) -> Option<Finding> {
    let account = &measured.account;
    let count = account.count(Kind::Open, &[]) + account.count(Kind::Stat, &[]);
    often(measured, count, |rate| {
        format!(
            "**Files are looked up again and again** (open and stat, {rate}). Keep them open and their metadata known for a while; \
             fstat(2) of an open file in place of a second walk of its path."
        )
    })
}

fn naps(measured: &Measured) -> Option<Finding> {
    let count = measured.account.count(Kind::Sleep, &[]);
    let is_polling = measured.per_second(count) >= POLLS_PER_SECOND && count >= FEW / 5;
    is_polling.then(|| Finding {
        saved: count,
        text: format!(
            "**It sleeps and looks again** ({:.0} sleeps a second). Wait for the event itself: an eventfd(2), a condition, a \
             descriptor in the loop's own wait.",
            measured.per_second(count)
        ),
    })
}

fn empty_waits(measured: &Measured) -> Option<Finding> {
    let count: u64 = measured.account.of(Kind::Wait, &[]).map(|(_, row)| row.empty).sum();
    let is_polling = measured.per_second(count) >= POLLS_PER_SECOND && count >= FEW;
    is_polling.then(|| Finding {
        saved: count,
        text: format!(
            "**Waits that end with nothing** ({:.0} a second). Wait until the next timer is due, not for a fixed short time, and \
             not with a time limit of 0.",
            measured.per_second(count)
        ),
    })
}

fn copies(measured: &Measured) -> Option<Finding> {
    let copies = measured.account.copies;
    (copies >= FEW).then(|| Finding {
        saved: copies,
        text: format!(
            "**Bytes are read and written on unchanged** ({copies} times). sendfile(2) or splice(2) move them without a copy; in \
             the library `io::send_file` and `io::copy_bidirectional`."
        ),
    })
}

fn connections_each(measured: &Measured) -> Option<Finding> {
    let account = &measured.account;
    let accepts = account.count(Kind::Accept, &[]);
    let close = account.count(Kind::Close, &[Target::Socket]);
    often(measured, accepts, |rate| {
        format!(
            "**A connection for each request** (accept {rate}, {close} closes). Keep connections alive; where clients do not, a \
             multishot accept takes many with one call."
        )
    })
}

fn options_each(measured: &Measured) -> Option<Finding> {
    let count = measured.account.count(Kind::SetOption, &[]);
    often(measured, count, |rate| {
        format!(
            "**Options are set again and again** (setsockopt, fcntl, ioctl, {rate}). accept4(2) with SOCK_NONBLOCK, and options of the \
             listener that accepted sockets inherit (TCP_NODELAY, buffers)."
        )
    })
}

fn memory(measured: &Measured) -> Option<Finding> {
    let count = measured.account.count(Kind::Memory, &[]);
    often(measured, count, |rate| {
        format!(
            "**Memory goes to the system and comes back** (mmap, munmap, madvise, brk, {rate}). Reuse buffers, or raise the \
             allocator's threshold of giving memory back (mallopt(3))."
        )
    })
}

fn seeks(measured: &Measured) -> Option<Finding> {
    let count = measured.account.count(Kind::Seek, &[]);
    often(measured, count, |rate| {
        format!(
            "**Seeks beside reads and writes** (lseek, {rate}). pread(2) and pwrite(2) name the offset themselves."
        )
    })
}

fn yields(measured: &Measured) -> Option<Finding> {
    let count = measured.account.count(Kind::Yield, &[]);
    often(measured, count, |rate| {
        format!(
            "**Threads spin** (sched_yield, {rate}). Sleep until there is something: futex(2) or the loop's own wait."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::measured::tests::measured;
    use super::*;
    use Target::{File, None, Socket};

    fn texts(calls: &[(&'static str, Target, i64, u64)], requests: Option<u64>) -> Vec<String> {
        find(&measured(calls, requests)).into_iter().map(|finding| finding.text).collect()
    }

    #[track_caller]
    fn only(calls: &[(&'static str, Target, i64, u64)], title: &str) {
        let texts = texts(calls, Option::None);
        assert!(matches!(&texts[..], [one] if one.contains(title)), "{title}: {texts:?}");
    }

    #[test]
    fn the_calls_of_a_request_are_named_beside_the_tables() {
        let calls = [
            ("epoll_wait", None, 1, 1000),
            ("read", Socket, 64, 1000),
            ("write", Socket, 64, 1000),
            ("getppid", None, 1, 1000),
            ("epoll_ctl", None, 1, 1000),
            ("brk", None, 1, 3),
        ];
        let texts = texts(&calls, Option::None);
        let text = &texts[0];
        assert!(
            text.starts_with(
                "**5.00 system calls a request** (epoll_ctl 1.00, epoll_wait 1.00, getppid 1.00, read 1.00, write 1.00)."
            ),
            "{text}"
        );
    }

    #[test]
    fn what_needs_no_more_than_the_table_has_no_finding() {
        assert_eq!(texts(&[("io_uring_enter", None, 1, 1000)], Some(1000)), [""; 0]);
        assert_eq!(texts(&[("io_uring_enter", None, 1, 120)], Some(1000)), [""; 0]);
        assert_eq!(texts(&[], Option::None), [""; 0]);
        // The start of a program.
        assert_eq!(
            texts(&[("openat", None, 3, 30), ("mmap", None, 1 << 40, 40)], Option::None),
            [""; 0]
        );
    }

    #[test]
    fn each_habit_is_found_by_its_rule() {
        only(&[("write", File, 40, 1000)], "Small writes");
        only(&[("read", File, 1, 1000)], "Reads of few bytes");
        only(&[("fdatasync", File, 0, 20), ("write", File, 9000, 20)], "A sync for each record");
        only(&[("futex", None, 0, 1000)], "Threads wake");
        only(&[("clock_gettime", None, 0, 1000)], "The clock");
        only(&[("openat", None, 3, 1000)], "looked up");
        only(&[("clock_nanosleep", None, 0, 100)], "sleeps and looks");
        only(&[("epoll_wait", None, 0, 100)], "end with nothing");
        only(&[("accept4", None, 9, 1000)], "A connection for each");
        only(&[("setsockopt", Socket, 0, 1000)], "Options");
        only(&[("munmap", None, 0, 1000)], "Memory goes");
        only(&[("lseek", File, 4096, 1000)], "Seeks");
        only(&[("sched_yield", None, 0, 1000)], "spin");
        only(&[("epoll_ctl", None, 0, 1000)], "interest list");
        only(&[("recvfrom", Socket, -11, 1000)], "find nothing");
    }

    #[test]
    fn answers_in_pieces_and_copies_are_found() {
        let calls = [("read", Socket, 64, 100), ("write", Socket, 64, 300)];
        assert!(texts(&calls, Some(100)).iter().any(|text| text.contains("3.00 a request sends")));
        let mut copied = measured(&[], Option::None);
        copied.account.copies = 500;
        assert!(find(&copied)[0].text.contains("unchanged** (500 times)"));
    }

    #[test]
    fn at_most_ten_and_the_most_worth_first() {
        let names = [
            "futex",
            "clock_gettime",
            "openat",
            "accept4",
            "setsockopt",
            "munmap",
            "lseek",
            "sched_yield",
            "epoll_ctl",
            "nanosleep",
            "fsync",
        ];
        let calls: Vec<_> = (1..).zip(names).map(|(n, name)| (name, None, 1, 100 * n)).collect();
        let found = find(&measured(&calls, Option::None));
        assert_eq!(found.len(), MOST);
        assert!(found.windows(2).all(|pair| pair[0].saved >= pair[1].saved));
        assert!(found[0].text.contains("sync for each record"));
    }
}
