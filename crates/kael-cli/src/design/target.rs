//! [`Target`]: the systems for which can be designed.

use clap::ValueEnum;
use kael_rt::budget::{Budget, Interface, table};

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Target {
    /// Linux 6.1 and newer: io_uring
    Linux,
    /// Linux where io_uring is missing or forbidden: epoll
    LinuxEpoll,
    /// Windows 10 and newer: I/O completion ports
    Windows,
    /// macOS: kqueue
    Macos,
    /// FreeBSD: kqueue
    Freebsd,
}

impl Target {
    /// As `--target` and the rules call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Target::Linux => "linux",
            Target::LinuxEpoll => "linux-epoll",
            Target::Windows => "windows",
            Target::Macos => "macos",
            Target::Freebsd => "freebsd",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Target> {
        Target::value_variants().iter().copied().find(|target| target.name() == name)
    }

    /// Whose documents describe it, in the table of rules.
    pub(crate) fn documents(self) -> &'static str {
        match self {
            Target::LinuxEpoll => Target::Linux.name(),
            _ => self.name(),
        }
    }

    pub(crate) fn system(self) -> &'static str {
        match self {
            Target::Linux => "Linux 6.1 and newer, io_uring",
            Target::LinuxEpoll => {
                "Linux, epoll (`RUSTFLAGS='--cfg kael_backend=\"epoll\"' cargo build`)"
            }
            Target::Windows => "Windows 10 and newer, I/O completion ports",
            Target::Macos => "macOS, kqueue",
            Target::Freebsd => "FreeBSD, kqueue",
        }
    }

    pub(crate) fn model(self) -> &'static str {
        match self {
            Target::Linux => "completion, through io_uring; one ring and one thread per core",
            Target::LinuxEpoll => {
                "readiness, through epoll; the calls are the runtime's own, and their completions the program's"
            }
            Target::Windows => {
                "completion: requests are calls with an OVERLAPPED, and a port per core gives their answers in batches"
            }
            Target::Macos | Target::Freebsd => {
                "readiness, through kqueue; the calls are the runtime's own, and their completions the program's"
            }
        }
    }

    /// The containers in which a program for it can run.
    pub(crate) fn containers(self) -> &'static [&'static str] {
        match self {
            Target::Linux | Target::LinuxEpoll | Target::Windows => {
                &["none", "docker", "kubernetes"]
            }
            Target::Macos => &["none"],
            Target::Freebsd => &["none", "jail"],
        }
    }

    pub(crate) fn budgets(self) -> &'static [Budget] {
        table(match self {
            Target::Linux => Interface::IoUring,
            Target::LinuxEpoll => Interface::Epoll,
            Target::Windows => Interface::Iocp,
            Target::Macos | Target::Freebsd => Interface::Kqueue,
        })
    }

    pub(crate) fn budget(self, operation: &str) -> Option<&'static Budget> {
        self.budgets().iter().find(|row| row.operation == operation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_command_line() {
        for target in Target::value_variants() {
            let value = target.to_possible_value().expect("none is hidden");
            assert_eq!(value.get_name(), target.name());
        }
    }
}
