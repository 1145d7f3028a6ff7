//! How a program comes to be traced: it is started and held before its first instruction, or attached to while it runs.

use super::ptrace::{self, ChildSignal, Tid};
use crate::fail::{Fail, doing};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

/// The part of a started program before it is one: waits until the tracer has come, and becomes the program. If it cannot,
/// its exit status is the number of the error.
pub(super) fn hold(command: &[OsString]) -> Result<Infallible, Fail> {
    kill_process(getpid(), Signal::STOP).map_err(io::Error::from)?;
    let Some((program, arguments)) = command.split_first() else {
        process::exit(Errno::INVAL.raw_os_error())
    };
    let error = Command::new(program).args(arguments).exec();
    process::exit(error.raw_os_error().unwrap_or(Errno::INVAL.raw_os_error()))
}

/// Starts a program that is traced from its first instruction on, and ends when the tracer does.
pub(super) fn start(command: &[OsString], children: &ChildSignal) -> Result<Tid, Fail> {
    let this = std::env::current_exe().map_err(doing("the path of kael itself"))?;
    let mut held = Command::new(this);
    held.args(["analyze", "--hold", "--"]).args(command);
    let child = children.released(|| held.spawn())?.map_err(doing("kael cannot start itself"))?;
    let pid = Pid::from_child(&child);
    let tid = pid.as_raw_pid();
    waitpid(Some(pid), WaitOptions::UNTRACED).map_err(io::Error::from)?;
    ptrace::seize(tid, true).map_err(|error| {
        let _ = kill_process(pid, Signal::KILL);
        refused(tid, &error)
    })?;
    kill_process(pid, Signal::CONT).map_err(io::Error::from)?;
    Ok(tid)
}

/// Attaches to all threads of a process. Those that it starts meanwhile are traced because their parents are.
pub(super) fn attach(process: Tid) -> Result<BTreeSet<Tid>, Fail> {
    let mut seized = BTreeSet::new();
    loop {
        let tasks = fs::read_dir(format!("/proc/{process}/task"))
            .map_err(|_| Fail::Use(format!("there is no process {process}")))?;
        let tasks = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse::<Tid>().ok());
        let new: Vec<Tid> = tasks.filter(|tid| !seized.contains(tid)).collect();
        if new.is_empty() {
            return Ok(seized);
        }
        for tid in new {
            seized.insert(tid);
            match ptrace::seize(tid, false) {
                Ok(()) => {
                    // It ends just now if not; the wait will tell.
                    let _ = ptrace::interrupt(tid);
                }
                Err(_) if tracer(tid) == Some(u64::from(process::id())) => {}
                // A thread that has ended, but not the whole process.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) && tid != process => {}
                Err(error) => return Err(refused(process, &error)),
            }
        }
    }
}

/// Who traces a thread; 0 is nobody.
fn tracer(tid: Tid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    super::number_in(&status, "TracerPid:")
}

const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

fn refused(process: Tid, error: &io::Error) -> Fail {
    let scope = crate::system::parameter(YAMA).unwrap_or(0);
    Fail::Use(match tracer(process) {
        Some(other) if other != 0 => format!(
            "process {process} is traced by process {other} already (strace, a debugger), and only one can"
        ),
        _ if scope > 0 => format!(
            "process {process} may not be traced ({error}): {YAMA} is {scope}; run kael as root, set it to 0, or let kael \
             start the program (`kael analyze -- COMMAND`)"
        ),
        _ => format!(
            "process {process} may not be traced ({error}): it belongs to another user, or ptrace(2) is forbidden here; run \
             kael as root (a container needs `--cap-add SYS_PTRACE`)"
        ),
    })
}
