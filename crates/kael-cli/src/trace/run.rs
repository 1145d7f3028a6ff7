//! [`trace`]: one run from start to end, as a loop over what happens to the traced threads.
//!
//! ```text
//! Starting ── the program executes; it listens, if a client drives it ──▶ Counting
//! Counting ── the time is up, the client ends, a signal, the program ends ──▶ Ending
//! Ending   ── nothing is traced and no client runs ──▶ over
//! ```
//!
//! A program that we started is asked to end by SIGTERM, and killed when it does not. One that runs for itself is left.

use super::account::Account;
use super::drive::{self, Client};
use super::profile::{self, Profile, Sampler};
use super::ptrace::{ChildSignal, Tid};
use super::start;
use super::switches::Counts;
use super::tracer::Tracer;
use super::{Plan, Subject};
use crate::fail::Fail;
use crate::interrupt;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What was seen of a program.
pub(super) struct Seen {
    pub(super) account: Account,
    pub(super) time: Duration,
    pub(super) switches: Counts,
    pub(super) threads: u64,
    pub(super) processes: u64,
    /// What the client says it made.
    pub(super) client_requests: Option<u64>,
    /// The client ended, and not with exit status 0.
    pub(super) has_client_failed: bool,
    /// What the sampled profile shows, or why there is none, if one was asked for.
    pub(super) profile: Option<Profile>,
    /// How the program ended, if it was ours.
    pub(super) end: Option<WaitStatus>,
}

/// After SIGTERM a program has so long to end.
const GRACE: Duration = Duration::from_secs(5);
/// Nothing is due: the wait ends by what happens.
const LONG: Duration = Duration::from_secs(3600);
/// Threads that were not made by fork(2) are waited for, too.
const ALL: u32 = libc::__WALL.cast_unsigned();

enum Phase {
    Starting { limit: Option<Instant> },
    Counting { start: Instant, limit: Option<Instant> },
    Ending { kill_at: Instant, all_were_asked: bool },
}

struct Run<'a> {
    plan: &'a Plan,
    tracer: Tracer,
    phase: Phase,
    /// The process that was started or attached to.
    root: Tid,
    root_end: Option<WaitStatus>,
    client: Option<Client>,
    client_end: Option<WaitStatus>,
    sampler: Option<io::Result<Sampler>>,
    has_sampler_ended: bool,
    is_interrupted: Arc<AtomicBool>,
    counted: Option<(Duration, Counts)>,
}

pub(super) fn trace(plan: &Plan) -> Result<Seen, Fail> {
    // Before there is a second thread, so that none takes the signal.
    let children = ChildSignal::block()?;
    let is_interrupted = Arc::new(AtomicBool::new(false));
    let interrupted = is_interrupted.clone();
    interrupt::on_signal(move |_| {
        interrupted.store(true, Ordering::Relaxed);
        // It ends the wait. It is our own process, so it is there.
        let _ = kill_process(getpid(), Signal::CHILD);
    })?;
    let mut tracer = Tracer::default();
    let root = match &plan.subject {
        Subject::Started(command) => {
            let root = start::start(command, &children)?;
            tracer.know(root);
            root
        }
        Subject::Attached(process) => {
            start::attach(*process)?.into_iter().for_each(|tid| tracer.know(tid));
            tracer.has_executed = true;
            // Perhaps it listens already.
            tracer.is_listening = true;
            *process
        }
    };
    let limit = plan.limit.map(|limit| Instant::now() + limit);
    let mut run = Run {
        plan,
        tracer,
        phase: Phase::Starting { limit },
        root,
        root_end: None,
        client: None,
        client_end: None,
        sampler: None,
        has_sampler_ended: false,
        is_interrupted,
        counted: None,
    };
    run.turn_until_over(&children)?;
    run.seen()
}

