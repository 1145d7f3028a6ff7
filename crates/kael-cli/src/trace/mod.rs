//! `kael analyze -- COMMAND` and `--pid`: traces any program by ptrace(2) and prints what it asks of the kernel, beside what
//! the library's table says the same work could cost.
//!
//! ```text
//! start, ptrace ── news ──▶ run ── stops ──▶ tracer ── calls ──▶ account ──▶ requests, findings ──▶ report
//! ```
//!
//! From the account on nothing asks the system; those parts have tests on calls that are told to them.

mod account;
mod calls;
mod descriptors;
mod drive;
mod findings;
mod flame;
mod measured;
mod page;
mod profile;
mod ptrace;
mod report;
mod run;
mod start;
mod switches;
mod table;
mod tracer;

use crate::fail::Fail;
use measured::Measured;
use ptrace::Tid;
pub(crate) use report::Report;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A program to be traced instead of this machine's measurement.
#[derive(clap::Args)]
pub(crate) struct Program {
    /// Trace this running process and all its threads; it is left running
    ///
    /// A call that sleeps when kael comes or goes may end early, as after a stop and SIGCONT: signal(7) has the list.
    #[arg(long, value_name = "PID", group = "traced", conflicts_with_all = ["ops", "dir", "target"], value_parser = clap::value_parser!(i32).range(1..))]
    pid: Option<i32>,
    /// A client for the shell that drives the traced program, untraced; counting lasts from its start to its end
    ///
    /// It is started when the program listens. How many requests it made is read from what it prints: `kael load`, wrk and
    /// redis-benchmark say it.
    #[arg(long, value_name = "LINE", requires = "traced")]
    drive: Option<String>,
    /// How many requests the program serves meanwhile, where nothing else says it
    #[arg(long, value_name = "N", requires = "traced", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Where a flame graph of the program is written: sampled by perf, if it is there, in user mode, while calls are counted
    #[arg(long, value_name = "FILE.svg", requires = "traced")]
    profile: Option<PathBuf>,
    /// The first process of a started program.
    #[arg(long, hide = true)]
    hold: bool,
    /// A program and its arguments, which is started and traced, with all that it starts
    ///
    /// Its words go where kael's do. When the time is up it gets SIGTERM, and SIGKILL after 5 s.
    #[arg(last = true, value_name = "COMMAND", group = "traced", conflicts_with_all = ["ops", "dir", "target"])]
    command: Vec<OsString>,
}

enum Subject {
    Started(Vec<OsString>),
    Attached(Tid),
}

struct Plan {
    subject: Subject,
    limit: Option<Duration>,
    client: Option<String>,
    requests: Option<u64>,
    profile: Option<PathBuf>,
}

impl Program {
    /// Whether a program is to be traced.
    pub(crate) fn is_given(&self) -> bool {
        self.pid.is_some() || !self.command.is_empty()
    }
}

/// Traces until the program ends or the time is up, or somebody interrupts.
pub(crate) fn run(program: &Program, limit: Option<Duration>) -> Result<Report, Fail> {
    if program.hold {
        match start::hold(&program.command)? {}
    }
    let subject = match program.pid {
        Some(pid) => Subject::Attached(pid),
        None => Subject::Started(program.command.clone()),
    };
    let plan = Plan {
        subject,
        limit,
        client: program.drive.clone(),
        requests: program.requests,
        profile: program.profile.clone(),
    };
    let name = plan.subject.name();
    let seen = run::trace(&plan)?;
    Ok(Report::new(name, Measured::new(seen, plan.requests)))
}

impl Subject {
    /// As the report calls it.
    fn name(&self) -> String {
        match self {
            Subject::Started(command) => {
                let words: Vec<String> =
                    command.iter().map(|word| word.display().to_string()).collect();
                format!("`{}`", words.join(" ").replace('`', "'"))
            }
            Subject::Attached(process) => {
                let name = std::fs::read_to_string(format!("/proc/{process}/comm"));
                let name = name.unwrap_or_default().trim().replace('`', "'");
                format!("process {process} (`{name}`)")
            }
        }
    }
}

/// The number behind a name at the beginning of a line, as in /proc/PID/status.
fn number_in(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::number_in;

    #[test]
    fn a_number_is_found_by_the_whole_name() {
        let status = "Name:\tTgid: 4\nTgid:\t77\nnonvoluntary_ctxt_switches:\t3\nvoluntary_ctxt_switches:\t9\n";
        assert_eq!(number_in(status, "Tgid:"), Some(77));
        assert_eq!(number_in(status, "voluntary_ctxt_switches:"), Some(9));
        assert_eq!(number_in(status, "Name:"), None);
        assert_eq!(number_in("", "Tgid:"), None);
    }
}
