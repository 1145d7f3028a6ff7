//! [`Tracer`]: what is done at each stop of a traced thread.
//!
//! ```text
//!            entry stop            exit stop
//!   runs ──────────────▶ in call ──────────────▶ runs     resume; the call is told to the account
//!   runs ── a signal ───▶ stopped                         resume with it
//!   runs ── fork, exec, exit ──▶ stopped                  resume; threads are known or forgotten
//!   runs ── SIGSTOP ────▶ stopped by job control          listen, until SIGCONT
//! ```
//!
//! When the tracer is leaving, each stop ends with a detach instead.

use super::account::{Account, Call};
use super::calls::{self, Kind};
use super::descriptors::{Descriptor, Descriptors, Target};
use super::ptrace::{self, Stop, Tid};
use super::switches::Switches;
use rustix::process::WaitStatus;
use std::collections::HashMap;
use std::fs;
use std::process;
use std::time::Instant;

#[derive(Default)]
pub(super) struct Tracer {
    threads: HashMap<Tid, Thread>,
    descriptors: Descriptors,
    known_calls: HashMap<u64, (&'static str, Kind)>,
    pub(super) account: Account,
    pub(super) switches: Switches,
    /// Threads and processes that ever were.
    pub(super) seen_threads: u64,
    pub(super) seen_processes: u64,
    is_counting: bool,
    is_leaving: bool,
    /// A program has replaced the one that held its place.
    pub(super) has_executed: bool,
    /// A socket of the program takes connections.
    pub(super) is_listening: bool,
}

struct Thread {
    process: Tid,
    call: Option<Started>,
}

struct Started {
    name: &'static str,
    kind: Kind,
    on: Descriptor,
    arguments: [u64; 6],
    start: Instant,
}

impl Tracer {
    pub(super) fn begin_counting(&mut self) {
        self.is_counting = true;
        self.seen_threads = self.threads.len() as u64;
        self.seen_processes = self.processes().len() as u64;
        for tid in self.threads.keys() {
            self.switches.begin(*tid);
        }
    }

    pub(super) fn end_counting(&mut self) {
        self.is_counting = false;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// Traced processes, each once.
    pub(super) fn processes(&self) -> Vec<Tid> {
        let mut processes: Vec<Tid> = self.threads.values().map(|thread| thread.process).collect();
        processes.sort_unstable();
        processes.dedup();
        processes
    }

    /// Stops all threads, and lets each go at its stop.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
        // One that has ended cannot be stopped, and has nothing to be let go from.
        self.threads.retain(|tid, _| ptrace::interrupt(*tid).is_ok());
    }

    /// A thread that is traced from now on.
    pub(super) fn know(&mut self, tid: Tid) {
        if self.threads.contains_key(&tid) {
            return;
        }
        let Ok(status) = fs::read_to_string(format!("/proc/{tid}/status")) else { return };
        // Its own stops, and even its end, may come before its parent's event: then nobody traces it any more.
        if super::number_in(&status, "TracerPid:") != Some(process::id().into()) {
            return;
        }
        let process = super::number_in(&status, "Tgid:").map_or(tid, |id| id as Tid);
        let is_new_process = self.threads.values().all(|thread| thread.process != process);
        self.threads.insert(tid, Thread { process, call: None });
        if self.is_counting {
            self.seen_threads += 1;
            self.seen_processes += u64::from(is_new_process);
            self.switches.begin(tid);
        }
    }

    /// There is no thread any more, whatever was reported.
    pub(super) fn forget_threads(&mut self) {
        self.threads.clear();
    }

    /// What a wait has reported of a traced thread.
    pub(super) fn report(&mut self, tid: Tid, status: WaitStatus) {
        let Some(signal) = status.stopping_signal() else {
            self.threads.remove(&tid);
            return;
        };
        self.know(tid);
        self.switches.stopped(tid);
        let event = status.as_raw() >> 16;
        let pass = match (signal, event) {
            (ptrace::SYSCALL_TRAP, 0) => {
                self.at_call(tid);
                0
            }
            (_, 0) => signal,
            (_, libc::PTRACE_EVENT_STOP) if is_job_control(signal) && !self.is_leaving => {
                // If it was killed meanwhile, the next wait says so; here and below.
                let _ = ptrace::listen(tid);
                return;
            }
            (_, event) => {
                self.at_event(tid, event);
                0
            }
        };
        if self.is_leaving {
            let _ = ptrace::detach(tid, pass);
            self.threads.remove(&tid);
        } else {
            let _ = ptrace::resume(tid, pass);
        }
    }

    fn at_event(&mut self, tid: Tid, event: i32) {
        match event {
            libc::PTRACE_EVENT_CLONE | libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK => {
                if let Ok(new) = ptrace::message(tid) {
                    self.know(new);
                }
            }
            libc::PTRACE_EVENT_EXEC => self.executed(tid),
            libc::PTRACE_EVENT_EXIT => self.switches.end(tid),
            _ => {}
        }
    }

    /// The thread that calls execve(2) takes its process's number, and the others are gone.
    fn executed(&mut self, tid: Tid) {
        let before = ptrace::message(tid).unwrap_or(tid);
        let caller = self.threads.remove(&before);
        self.threads.retain(|_, thread| thread.process != tid);
        self.threads.insert(tid, caller.unwrap_or(Thread { process: tid, call: None }));
        self.descriptors.forget_all(tid);
        self.has_executed = true;
    }

    fn at_call(&mut self, tid: Tid) {
        let stop = ptrace::stop(tid).unwrap_or(Stop::Other);
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        match stop {
            Stop::Entry { number, arguments } => {
                let (name, kind) = *self.known_calls.entry(number).or_insert_with(|| {
                    let name = calls::name(number);
                    (name, Kind::of(name))
                });
                let on = if kind.has_descriptor() {
                    self.descriptors.look(thread.process, arguments[0])
                } else {
                    Descriptor { target: Target::None, is_accepted: false }
                };
                thread.call = Some(Started { name, kind, on, arguments, start: Instant::now() });
            }
            Stop::Exit { result } => {
                // None where the tracer came while the thread was in the call.
                let Some(call) = thread.call.take() else { return };
                let Started { name, kind, on, arguments, start } = call;
                let time = start.elapsed();
                let call = Call { name, kind, thread: tid, on, arguments, result, time };
                let process = thread.process;
                self.follow(process, &call);
                if self.is_counting {
                    self.account.add(&call);
                }
            }
            Stop::Other => {}
        }
    }

    /// What the call changed in what the tracer knows of the process.
    fn follow(&mut self, process: Tid, call: &Call) {
        let Ok(result) = u64::try_from(call.result) else { return };
        match (call.kind, call.name) {
            (Kind::Accept, _) => self.descriptors.accepted(process, result),
            (Kind::Open | Kind::Duplicate, _) | (_, "socket") => {
                self.descriptors.forget(process, result);
            }
            (Kind::Close, _) => self.descriptors.forget(process, call.arguments[0]),
            (Kind::Listen, _) => self.is_listening = true,
            (_, "close_range") => self.descriptors.forget_all(process),
            _ => {}
        }
    }
}

fn is_job_control(signal: i32) -> bool {
    [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal)
}