impl Run<'_> {
    fn turn_until_over(&mut self, children: &ChildSignal) -> Result<(), Fail> {
        loop {
            while self.look(children)? {}
            if self.is_over() {
                return Ok(());
            }
            match wait(WaitOptions::NOHANG | WaitOptions::from_bits_retain(ALL)) {
                Ok(Some((pid, status))) => self.report(pid.as_raw_pid(), status),
                Ok(None) => children.wait(self.time_left()),
                Err(Errno::INTR) => {}
                // Nothing is left to wait for; no report came of what was let go as it ended.
                Err(Errno::CHILD) => {
                    self.tracer.forget_threads();
                    while self.look(children)? {}
                    return Ok(());
                }
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
    }

    fn report(&mut self, pid: Tid, status: WaitStatus) {
        let has_ended = status.exited() || status.signaled();
        if has_ended && self.client.as_ref().is_some_and(|client| client.process == pid) {
            self.client_end = Some(status);
            return;
        }
        if has_ended && self.running_sampler() == Some(pid) {
            self.has_sampler_ended = true;
            return;
        }
        if has_ended && pid == self.root {
            self.root_end = Some(status);
        }
        self.tracer.report(pid, status);
    }

    /// Goes on to the next phase when it is due, and says whether it did.
    fn look(&mut self, children: &ChildSignal) -> Result<bool, Fail> {
        let must_end = self.is_interrupted.load(Ordering::Relaxed) || self.tracer.is_empty();
        let now = Instant::now();
        let is_late = |limit: Option<Instant>| limit.is_some_and(|limit| now >= limit);
        match self.phase {
            Phase::Starting { limit } if must_end || is_late(limit) => self.end(now),
            Phase::Starting { .. } => {
                let is_ready = self.plan.client.is_none() || self.tracer.is_listening;
                if !(self.tracer.has_executed && is_ready) {
                    return Ok(false);
                }
                self.begin(now, children)?;
            }
            Phase::Counting { start, limit } => {
                if !(must_end || is_late(limit) || self.client_end.is_some()) {
                    return Ok(false);
                }
                self.tracer.end_counting();
                self.counted = Some((now - start, self.tracer.switches.end_all()));
                self.end(now);
            }
            Phase::Ending { .. } => {
                self.insist(now);
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn begin(&mut self, now: Instant, children: &ChildSignal) -> Result<(), Fail> {
        let limit = self.plan.limit.map(|limit| now + limit);
        self.tracer.begin_counting();
        if let Some(svg) = &self.plan.profile {
            self.sampler = Some(Sampler::start(&self.tracer.processes(), svg, children));
        }
        if let Some(line) = &self.plan.client {
            self.client = Some(Client::start(line, children)?);
        }
        self.phase = Phase::Counting { start: now, limit };
        Ok(())
    }

    fn end(&mut self, now: Instant) {
        self.phase = Phase::Ending { kill_at: now + GRACE, all_were_asked: false };
        if let Some(client) = self.client.as_ref().filter(|_| self.client_end.is_none()) {
            signal(client.process, Signal::TERM);
        }
        if let Some(sampler) = self.running_sampler() {
            signal(sampler, Signal::INT);
        }
        match self.plan.subject {
            Subject::Started(_) if self.root_end.is_none() => signal(self.root, Signal::TERM),
            Subject::Started(_) => {}
            Subject::Attached(_) => self.tracer.leave(),
        }
    }

    /// What a started program has left behind is asked to end, too; what does not, is killed.
    fn insist(&mut self, now: Instant) {
        let Phase::Ending { kill_at, all_were_asked } = &mut self.phase else { return };
        let is_ours = matches!(self.plan.subject, Subject::Started(_));
        let how = if now >= *kill_at {
            *kill_at = now + GRACE;
            Signal::KILL
        } else if self.root_end.is_some() && !*all_were_asked {
            *all_were_asked = true;
            Signal::TERM
        } else {
            return;
        };
        if is_ours {
            self.tracer.processes().into_iter().for_each(|process| signal(process, how));
        }
        if let Some(client) = self.client.as_ref().filter(|_| self.client_end.is_none()) {
            signal(client.process, how);
        }
        if let Some(sampler) = self.running_sampler().filter(|_| how == Signal::KILL) {
            signal(sampler, how);
        }
    }

    fn running_sampler(&self) -> Option<Tid> {
        let sampler = self.sampler.as_ref()?.as_ref().ok()?;
        (!self.has_sampler_ended).then_some(sampler.process)
    }

    fn is_over(&self) -> bool {
        let is_alone = self.tracer.is_empty()
            && (self.client.is_none() || self.client_end.is_some())
            && self.running_sampler().is_none();
        is_alone && matches!(self.phase, Phase::Ending { .. })
    }

    fn time_left(&self) -> Duration {
        let limit = match self.phase {
            Phase::Starting { limit } | Phase::Counting { limit, .. } => limit,
            Phase::Ending { kill_at, .. } => Some(kill_at),
        };
        limit.map_or(LONG, |limit| limit.saturating_duration_since(Instant::now()))
    }

    fn seen(self) -> Result<Seen, Fail> {
        let Some((time, switches)) = self.counted else { return Err(self.never_counted()) };
        let has_client_failed = self.client_end.is_some_and(|end| end.exit_status() != Some(0));
        let profile =
            self.sampler.zip(self.plan.profile.as_ref()).map(|(sampler, svg)| match sampler {
                Ok(sampler) => sampler
                    .finish(svg)
                    .unwrap_or_else(|error| Profile::none(format!("No profile: {error}."))),
                Err(error) => Profile::none(profile::missing(&error)),
            });
        let text = self.client.map(Client::text).transpose()?;
        Ok(Seen {
            account: self.tracer.account,
            time,
            switches,
            threads: self.tracer.seen_threads,
            processes: self.tracer.seen_processes,
            client_requests: text.as_deref().and_then(drive::requests),
            has_client_failed,
            profile,
            end: self.root_end,
        })
    }

    /// Why there is nothing to tell.
    fn never_counted(&self) -> Fail {
        let Subject::Started(command) = &self.plan.subject else {
            return Fail::Work("the process ended before anything was counted".to_owned());
        };
        let program = command.first().map_or_else(String::new, |word| word.display().to_string());
        match self.root_end.and_then(|end| end.exit_status()) {
            Some(number) if !self.tracer.has_executed => {
                Fail::Use(format!("{program}: {}", io::Error::from_raw_os_error(number)))
            }
            _ if self.plan.client.is_some() => Fail::Work(format!(
                "{program} ended, or its time did, before it listened, so that no client could drive it"
            )),
            _ => Fail::Work(format!("{program} ended before anything was counted")),
        }
    }
}

/// One that has ended meanwhile needs none.
fn signal(process: Tid, signal: Signal) {
    if let Some(pid) = Pid::from_raw(process) {
        let _ = kill_process(pid, signal);
    }
}
