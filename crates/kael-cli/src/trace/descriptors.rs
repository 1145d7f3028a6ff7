//! [`Descriptors`]: what the descriptors of traced processes are. The system is asked when one is used for the first time.

use super::ptrace::Tid;
use std::collections::HashMap;
use std::fs;

/// What a call was made on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Target {
    /// Calls without a descriptor.
    None,
    Socket,
    File,
    Pipe,
    /// A terminal, an eventfd, a descriptor that is not open, and the like.
    Other,
}

impl Target {
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Target::None | Target::Other => None,
            Target::Socket => Some("socket"),
            Target::File => Some("file"),
            Target::Pipe => Some("pipe"),
        }
    }

    /// By what the link of the descriptor in /proc names. See proc_pid_fd(5).
    fn of_link(link: &str) -> Target {
        match link {
            _ if link.starts_with("socket:") => Target::Socket,
            _ if link.starts_with("pipe:") => Target::Pipe,
            _ if link.starts_with("/dev/") => Target::Other,
            _ if link.starts_with('/') => Target::File,
            _ => Target::Other,
        }
    }
}

/// What a descriptor is, and whether it came from accept(2).
#[derive(Clone, Copy)]
pub(super) struct Descriptor {
    pub(super) target: Target,
    pub(super) is_accepted: bool,
}

#[derive(Default)]
pub(super) struct Descriptors(HashMap<(Tid, u32), Descriptor>);

impl Descriptors {
    /// The thread must be stopped, or the descriptor may be another one by now.
    pub(super) fn look(&mut self, process: Tid, number: u64) -> Descriptor {
        // The kernel takes the lower half of the register.
        let number = number as u32;
        *self.0.entry((process, number)).or_insert_with(|| {
            let link = fs::read_link(format!("/proc/{process}/fd/{number}"));
            let target =
                link.map_or(Target::Other, |link| Target::of_link(&link.to_string_lossy()));
            Descriptor { target, is_accepted: false }
        })
    }

    pub(super) fn accepted(&mut self, process: Tid, number: u64) {
        let accepted = Descriptor { target: Target::Socket, is_accepted: true };
        self.0.insert((process, number as u32), accepted);
    }

    /// The number is free, or means something else from now on.
    pub(super) fn forget(&mut self, process: Tid, number: u64) {
        self.0.remove(&(process, number as u32));
    }

    pub(super) fn forget_all(&mut self, process: Tid) {
        self.0.retain(|(of, _), _| *of != process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn links_tell_what_descriptors_are() {
        let of = Target::of_link;
        assert_eq!(of("socket:[41]"), Target::Socket);
        assert_eq!(of("pipe:[41]"), Target::Pipe);
        assert_eq!(of("/var/log/words (deleted)"), Target::File);
        assert_eq!(of("/dev/null"), Target::Other);
        assert_eq!(of("anon_inode:[eventpoll]"), Target::Other);
    }

    #[test]
    fn a_number_is_looked_up_again_when_it_was_closed() {
        let us = std::process::id().cast_signed();
        let mut descriptors = Descriptors::default();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let number = socket.as_raw_fd() as u64;
        assert_eq!(descriptors.look(us, number).target, Target::Socket);
        drop(socket);
        assert_eq!(descriptors.look(us, number).target, Target::Socket, "nobody told it");
        descriptors.accepted(us, number);
        assert!(descriptors.look(us, number).is_accepted);
        descriptors.forget(us, number);
        assert!(!descriptors.look(us, number).is_accepted);
        assert_eq!(
            descriptors.look(us, u64::from(u32::MAX)).target,
            Target::Other,
            "it is not open"
        );
    }
}
