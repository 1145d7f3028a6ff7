//! User events, timers, processes.

use super::*;
use std::{
    process::{Child, Command, Stdio},
    thread,
};

const WITH_USER: [Profile; 2] = [Profile::FreeBsd, Profile::Darwin];

fn user(flags: u16, fflags: u32) -> kevent {
    kevent { fflags, ..change(7, EVFILT_USER, flags) }
}

#[test]
fn a_trigger_is_told_once() {
    for profile in WITH_USER {
        let kq = Kq::new(profile);
        kq.apply(&[with_udata(user(EV_ADD | EV_CLEAR, 0), 5)]);
        assert_eq!(kq.poll(), []);
        kq.apply(&[with_udata(user(0, NOTE_TRIGGER), 5)]);
        kq.apply(&[with_udata(user(0, NOTE_TRIGGER), 5)]);
        let events = kq.wait();
        assert_eq!((events.len(), events[0].ident, events[0].udata.addr()), (1, 7, 5));
        assert_eq!(kq.poll(), [], "{profile:?}");
        kq.apply(&[user(0, NOTE_TRIGGER)]);
        assert_eq!(kq.wait()[0].udata.addr(), 0, "{profile:?}: a trigger brings its udata");
    }
}

#[test]
fn clear_in_the_trigger_loses_it_on_freebsd() {
    for profile in WITH_USER {
        let kq = Kq::new(profile);
        kq.apply(&[user(EV_ADD | EV_CLEAR, 0), user(EV_CLEAR, NOTE_TRIGGER)]);
        let is_lost = profile == Profile::FreeBsd;
        assert_eq!(kq.poll().len(), usize::from(!is_lost), "{profile:?}");
    }
}

#[test]
fn a_trigger_in_the_first_add_is_ignored_on_freebsd() {
    for profile in WITH_USER {
        let kq = Kq::new(profile);
        kq.apply(&[user(EV_ADD | EV_CLEAR, NOTE_TRIGGER)]);
        let is_ignored = profile == Profile::FreeBsd;
        assert_eq!(kq.poll().len(), usize::from(!is_ignored), "{profile:?}");
    }
}

#[test]
fn old_netbsd_has_no_user_events() {
    let kq = Kq::new(Profile::NetBsd);
    assert_eq!(kq.call(&[user(EV_ADD | EV_CLEAR, 0)], 0, None), Err(libc::EINVAL));
    assert_eq!(kq.call(&[user(0, NOTE_TRIGGER)], 1, None).unwrap()[0].data as c_int, libc::EINVAL);
}

#[test]
fn a_trigger_without_a_knote_is_absent() {
    for profile in WITH_USER {
        let kq = Kq::new(profile);
        assert_eq!(kq.call(&[user(0, NOTE_TRIGGER)], 0, None), Err(libc::ENOENT));
    }
}

#[test]
fn flags_of_a_user_event() {
    for profile in WITH_USER {
        let kq = Kq::new(profile);
        kq.apply(&[user(EV_ADD, 0b0110)]);
        for (control, fflags) in [
            (NOTE_FFNOP | 0b1000, 0b0110),
            (NOTE_FFOR | 0b1000, 0b1110),
            (NOTE_FFAND | 0b1010, 0b1010),
            (NOTE_FFCOPY | 0b0001, 0b0001),
        ] {
            kq.apply(&[user(0, control | NOTE_TRIGGER)]);
            assert_eq!(kq.poll()[0].fflags, fflags, "{profile:?}");
        }
        assert_eq!(kq.poll().len(), 1, "{profile:?}: level");
    }
}

