//! The call itself: lists, errors, receipts, limits, interruptions, numbers.

use super::*;
use std::{
    io::Write,
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// No test opens so many.
const BAD: usize = 1_000_000;

fn ready_pair() -> (UnixStream, UnixStream) {
    let (near, mut far) = UnixStream::pair().unwrap();
    far.write_all(b"x").unwrap();
    (near, far)
}

#[test]
fn an_error_is_an_event_and_then_there_are_no_others() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, _far) = ready_pair();
        let changes = [
            on(&near, EVFILT_READ, EV_ADD | EV_CLEAR),
            with_udata(change(BAD, EVFILT_READ, EV_ADD), 7),
            on(&near, EVFILT_WRITE, EV_DELETE),
            change(1, EVFILT_VNODE, EV_ADD),
        ];
        // For ever is not waited.
        let events = kq.call(&changes, 8, None).unwrap();
        assert!(events.iter().all(|event| event.flags & EV_ERROR != 0));
        let errors: Vec<_> = events.iter().map(|event| event.data as c_int).collect();
        assert_eq!(errors, [libc::EBADF, libc::ENOENT, libc::EINVAL], "{profile:?}");
        assert_eq!((events[0].ident, events[0].udata.addr()), (BAD, 7));
        // Never the only bit on macOS.
        let is_alone = events.iter().any(|event| event.flags == EV_ERROR);
        assert_eq!(is_alone, profile != Profile::Darwin);
        assert_eq!(kq.poll().len(), 1, "{profile:?}: the good change has been applied");
    }
}

#[test]
fn an_error_without_room_ends_the_list() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, _far) = ready_pair();
        let absent = on(&near, EVFILT_WRITE, EV_DELETE);
        let add = on(&near, EVFILT_READ, EV_ADD | EV_ONESHOT);
        assert_eq!(kq.call(&[absent, add], 0, None), Err(libc::ENOENT));
        assert_eq!(kq.poll(), [], "{profile:?}: the second was not applied");
        assert_eq!(kq.call(&[absent, absent, add], 1, None), Err(libc::ENOENT));
        assert_eq!(kq.poll(), [], "{profile:?}: nor here");
        assert_eq!(kq.call(&[absent, absent, add], 2, None).unwrap().len(), 2);
        assert_eq!(kq.poll().len(), 1, "{profile:?}: with room it was");
    }
}

#[test]
fn receipts_are_errors_of_zero() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, _far) = ready_pair();
        let add = on(&near, EVFILT_READ, EV_ADD | EV_RECEIPT);
        let events = kq.call(&[add], 8, None).unwrap();
        assert_eq!((events.len(), events[0].flags & EV_ERROR, events[0].data), (1, EV_ERROR, 0));
        let events = kq.poll();
        assert_eq!((events.len(), events[0].flags & EV_ERROR), (1, 0), "{profile:?}");
        // Without room macOS goes on, the others stop.
        let write = on(&near, EVFILT_WRITE, EV_ADD);
        kq.apply(&[add, write]);
        let goes_on = profile == Profile::Darwin;
        assert_eq!(kq.poll().len(), 1 + usize::from(goes_on), "{profile:?}");
    }
}

#[test]
fn changes_and_events_may_share_a_list() {
    let kq = Kq::new(Profile::FreeBsd);
    let (near, _far) = ready_pair();
    let mut list = [
        change(BAD, EVFILT_READ, EV_ADD),
        on(&near, EVFILT_READ, EV_ADD),
        change(BAD, EVFILT_WRITE, EV_DELETE),
    ];
    let place = list.as_mut_ptr();
    // SAFETY: three changes, and room for three events where they are.
    let count = unsafe { kevent(kq.0.as_raw_fd(), place, 3, place, 3, ptr::null()) };
    assert_eq!(count, 2);
    assert_eq!(list[..2].iter().map(|event| event.filter).collect::<Vec<_>>(), [-1, -2]);
    assert_eq!(kq.poll().len(), 1);
}

#[test]
fn room_for_nothing_waits_for_nothing() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, _far) = ready_pair();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_CLEAR)]);
        kq.apply(&[]);
        assert_eq!(kq.poll().len(), 1, "{profile:?}: nothing was taken");
    }
}

#[test]
fn a_short_list_gets_the_rest_later() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let pairs: Vec<_> = (0..5).map(|_| ready_pair()).collect();
        let add: Vec<_> =
            pairs.iter().map(|(near, _)| on(near, EVFILT_READ, EV_ADD | EV_CLEAR)).collect();
        let mut seen = idents(&kq.call(&add, 5, None).unwrap());
        assert_eq!(seen.len(), 5);
        kq.apply(&add);
        let mut parts = Vec::new();
        for count in [2, 2, 1, 0] {
            let events = kq.call(&[], 2, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.len(), count, "{profile:?}");
            parts.extend(idents(&events));
        }
        seen.sort_unstable();
        parts.sort_unstable();
        assert_eq!(parts, seen);
    }
}

