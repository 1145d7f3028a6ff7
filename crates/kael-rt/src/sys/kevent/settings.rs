//! What a thread asks of the emulation: whose system it is like, how hostile it is; and what the
//! thread's calls counted.

use std::{cell::Cell, env, sync::OnceLock};

/// Whose kqueue this is like, where the systems differ. A queue keeps the one it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// FreeBSD 13.
    FreeBsd,
    /// macOS.
    Darwin,
    /// NetBSD before 10, which has no EVFILT_USER.
    NetBsd,
}

impl Profile {
    pub(crate) const ALL: [Profile; 3] = [Profile::FreeBsd, Profile::Darwin, Profile::NetBsd];

    pub(super) fn has_user_events(self) -> bool {
        self != Profile::NetBsd
    }

    /// A one-shot that was queued is delivered without a second look at its condition.
    pub(super) fn has_stale_one_shots(self) -> bool {
        self != Profile::Darwin
    }

    /// A process that has ended and was not waited for is not found any more.
    pub(super) fn hides_zombies(self) -> bool {
        self != Profile::FreeBsd
    }

    /// A change without EV_ADD replaces udata, fflags and data, too, and EV_ENABLE looks at the
    /// condition again.
    pub(super) fn touches_without_add(self) -> bool {
        self != Profile::NetBsd
    }

    /// Events carry the EV_ADD with which they were asked for.
    pub(super) fn keeps_add(self) -> bool {
        self != Profile::FreeBsd
    }

    /// An error is a bit among the change's own flags, and not the only one.
    pub(super) fn keeps_flags_of_errors(self) -> bool {
        self == Profile::Darwin
    }
}

/// What this thread's calls of `kevent` did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) calls: u64,
    /// Changes that were read, failed ones included.
    pub(crate) changes: u64,
    /// Events that were reported, errors and receipts not included.
    pub(crate) events: u64,
}

thread_local! {
    static PROFILE: Cell<Option<Profile>> = const { Cell::new(None) };
    static SEED: Cell<Option<Option<u64>>> = const { Cell::new(None) };
    static QUEUES: Cell<u64> = const { Cell::new(0) };
    static COUNTERS: Cell<Counters> = const {
        Cell::new(Counters { calls: 0, changes: 0, events: 0 })
    };
}

/// For the queues that this thread makes from now on. Without it, `KAEL_KEVENT_PROFILE` says:
/// `freebsd` (also when unset), `darwin` or `netbsd`.
pub(crate) fn set_profile(profile: Profile) {
    PROFILE.set(Some(profile));
}

/// For the queues that this thread makes from now on: None is a kernel at its best, 0 a mild one,
/// any other seed a hostile one. The first queue after this call has the first random stream of that
/// seed. Without it, `KAEL_KEVENT_SEED` says: a number (0 when unset) or `off`.
pub(crate) fn set_seed(seed: Option<u64>) {
    SEED.set(Some(seed));
    QUEUES.set(0);
}

/// Counted since the thread began.
pub(crate) fn counters() -> Counters {
    COUNTERS.get()
}

pub(super) fn count(calls: u64, changes: u64, events: u64) {
    let before = COUNTERS.get();
    COUNTERS.set(Counters {
        calls: before.calls + calls,
        changes: before.changes + changes,
        events: before.events + events,
    });
}

/// Whose system this thread's calls are like.
pub(crate) fn profile() -> Profile {
    PROFILE.get().unwrap_or_else(|| environment().0)
}

/// The seed, and which queue of this thread asks.
pub(super) fn next_stream() -> (Option<u64>, u64) {
    let queue = QUEUES.get();
    QUEUES.set(queue + 1);
    (SEED.get().unwrap_or_else(|| environment().1), queue)
}

/// The seed of the calls that belong to no queue.
pub(super) fn sendfile_seed() -> Option<u64> {
    SEED.get().unwrap_or_else(|| environment().1)
}

/// A word that nobody knows ends the process: a test that runs with other rules than it was told is
/// worse.
fn environment() -> (Profile, Option<u64>) {
    static READ: OnceLock<(Profile, Option<u64>)> = OnceLock::new();
    *READ.get_or_init(|| {
        let profile = match env::var("KAEL_KEVENT_PROFILE").as_deref() {
            Err(env::VarError::NotPresent) | Ok("freebsd") => Profile::FreeBsd,
            Ok("darwin") => Profile::Darwin,
            Ok("netbsd") => Profile::NetBsd,
            other => panic!("KAEL_KEVENT_PROFILE is freebsd, darwin or netbsd, not {other:?}"),
        };
        let seed = match env::var("KAEL_KEVENT_SEED").as_deref() {
            Err(env::VarError::NotPresent) => Some(0),
            Ok("off") => None,
            Ok(text) => match text.parse() {
                Ok(seed) => Some(seed),
                Err(_) => panic!("KAEL_KEVENT_SEED is a number or `off`, not {text:?}"),
            },
            Err(other) => panic!("KAEL_KEVENT_SEED is a number or `off`: {other}"),
        };
        (profile, seed)
    })
}