#[test]
fn triggers_wake_from_other_threads() {
    const WAKES: u32 = 2000;
    for profile in WITH_USER {
        let kq = Kq::new(profile);
        kq.apply(&[user(EV_ADD | EV_CLEAR, 0)]);
        thread::scope(|scope| {
            let (told, heard) = std::sync::mpsc::channel();
            let kq = &kq;
            scope.spawn(move || {
                for _ in 0..WAKES {
                    kq.apply(&[user(0, NOTE_TRIGGER)]);
                    // The next only when this one has arrived: none may be lost.
                    heard.recv().unwrap();
                }
            });
            for _ in 0..WAKES {
                assert_eq!(kq.wait().len(), 1, "{profile:?}");
                told.send(()).unwrap();
            }
        });
        assert_eq!(kq.poll(), []);
    }
}

#[test]
fn timers() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let begin = Instant::now();
        let once = kevent { data: 20, ..change(1, EVFILT_TIMER, EV_ADD | EV_ONESHOT) };
        let often = kevent { data: 3, ..change(2, EVFILT_TIMER, EV_ADD) };
        kq.apply(&[once, often]);
        let mut ticks = 0;
        loop {
            let events = kq.wait();
            ticks += events.iter().filter(|e| e.ident == 2).map(|e| e.data).sum::<i64>();
            if events.iter().any(|event| event.ident == 1) {
                break;
            }
        }
        assert!(begin.elapsed() >= Duration::from_millis(20));
        let most = begin.elapsed().as_millis() as i64 / 3;
        assert!((5..=most).contains(&ticks), "{profile:?}: {ticks} of {most}");
        let delete = change(1, EVFILT_TIMER, EV_DELETE);
        assert_eq!(kq.call(&[delete], 0, None), Err(libc::ENOENT));
        kq.apply(&[change(2, EVFILT_TIMER, EV_DELETE)]);
        assert_eq!(kq.call(&[], 1, Some(Duration::from_millis(7))), Ok(vec![]));
        let micros = kevent { fflags: NOTE_USECONDS, data: 10, ..once };
        let result = kq.call(&[micros], 1, None).unwrap();
        let is_error = result[0].flags & EV_ERROR != 0;
        assert_eq!(is_error, profile == Profile::NetBsd, "old NetBSD has milliseconds only");
    }
}

fn watch(child: &Child) -> kevent {
    let add = change(child.id() as usize, EVFILT_PROC, EV_ADD | EV_ONESHOT);
    kevent { fflags: NOTE_EXIT, ..add }
}

/// Ends with 3 when its input ends.
fn child() -> Child {
    let mut command = Command::new("sh");
    command.args(["-c", "read line; exit 3"]).stdin(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_end_of_a_child() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let mut child = child();
        kq.apply(&[watch(&child)]);
        assert_eq!(kq.poll(), []);
        drop(child.stdin.take());
        let event = kq.wait()[0];
        assert_eq!((event.ident, event.fflags & NOTE_EXIT), (child.id() as usize, NOTE_EXIT));
        let status = if profile == Profile::Darwin { 0 } else { 3 << 8 };
        assert_eq!(event.data, status, "{profile:?}");
        assert_eq!(kq.poll(), []);
        assert_eq!(child.wait().unwrap().code(), Some(3), "it is ours to wait for");
        assert_eq!(kq.call(&[watch(&child)], 0, None), Err(libc::ESRCH));
    }
}

#[test]
fn a_child_that_has_ended_before() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let mut child = child();
        drop(child.stdin.take());
        let id = child.id();
        // SAFETY: waits for the end and leaves the child to be waited for; fills a structure of ours.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOWAIT;
            assert_eq!(libc::waitid(libc::P_PID, id, &raw mut info, options), 0);
        }
        let events = kq.call(&[watch(&child)], 1, None).unwrap();
        match profile {
            Profile::FreeBsd => assert_eq!(events[0].fflags & NOTE_EXIT, NOTE_EXIT),
            _ => {
                assert_ne!(events[0].flags & EV_ERROR, 0);
                assert_eq!(events[0].data as c_int, libc::ESRCH, "{profile:?}");
            }
        }
        child.wait().unwrap();
    }
}
