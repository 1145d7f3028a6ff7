//! kqueue(2) and kevent(2) on Linux, so that the driver for kqueue can be tested there. For tests
//! only; the driver calls it by the names of the `libc` crate and does not know the difference.
//!
//! It has three profiles, because the systems differ, and it is hostile: from a seed it does what a
//! kernel may do (`chance.rs`). Both are chosen per thread, for the queues that the thread makes
//! (`settings.rs`).
//!
//! No profile was compared with a running FreeBSD or macOS. Where it is not certain what a system
//! does, its profile does what is less convenient, so that the driver relies on neither.
//!
//! What is emulated: EVFILT_READ and EVFILT_WRITE of sockets, pipes, terminals and whatever epoll
//! takes, and regular files as far as they are always ready; EVFILT_USER; EVFILT_TIMER; EVFILT_PROC with
//! NOTE_EXIT. sendfile(2) without headers (`sendfile.rs`). All flags and notes that `names.rs` has, except NOTE_FORK and NOTE_EXEC.
//!
//! What is not: EVFILT_VNODE, EVFILT_SIGNAL and EVFILT_AIO, which are EINVAL. A file that grows wakes
//! nobody. A queue in another queue. The error of a socket in `fflags` is always ECONNRESET. A Unix
//! socket that was shut for writes by its own side is writable without EV_EOF.
//!
//! A close drops the knotes of its number. Linux does not tell us of a close, so the driver does,
//! with [`closing`]. Without that the knotes are found to be stale when they are next looked at,
//! unless the number names the same file again.

mod chance;
mod changes;
mod collect;
mod epoll;
mod knote;
#[allow(dead_code, reason = "as many names as the driver may want")]
mod names;
mod queue;
mod ready;
mod sendfile;
#[allow(dead_code, reason = "for tests")]
mod settings;
mod sources;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "as many names as the driver may want")]
pub(crate) use names::*;
pub(crate) use sendfile::{SF_NODISKIO, apple_sendfile, freebsd_sendfile};
pub(crate) use settings::profile;
#[allow(unused_imports, reason = "for tests")]
pub(crate) use settings::{Counters, Profile, counters, set_profile, set_seed};

