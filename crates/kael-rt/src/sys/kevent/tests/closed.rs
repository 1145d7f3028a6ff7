//! Numbers that are closed and mean something else later.

use super::{
    files::{duplicate_to, pair},
    *,
};
use std::{io::Write, os::fd::IntoRawFd};

#[test]
fn a_close_drops_the_knotes_of_its_number_also_with_a_dup() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        let copy = near.try_clone().unwrap();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD), on(&near, EVFILT_WRITE, EV_ADD)]);
        closing(near.as_raw_fd());
        // Something else takes the number at once, so that no other test can.
        let (other, _peer) = pair();
        let taken = duplicate_to(&other, near.into_raw_fd()).into_raw_fd();
        // Then the same file comes back to it. Nobody has asked for that one.
        let back = duplicate_to(&copy, taken);
        far.write_all(b"x").unwrap();
        assert_eq!(kq.poll(), [], "{profile:?}");
        let delete = on(&back, EVFILT_READ, EV_DELETE);
        assert_eq!(kq.call(&[delete], 0, None), Err(libc::ENOENT));
        assert_eq!(kq.call(&[on(&back, EVFILT_READ, EV_ADD)], 8, None).unwrap().len(), 1);
        closing(taken);
    }
}

#[test]
fn an_event_of_a_closed_number_is_not_told() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, _far) = pair();
        // Queued already.
        kq.apply(&[on(&near, EVFILT_WRITE, EV_ADD | EV_ONESHOT)]);
        closing(near.as_raw_fd());
        assert_eq!(kq.poll(), [], "{profile:?}");
    }
}

#[test]
fn a_number_that_was_reused_without_a_word_has_no_knotes() {
    for profile in Profile::ALL {
        for is_told_first in [false, true] {
            let kq = Kq::new(profile);
            let (near, _far) = pair();
            let _copy = near.try_clone().unwrap();
            kq.apply(&[with_udata(on(&near, EVFILT_WRITE, EV_ADD), 1)]);
            let (other, _peer) = pair();
            let reused = duplicate_to(&other, near.into_raw_fd());
            if is_told_first {
                assert_eq!(kq.poll(), [], "{profile:?}: writable, but nobody asked");
            }
            let delete = on(&reused, EVFILT_WRITE, EV_DELETE);
            assert_eq!(kq.call(&[delete], 0, None), Err(libc::ENOENT), "{profile:?}");
            let add = with_udata(on(&reused, EVFILT_WRITE, EV_ADD | EV_ONESHOT), 2);
            let events = kq.call(&[add], 8, None).unwrap();
            assert_eq!((events.len(), events[0].udata.addr()), (1, 2), "{profile:?}");
            closing(reused.as_raw_fd());
        }
    }
}

#[test]
fn an_edge_of_an_earlier_owner_is_nobodys() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        let (near, mut far) = pair();
        let _copy = near.try_clone().unwrap();
        kq.apply(&[on(&near, EVFILT_READ, EV_ADD | EV_CLEAR)]);
        // epoll keeps the registration, because the file stays open.
        let (other, mut peer) = pair();
        peer.write_all(b"old").unwrap();
        let reused = duplicate_to(&other, near.into_raw_fd());
        let add = on(&reused, EVFILT_READ, EV_ADD | EV_CLEAR);
        assert_eq!(kq.call(&[add], 8, None).unwrap()[0].data, 3);
        far.write_all(b"for nobody").unwrap();
        assert_eq!(kq.poll(), [], "{profile:?}: nothing new for the new owner");
        closing(reused.as_raw_fd());
    }
}

#[test]
fn a_closed_number_is_bad() {
    for profile in Profile::ALL {
        let kq = Kq::new(profile);
        // No test opens so many.
        for flags in [EV_ADD, EV_DELETE, EV_ENABLE] {
            let bad = change(1_000_000, EVFILT_READ, flags);
            assert_eq!(kq.call(&[bad], 0, None), Err(libc::EBADF), "{profile:?}");
        }
        let never = change(usize::MAX, EVFILT_READ, EV_ADD);
        assert_eq!(kq.call(&[never], 0, None), Err(libc::EBADF), "{profile:?}");
    }
}

#[test]
fn a_number_that_was_a_queue_is_a_new_one() {
    let user = change(1, EVFILT_USER, EV_ADD);
    // Another test may take the number before we have it again.
    for _ in 0..1000 {
        let first = Kq::new(Profile::FreeBsd);
        first.apply(&[user]);
        let number = first.0.as_raw_fd();
        // Not told: the number is only made free.
        // SAFETY: given up by its owner, who does not close it again.
        unsafe { libc::close(number) };
        std::mem::forget(first);
        let second = Kq::new(Profile::FreeBsd);
        if second.0.as_raw_fd() == number {
            let delete = kevent { flags: EV_DELETE, ..user };
            assert_eq!(second.call(&[delete], 0, None), Err(libc::ENOENT));
            return;
        }
    }
    panic!("the number did not come back");
}

#[test]
fn a_number_that_was_a_queue_is_something_else() {
    let kq = Kq::new(Profile::FreeBsd);
    kq.apply(&[change(1, EVFILT_USER, EV_ADD)]);
    let (near, _far) = pair();
    let number = kq.0.as_raw_fd();
    // SAFETY: both are ours.
    assert_eq!(unsafe { libc::dup2(near.as_raw_fd(), number) }, number);
    assert_eq!(kq.call(&[], 1, None), Err(libc::EBADF), "a socket");
    closing(number);
    assert_eq!(kq.call(&[], 0, None), Err(libc::EBADF));
}