#[test]
fn a_level_that_stays_lets_others_through() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let pairs: Vec<_> = (0..3).map(|_| ready_pair()).collect();
        let add: Vec<_> = pairs.iter().map(|(near, _)| on(near, EVFILT_READ, EV_ADD)).collect();
        kq.apply(&add);
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.extend(idents(&kq.call(&[], 1, None).unwrap()));
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 3, "{profile:?}");
    }
}

#[test]
fn limits() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let before = Instant::now();
        assert_eq!(kq.call(&[], 1, Some(Duration::from_millis(5))), Ok(vec![]));
        assert!(before.elapsed() >= Duration::from_millis(5));
        let (near, _far) = ready_pair();
        let add = on(&near, EVFILT_READ, EV_ADD);
        for (tv_sec, tv_nsec) in [(0, 1_000_000_000), (0, -1), (-1, 0)] {
            let mut event = add;
            let limit = timespec { tv_sec, tv_nsec };
            let place = &raw mut event;
            // SAFETY: one change, room for one event, and a time.
            let result = unsafe { kevent(kq.0.as_raw_fd(), place, 1, place, 1, &raw const limit) };
            assert_eq!((result, errno()), (-1, libc::EINVAL), "{profile:?}");
        }
        // A time that nobody lives to see.
        assert_eq!(
            kq.call(&[add], 1, Some(Duration::from_secs(i64::MAX as u64))).unwrap().len(),
            1
        );
    }
}

#[test]
fn bad_arguments() {
    let kq = Kq::new(Profile::FreeBsd);
    let number = kq.0.as_raw_fd();
    let none = ptr::null_mut();
    for (kq, list, changes, room, error) in [
        (number, none, -1, 0, libc::EINVAL),
        (number, none, 0, -1, libc::EINVAL),
        (number, none, 1, 0, libc::EFAULT),
        (number, none, 0, 1, libc::EFAULT),
        (-1, none, 0, 0, libc::EBADF),
        (BAD as c_int, none, 0, 0, libc::EBADF),
    ] {
        // SAFETY: null is refused before it is used.
        let result = unsafe { kevent(kq, list, changes, list, room, ptr::null()) };
        assert_eq!((result, errno()), (-1, error), "{kq}, {changes}, {room}");
    }
}

#[test]
fn an_interrupted_wait_has_applied_its_changes() {
    static HANDLED: AtomicBool = AtomicBool::new(false);
    extern "C" fn handle(_: c_int) {
        HANDLED.store(true, Ordering::SeqCst);
    }
    // SAFETY: the handler sets a flag; no SA_RESTART, so that the wait ends.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as extern "C" fn(c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut()), 0);
    }
    for profile in Profile::ALL {
        HANDLED.store(false, Ordering::SeqCst);
        let kq = Kq::new(profile);
        let (near, mut far) = UnixStream::pair().unwrap();
        let is_over = AtomicBool::new(false);
        // SAFETY: asks for this thread's own name.
        let waiter = unsafe { libc::pthread_self() };
        thread::scope(|scope| {
            scope.spawn(|| {
                // Until one of them finds the thread asleep.
                while !is_over.load(Ordering::SeqCst) {
                    // SAFETY: the thread is there: it waits for us at the scope's end.
                    unsafe { libc::pthread_kill(waiter, libc::SIGUSR2) };
                    thread::yield_now();
                }
            });
            let result = kq.call(&[on(&near, EVFILT_READ, EV_ADD)], 8, None);
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(result, Err(libc::EINTR), "{profile:?}");
        });
        assert!(HANDLED.load(Ordering::SeqCst));
        far.write_all(b"x").unwrap();
        assert_eq!(kq.wait().len(), 1, "{profile:?}: armed");
    }
}

#[test]
fn calls_are_counted() {
    let kq = Kq::new(Profile::FreeBsd);
    let (near, _far) = ready_pair();
    let before = counters();
    kq.apply(&[on(&near, EVFILT_READ, EV_ADD), on(&near, EVFILT_WRITE, EV_ADD)]);
    assert_eq!(kq.poll().len(), 2);
    kq.call(&[change(BAD, EVFILT_READ, EV_ADD)], 1, None).unwrap();
    let after = counters();
    let [calls, changes, events] =
        [after.calls - before.calls, after.changes - before.changes, after.events - before.events];
    assert_eq!([calls, changes, events], [3, 3, 2]);
}

#[test]
fn a_thread_that_adds_wakes_one_that_waits() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, _far) = ready_pair();
        thread::scope(|scope| {
            let waiter = scope.spawn(|| idents(&kq.wait()));
            kq.apply(&[on(&near, EVFILT_READ, EV_ADD)]);
            assert_eq!(waiter.join().unwrap(), [near.as_raw_fd() as usize], "{profile:?}");
        });
    }
}