use collect::Events;
use libc::{c_int, pollfd, timespec};
use queue::Queue;
use std::{
    io,
    os::fd::{AsRawFd, IntoRawFd},
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The queues by their numbers. The lock is never held while a thread waits.
static QUEUES: Mutex<Queues> = Mutex::new(Queues(Vec::new()));

struct Queues(Vec<Option<Box<Queue>>>);

impl Queues {
    fn get(&mut self, number: c_int) -> Result<&mut Queue, c_int> {
        let queue = usize::try_from(number).ok().and_then(|index| self.0.get_mut(index)?.as_mut());
        queue.map(Box::as_mut).ok_or(libc::EBADF)
    }
}

fn queues() -> MutexGuard<'static, Queues> {
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a queue: a descriptor that is the caller's to close. It is -1 and errno when there is none
/// left.
///
/// A queue takes two more numbers, which it gives back at [`closing`], or when its own number is made a
/// queue again.
///
/// # Safety
///
/// None is needed: it is unsafe as its namesake is.
pub(crate) unsafe extern "C" fn kqueue() -> c_int {
    answer(make())
}

fn make() -> Result<c_int, c_int> {
    let number = epoll::create()?;
    let writes = epoll::create()?;
    let bell = epoll::hang_bell(number.as_raw_fd())?;
    epoll::add(number.as_raw_fd(), writes.as_raw_fd(), libc::EPOLLIN, epoll::WRITES)?;
    let number = number.into_raw_fd();
    let index = number as usize;
    let mut queues = queues();
    if index >= queues.0.len() {
        queues.0.resize_with(index + 1, || None);
    }
    // An earlier owner of the number is forgotten with all that it had.
    queues.0[index] = Some(Box::new(Queue::new(number, writes, bell)));
    Ok(number)
}

/// Applies changes and waits for events, as kevent(2) does.
///
/// # Safety
///
/// `changelist` points at `nchanges` changes, `eventlist` has room for `nevents` events, `timeout` is
/// null or points at a time; nobody else uses them during the call. The lists may be the same.
pub(crate) unsafe extern "C" fn kevent(
    kq: c_int,
    changelist: *const kevent,
    nchanges: c_int,
    eventlist: *mut kevent,
    nevents: c_int,
    timeout: *const timespec,
) -> c_int {
    settings::count(1, 0, 0);
    let (Ok(changes), Ok(room)) = (usize::try_from(nchanges), usize::try_from(nevents)) else {
        return answer(Err(libc::EINVAL));
    };
    if changes > 0 && changelist.is_null() || room > 0 && eventlist.is_null() {
        return answer(Err(libc::EFAULT));
    }
    // SAFETY: null or a time, by our contract.
    let timeout = unsafe { timeout.as_ref() };
    // SAFETY: room for that many, by our contract.
    let mut events = unsafe { Events::new(eventlist, room) };
    // SAFETY: as many changes, by our contract.
    let applied = unsafe { apply(kq, changelist, changes, &mut events, timeout) };
    answer(applied.and_then(|_| {
        // Errors and receipts are all that such a call gets, and it does not wait.
        if events.count() == 0 && room > 0 {
            wait(kq, &mut events, timeout)?;
            settings::count(0, 0, events.count() as u64);
        }
        Ok(events.count() as c_int)
    }))
}

/// A number is about to be closed: whatever knotes it has in any queue are dropped, as the systems
/// with a kqueue do by themselves. If it is a queue, so is the queue.
pub(crate) fn closing(fd: c_int) {
    let Ok(ident) = usize::try_from(fd) else {
        return;
    };
    let mut queues = queues();
    if let Some(place) = queues.0.get_mut(ident) {
        *place = None;
    }
    for queue in queues.0.iter_mut().flatten() {
        queue.drop_descriptor(ident);
    }
}

/// All changes in their order. One that fails is an event, if there is room; if not, its error is the
/// call's, and the others are not applied.
///
/// # Safety
///
/// `changelist` points at `count` changes.
unsafe fn apply(
    kq: c_int,
    changelist: *const kevent,
    count: usize,
    events: &mut Events,
    timeout: Option<&timespec>,
) -> Result<(), c_int> {
    let mut queues = queues();
    let queue = queues.get(kq)?;
    if !ready::is_open(kq) {
        return Err(libc::EBADF);
    }
    // macOS looks at the time first, the others when they are about to wait.
    if queue.profile == Profile::Darwin {
        limit(timeout)?;
    }
    let mut result = Ok(());
    for index in 0..count {
        // SAFETY: one of them. It has not been overwritten if the lists are the same: no more events
        // than changes have been written so far.
        let change = unsafe { changelist.add(index).read() };
        settings::count(0, 1, 0);
        let error = queue.change(&change).err();
        if error.is_none() && change.flags & EV_RECEIPT == 0 {
            continue;
        }
        if events.has_room() {
            let kept = if queue.profile.keeps_flags_of_errors() { change.flags } else { 0 };
            let data = i64::from(error.unwrap_or(0));
            events.push(kevent { flags: EV_ERROR | kept, data, ..change });
        } else if let Some(error) = error {
            result = Err(error);
            break;
        } else if queue.profile != Profile::Darwin {
            // A receipt without room ends the list, silently. macOS goes on.
            break;
        }
    }
    // Others who wait in this queue look again.
    if count > 0 && queue.waiting > 0 {
        epoll::ring(kq, queue.bell.as_raw_fd());
    }
    result
}

fn wait(kq: c_int, events: &mut Events, timeout: Option<&timespec>) -> Result<(), c_int> {
    let limit = limit(timeout)?;
    let mut plan = None;
    loop {
        let mut queues = queues();
        let queue = queues.get(kq)?;
        let plan = plan.get_or_insert_with(|| queue.chance.plan());
        queue.collect(events, plan)?;
        let now = Instant::now();
        if events.count() > 0 || limit.is_some_and(|limit| limit <= now) {
            return Ok(());
        }
        if plan.interrupted {
            return Err(libc::EINTR);
        }
        let until = [limit, queue.next_timer()].into_iter().flatten().min();
        queue.waiting += 1;
        drop(queues);
        let slept = sleep(kq, until.map(|until| until.saturating_duration_since(now)));
        if let Ok(queue) = self::queues().get(kq) {
            // Not ours any more, perhaps, if the number was closed meanwhile.
            queue.waiting = queue.waiting.saturating_sub(1);
        }
        slept?;
    }
}

/// Until when a call may wait. None is for ever.
fn limit(timeout: Option<&timespec>) -> Result<Option<Instant>, c_int> {
    let Some(timeout) = timeout else {
        return Ok(None);
    };
    let (Ok(seconds), Ok(nanoseconds)) =
        (u64::try_from(timeout.tv_sec), u32::try_from(timeout.tv_nsec))
    else {
        return Err(libc::EINVAL);
    };
    if nanoseconds >= 1_000_000_000 {
        return Err(libc::EINVAL);
    }
    // A time that does not fit is no limit.
    Ok(Instant::now().checked_add(Duration::new(seconds, nanoseconds)))
}

/// Until there is something in the queue's epoll. Nothing is taken from it, and no lock is held.
fn sleep(kq: c_int, limit: Option<Duration>) -> Result<(), c_int> {
    let limit = limit.map(|limit| timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mut entry = pollfd { fd: kq, events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry and a time, both ours.
    let result = unsafe { libc::ppoll(&raw mut entry, 1, limit, ptr::null()) };
    match result {
        -1 => Err(errno()),
        _ if entry.revents & libc::POLLNVAL != 0 => Err(libc::EBADF),
        _ => Ok(()),
    }
}

fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn answer(result: Result<c_int, c_int>) -> c_int {
    result.unwrap_or_else(|error| {
        // SAFETY: this thread's errno, which is always there.
        unsafe { *libc::__errno_location() = error };
        -1
    })
}
