//! ptrace(2) itself, and the wait for its news: the calls that no crate has in safe form for every signal. `nix` knows the
//! signals that have names only, and a traced program may use the others (glibc does: setuid(2) of a process with threads).
//! Each function is one call; what they mean together is in `tracer.rs`.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::ptr;
use std::time::Duration;

/// A thread's number, as the kernel has it.
pub(super) type Tid = libc::pid_t;

/// How a traced thread was stopped at a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    Entry { number: u64, arguments: [u64; 6] },
    Exit { result: i64 },
    Other,
}

/// What the kernel adds to the trap of a system call, so that it is no other trap.
pub(super) const SYSCALL_TRAP: i32 = libc::SIGTRAP | 0x80;

const FOLLOW: i32 = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEEXIT;

// The requests of <linux/ptrace.h>, which not every C library names, nor all with one type.
const SYSCALL: u32 = 24;
const DETACH: u32 = 17;
const GETEVENTMSG: u32 = 0x4201;
const SEIZE: u32 = 0x4206;
const INTERRUPT: u32 = 0x4207;
const LISTEN: u32 = 0x4208;
const GET_SYSCALL_INFO: u32 = 0x420e;
const INFO_ENTRY: u8 = 1;
const INFO_EXIT: u8 = 2;

fn request(request: u32, tid: Tid, address: usize, data: usize) -> io::Result<libc::c_long> {
    // SAFETY: the callers name requests whose address and data are numbers, or lengths and places of memory of theirs.
    let result = unsafe {
        libc::ptrace(
            request as _,
            tid,
            ptr::without_provenance_mut::<libc::c_void>(address),
            ptr::without_provenance_mut::<libc::c_void>(data),
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Begins to trace a thread without stopping it. What it starts is traced too; `ends_with_us`, and it is killed when the
/// tracer ends, however that comes.
pub(super) fn seize(tid: Tid, ends_with_us: bool) -> io::Result<()> {
    let kill = if ends_with_us { libc::PTRACE_O_EXITKILL } else { 0 };
    request(SEIZE, tid, 0, (FOLLOW | kill) as usize).map(drop)
}

/// Lets a stopped thread go on until its next system call, with this signal, or with none if it is 0.
pub(super) fn resume(tid: Tid, signal: i32) -> io::Result<()> {
    request(SYSCALL, tid, 0, signal as usize).map(drop)
}

/// Leaves a thread stopped that job control has stopped, and listens for what comes next.
pub(super) fn listen(tid: Tid) -> io::Result<()> {
    request(LISTEN, tid, 0, 0).map(drop)
}

/// Stops a thread that runs.
pub(super) fn interrupt(tid: Tid) -> io::Result<()> {
    request(INTERRUPT, tid, 0, 0).map(drop)
}

/// Ends the tracing of a stopped thread, which goes on with this signal.
pub(super) fn detach(tid: Tid, signal: i32) -> io::Result<()> {
    request(DETACH, tid, 0, signal as usize).map(drop)
}

/// What belongs to an event: the new thread's number, or that which a thread had before it replaced its program.
pub(super) fn message(tid: Tid) -> io::Result<Tid> {
    let mut message: libc::c_ulong = 0;
    request(GETEVENTMSG, tid, 0, (&raw mut message).expose_provenance())?;
    Ok(message as Tid)
}

/// Where a thread stands that was stopped at a system call.
pub(super) fn stop(tid: Tid) -> io::Result<Stop> {
    // `struct ptrace_syscall_info` in words: what it is and the architecture, two pointers, then the number and its
    // arguments, or the result.
    let mut words = [0_u64; 11];
    let place = words.as_mut_ptr().expose_provenance();
    request(GET_SYSCALL_INFO, tid, mem::size_of_val(&words), place)?;
    let [head, _, _, first, rest @ ..] = words;
    // The kind is the first byte.
    Ok(match head.to_ne_bytes()[0] {
        INFO_ENTRY => {
            let [a, b, c, d, e, f, _] = rest;
            Stop::Entry { number: first, arguments: [a, b, c, d, e, f] }
        }
        INFO_EXIT => Stop::Exit { result: first.cast_signed() },
        _ => Stop::Other,
    })
}

/// SIGCHLD, kept for [`ChildSignal::wait`]. Threads that are started later leave it alone, too.
pub(super) struct ChildSignal(libc::sigset_t);

impl ChildSignal {
    pub(super) fn block() -> io::Result<ChildSignal> {
        // SAFETY: a sigset_t is plain numbers, and sigemptyset makes it an empty set.
        let set = unsafe {
            let mut set = mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGCHLD);
            set
        };
        let signal = ChildSignal(set);
        signal.mask(libc::SIG_BLOCK)?;
        Ok(signal)
    }

    fn mask(&self, how: i32) -> io::Result<()> {
        // SAFETY: the set was made by `block`, and the old one is not asked for.
        match unsafe { libc::pthread_sigmask(how, &raw const self.0, ptr::null_mut()) } {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Starts a process that has the signal: what is blocked here would be blocked there. One that comes meanwhile is
    /// lost, so look for its reason before the next wait. It must not start a thread: that would take the signal for ever.
    pub(super) fn released<T>(&self, start: impl FnOnce() -> T) -> io::Result<T> {
        self.mask(libc::SIG_UNBLOCK)?;
        let started = start();
        self.mask(libc::SIG_BLOCK)?;
        Ok(started)
    }

    /// Sleeps until something has happened to a child since the last wait, or somebody sent the signal, or for so long.
    pub(super) fn wait(&self, limit: Duration) {
        let limit = libc::timespec {
            tv_sec: limit.as_secs().min(86_400) as _,
            tv_nsec: limit.subsec_nanos() as _,
        };
        // SAFETY: both structures live as long as the call, and what the signal says is not asked for. An error is a
        // wait that is over.
        unsafe { libc::sigtimedwait(&raw const self.0, ptr::null_mut(), &raw const limit) };
    }
}
