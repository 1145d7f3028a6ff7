//! The rules: one entry each, the same shape. What a rule looks for is in `rules/`; here is what it is for.

/// What a finding of a rule is worth. Any finding ends the program with status 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// Stops other tasks, loses data, or breaks what the project says of itself.
    Deny,
    /// Costs system calls, memory or time.
    Warn,
    /// Not reported.
    Allow,
}

impl Level {
    pub(crate) fn parse(name: &str) -> Option<Level> {
        match name {
            "deny" => Some(Level::Deny),
            "warn" => Some(Level::Warn),
            "allow" => Some(Level::Allow),
            _ => None,
        }
    }
}

pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    /// What it finds.
    pub(crate) summary: &'static str,
    /// Why that is a fault.
    pub(crate) reason: &'static str,
}

pub(crate) fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

const STOPS: &str =
    "while it blocks, this thread polls no other task: no connection is served and no timer fires";

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "blocking-file",
        level: Level::Deny,
        summary: "a blocking call of std on a file or folder in async code",
        reason: STOPS,
    },
    Rule {
        name: "blocking-socket",
        level: Level::Deny,
        summary: "a blocking call on a socket in async code",
        reason: STOPS,
    },
    Rule {
        name: "blocking-sleep",
        level: Level::Deny,
        summary: "a sleep of the whole thread in async code",
        reason: STOPS,
    },
    Rule {
        name: "blocking-process",
        level: Level::Deny,
        summary: "a blocking wait for another process in async code",
        reason: STOPS,
    },
    Rule {
        name: "blocking-dns",
        level: Level::Deny,
        summary: "a name looked up with std in async code",
        reason: "getaddrinfo(3) waits for servers, for seconds when they do not answer, and this thread polls no other task meanwhile",
    },
    Rule {
        name: "blocking-stdin",
        level: Level::Deny,
        summary: "a blocking read of standard input in async code",
        reason: STOPS,
    },
    Rule {
        name: "blocking-wait",
        level: Level::Deny,
        summary: "a wait for another thread or for a nested runtime in async code",
        reason: STOPS,
    },
    Rule {
        name: "lock-across-await",
        level: Level::Deny,
        summary: "a lock of std or parking_lot held over an `.await`",
        reason: "the task sleeps with the lock; another task on this thread that wants it blocks the thread that would let the first go on",
    },
    Rule {
        name: "lossy-select",
        level: Level::Deny,
        summary: "a future that is not safe to drop in a `select!` of a loop",
        reason: "when another branch is first, the future is dropped with the bytes that it had already read or written, and the next turn begins in the middle",
    },
    Rule {
        name: "unwanted-runtime",
        level: Level::Deny,
        summary: "a runtime in the tree that `no-runtimes` in kael.toml excludes",
        reason: "a second runtime brings threads and a reactor of its own, and its sockets do not work on the first",
    },
    Rule {
        name: "busy-loop",
        level: Level::Deny,
        summary: "a loop that waits by asking again and again",
        reason: "it takes a whole processor while nothing happens, and keeps those from running for whom it waits",
    },
    Rule {
        name: "platform-at-run-time",
        level: Level::Warn,
        summary: "a choice of platform at run time where `cfg` would do",
        reason: "the answer is known when the program is compiled, and the compiler checks the names in `cfg`; a misspelt text is only never equal",
    },
    Rule {
        name: "allocation-in-io-loop",
        level: Level::Warn,
        summary: "a buffer made for each turn of a loop that reads",
        reason: "each turn pays for memory that the turn before has just given back",
    },
    Rule {
        name: "copy-in-io-loop",
        level: Level::Warn,
        summary: "bytes copied into new memory only to be written",
        reason: "the write takes what is there already; the copy costs an allocation and the cache for each message",
    },
    Rule {
        name: "unbuffered-writes",
        level: Level::Warn,
        summary: "a system call for each small write, where one could take them together",
        reason: "each write on a file or socket without a buffer enters the kernel, and on a socket it may send a packet of its own",
    },
    Rule {
        name: "unbuffered-reads",
        level: Level::Warn,
        summary: "a system call for each few bytes read",
        reason: "each read on a file or socket without a buffer enters the kernel, for bytes that one read would have brought",
    },
    Rule {
        name: "sync-per-record",
        level: Level::Warn,
        summary: "the device asked to make each record durable",
        reason: "fsync(2) waits for the device; once for a group of records it costs the same as for one",
    },
    Rule {
        name: "copy-loop",
        level: Level::Warn,
        summary: "a loop that only reads and writes what it has read",
        reason: "each round copies the bytes into this process and out again, with two system calls, for nothing that the kernel could not do by itself",
    },
    Rule {
        name: "unregistered-buffer",
        level: Level::Warn,
        summary: "a new buffer for each read on a runtime that can register buffers",
        reason: "the kernel must look up and pin the pages of a new buffer for each read; those that are registered are looked up once",
    },
    Rule {
        name: "lock-in-io-loop",
        level: Level::Warn,
        summary: "a lock taken for a counter in a loop that does I/O",
        reason: "every connection meets at that lock for each message, for what one atomic instruction does",
    },
    Rule {
        name: "channel-in-io-loop",
        level: Level::Warn,
        summary: "a channel made for each message",
        reason: "each message pays for the allocation of a channel that carries one value",
    },
    Rule {
        name: "bad-exception",
        level: Level::Warn,
        summary: "an exception that allows nothing, names no rule or gives no reason",
        reason: "who reads it believes in a fault that is not there, and it hides the next one",
    },
];
