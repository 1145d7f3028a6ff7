//! What each system call is for. By name and not by number, because numbers differ between processors and some names are
//! on one of them only.

use syscalls::Sysno;

/// What a call does, as far as the report tells calls apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Receive,
    Send,
    /// It sleeps until one of several descriptors is ready.
    Wait,
    /// It changes what is waited for.
    Watch,
    /// io_uring: it submits and waits.
    Enter,
    Accept,
    Connect,
    Listen,
    Close,
    Open,
    Stat,
    Sync,
    Seek,
    Sleep,
    Lock,
    Clock,
    Memory,
    SetOption,
    /// From one descriptor to another.
    Move,
    /// It gives an open descriptor another number.
    Duplicate,
    Yield,
    Other,
}

impl Kind {
    pub(super) fn of(name: &str) -> Kind {
        match name {
            "read" | "readv" | "pread64" | "preadv" | "preadv2" | "recvfrom" | "recvmsg"
            | "recvmmsg" => Kind::Receive,
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "sendto" | "sendmsg"
            | "sendmmsg" => Kind::Send,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll" | "ppoll" | "select"
            | "pselect6" => Kind::Wait,
            "epoll_ctl" => Kind::Watch,
            "io_uring_enter" => Kind::Enter,
            "accept" | "accept4" => Kind::Accept,
            "connect" => Kind::Connect,
            "listen" => Kind::Listen,
            "close" => Kind::Close,
            "open" | "openat" | "openat2" | "creat" => Kind::Open,
            "stat" | "lstat" | "fstat" | "newfstatat" | "statx" | "access" | "faccessat"
            | "faccessat2" => Kind::Stat,
            "fsync" | "fdatasync" | "sync_file_range" | "msync" => Kind::Sync,
            "lseek" => Kind::Seek,
            "nanosleep" | "clock_nanosleep" => Kind::Sleep,
            "futex" | "futex_waitv" => Kind::Lock,
            "clock_gettime" | "gettimeofday" | "time" => Kind::Clock,
            "mmap" | "munmap" | "mremap" | "madvise" | "brk" => Kind::Memory,
            "setsockopt" | "fcntl" | "ioctl" => Kind::SetOption,
            "sendfile" | "splice" | "copy_file_range" | "tee" => Kind::Move,
            "dup" | "dup2" | "dup3" => Kind::Duplicate,
            "sched_yield" => Kind::Yield,
            _ => Kind::Other,
        }
    }

    /// Whether the result is a number of bytes, or of messages where the name ends with `mmsg`.
    pub(super) fn is_transfer(self) -> bool {
        matches!(self, Kind::Receive | Kind::Send | Kind::Move)
    }

    /// Whether the first argument is a descriptor whose kind the report tells.
    pub(super) fn has_descriptor(self) -> bool {
        matches!(
            self,
            Kind::Receive
                | Kind::Send
                | Kind::Close
                | Kind::Sync
                | Kind::Seek
                | Kind::Move
                | Kind::SetOption
        )
    }
}

/// The call's name.
pub(super) fn name(number: u64) -> &'static str {
    let known = usize::try_from(number).ok().and_then(Sysno::new);
    known.map_or("a call without a name", |call| call.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_name_and_any_other_has_none() {
        assert_eq!(name(Sysno::io_uring_enter as u64), "io_uring_enter");
        assert_eq!(name(u64::MAX), "a call without a name");
        assert_eq!(Kind::of(name(Sysno::io_uring_enter as u64)), Kind::Enter);
        assert_eq!(Kind::of("a call of next year"), Kind::Other);
    }
}
