//! [`Switches`]: how often the threads of a program gave the processor up, or lost it. Each stop for the tracer is a
//! voluntary switch in the kernel's count and none of the program's, so the stops are taken off.

use super::ptrace::Tid;
use std::collections::HashMap;
use std::fs;

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Counts {
    pub(super) voluntary: u64,
    pub(super) forced: u64,
}

struct Before {
    counts: Counts,
    stops: u64,
}

#[derive(Default)]
pub(super) struct Switches {
    threads: HashMap<Tid, Before>,
    total: Counts,
}

impl Switches {
    /// From here on the thread's switches count.
    pub(super) fn begin(&mut self, tid: Tid) {
        self.threads.insert(tid, Before { counts: read(tid), stops: 0 });
    }

    /// The tracer has stopped it once more.
    pub(super) fn stopped(&mut self, tid: Tid) {
        if let Some(before) = self.threads.get_mut(&tid) {
            before.stops += 1;
        }
    }

    /// Adds what the thread has switched; its end is near, or the measurement's.
    pub(super) fn end(&mut self, tid: Tid) {
        if let Some(before) = self.threads.remove(&tid) {
            let now = read(tid);
            let voluntary = now.voluntary.saturating_sub(before.counts.voluntary + before.stops);
            self.total.voluntary += voluntary;
            self.total.forced += now.forced.saturating_sub(before.counts.forced);
        }
    }

    pub(super) fn end_all(&mut self) -> Counts {
        for tid in self.threads.keys().copied().collect::<Vec<_>>() {
            self.end(tid);
        }
        self.total
    }
}

fn read(tid: Tid) -> Counts {
    let text = fs::read_to_string(format!("/proc/{tid}/status")).unwrap_or_default();
    Counts {
        voluntary: super::number_in(&text, "voluntary_ctxt_switches:").unwrap_or(0),
        forced: super::number_in(&text, "nonvoluntary_ctxt_switches:").unwrap_or(0),
    }
}
