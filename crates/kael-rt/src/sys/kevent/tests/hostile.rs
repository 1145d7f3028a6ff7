//! A hostile kernel: what it does is within the contract, is the same for the same seed, and loses
//! nothing.

use super::*;
use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    net::TcpListener,
    os::unix::net::UnixStream,
    thread,
};

const SEEDS: u64 = 200;
const STREAMS: usize = 6;

/// What one seed's calls did to a caller.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    interrupted: usize,
    /// Nothing was there: a spurious event.
    idle: usize,
    /// Of a one-shot that had fired.
    stale: usize,
    /// As many as there were, or fewer.
    shorter: usize,
    unordered: usize,
}

/// A driver in small: streams on which bytes come and go, by the rules of the contract. It must get
/// every byte, whatever the seed, and it never waits with a limit: what is lost hangs.
fn run(profile: Profile, seed: u64) -> Seen {
    let kq = Kq::with_seed(profile, Some(seed));
    let mut seen = Seen::default();
    let mut pairs: Vec<_> = (0..STREAMS).map(|_| UnixStream::pair().unwrap()).collect();
    let mut changes = Vec::new();
    for (place, (near, _)) in pairs.iter().enumerate() {
        near.set_nonblocking(true).unwrap();
        changes.push(with_udata(on(near, EVFILT_READ, EV_ADD | EV_CLEAR), place));
    }
    let mut generation = 0;
    for round in 0..40 {
        let mut expected = [0; STREAMS];
        for (place, (_, far)) in pairs.iter_mut().enumerate() {
            if (round + place) % 3 != 0 {
                far.write_all(b"bytes").unwrap();
                expected[place] = 5;
            }
        }
        // One write that is waited for, each round another generation.
        generation += 1;
        let mut is_writable = false;
        let write = on(&pairs[round % STREAMS].0, EVFILT_WRITE, EV_ADD | EV_ONESHOT);
        changes.push(with_udata(write, 1000 + generation));
        while expected.iter().any(|&count| count > 0) || !is_writable {
            let ready = expected.iter().filter(|&&count| count > 0).count();
            // Not handed over again after EINTR: they have been applied.
            let events = match kq.call(&std::mem::take(&mut changes), 32, None) {
                Err(libc::EINTR) => {
                    seen.interrupted += 1;
                    continue;
                }
                other => other.unwrap(),
            };
            assert!(!events.is_empty(), "{profile:?} {seed}: woken for nothing");
            seen.shorter += usize::from(events.len() < ready);
            let reads: Vec<_> = events.iter().filter(|e| e.filter == EVFILT_READ).collect();
            seen.unordered += usize::from(!reads.is_sorted_by_key(|event| event.udata.addr()));
            for event in events {
                assert_eq!(event.flags & (EV_ERROR | EV_EOF), 0);
                let udata = event.udata.addr();
                if event.filter == EVFILT_WRITE {
                    let is_current = udata == 1000 + generation;
                    seen.stale += usize::from(!is_current || is_writable);
                    is_writable |= is_current;
                    continue;
                }
                assert_eq!(event.ident, pairs[udata].0.as_raw_fd() as usize);
                match pairs[udata].0.read(&mut [0; 64]) {
                    Ok(count) => expected[udata] -= count,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        seen.idle += 1;
                    }
                }
            }
        }
    }
    // At the end there is nothing, except what is not true.
    let last = kq.poll();
    assert!(last.len() <= 2, "{last:?}");
    seen
}

#[test]
fn nothing_is_lost_with_any_seed() {
    for profile in Profile::ALL {
        let mut all = Seen::default();
        for seed in 0..SEEDS {
            let seen = run(profile, seed);
            all.interrupted += seen.interrupted;
            all.idle += seen.idle;
            all.stale += seen.stale;
            all.shorter += seen.shorter;
            all.unordered += seen.unordered;
        }
        // All of it happens, and not once in a year.
        let least = [all.idle, all.shorter, all.unordered].into_iter().min().unwrap();
        assert!(least > SEEDS as usize, "{profile:?}: {all:?}");
        // In such a round something is always ready, so waits are rare.
        let has_stale = profile != Profile::Darwin;
        assert_eq!(all.stale > 0, has_stale, "{profile:?}: {all:?}");
    }
}

#[test]
fn a_seed_repeats_itself() {
    for profile in Profile::ALL {
        for seed in [0, 1, 17] {
            assert_eq!(run(profile, seed), run(profile, seed), "{profile:?} {seed}");
        }
    }
    assert_ne!(run(Profile::FreeBsd, 1), run(Profile::FreeBsd, 2));
}

#[test]
fn without_a_seed_nothing_happens() {
    let mut chance = chance::Chance::new(None, 0);
    for _ in 0..1000 {
        assert_eq!(chance.plan(), chance::Plan::default());
    }
}

#[test]
fn a_wait_is_interrupted_and_its_changes_are_applied() {
    for profile in Profile::ALL {
        let mut interrupted = 0;
        for seed in 1..100 {
            let kq = Kq::with_seed(profile, Some(seed));
            let (near, mut far) = UnixStream::pair().unwrap();
            let add = on(&near, EVFILT_READ, EV_ADD | EV_CLEAR);
            let limit = Some(Duration::from_micros(100));
            if kq.call(&[add], 8, limit) == Err(libc::EINTR) {
                interrupted += 1;
                far.write_all(b"x").unwrap();
                // Or one more of these.
                let events = loop {
                    match kq.call(&[], 8, None) {
                        Err(libc::EINTR) => {}
                        other => break other.unwrap(),
                    }
                };
                assert_eq!(idents(&events), [near.as_raw_fd() as usize], "{profile:?} {seed}");
            }
            // A call that does not wait is not interrupted.
            for _ in 0..20 {
                kq.poll();
            }
        }
        assert!(interrupted > 3, "{profile:?}: {interrupted}");
    }
}

#[test]
fn a_level_is_told_in_the_end() {
    for profile in Profile::ALL {
        for seed in 0..50 {
            let kq = Kq::with_seed(profile, Some(seed));
            let pairs: Vec<_> = (0..8).map(|_| UnixStream::pair().unwrap()).collect();
            let add: Vec<_> =
                pairs.iter().map(|(near, _)| on(near, EVFILT_WRITE, EV_ADD)).collect();
            kq.apply(&add);
            let mut seen = Vec::new();
            while seen.len() < 8 {
                seen.extend(idents(&kq.wait()));
                seen.sort_unstable();
                seen.dedup();
            }
        }
    }
}

#[test]
fn wakes_arrive_with_any_seed() {
    for profile in [Profile::FreeBsd, Profile::Darwin] {
        for seed in 0..20 {
            let kq = Kq::with_seed(profile, Some(seed));
            let (near, _far) = UnixStream::pair().unwrap();
            kq.apply(&[
                change(1, EVFILT_USER, EV_ADD | EV_CLEAR),
                on(&near, EVFILT_READ, EV_ADD | EV_CLEAR),
            ]);
            let (told, heard) = std::sync::mpsc::channel();
            thread::scope(|scope| {
                let kq = &kq;
                scope.spawn(move || {
                    while heard.recv().is_ok() {
                        let trigger = change(1, EVFILT_USER, 0);
                        kq.apply(&[kevent { fflags: NOTE_TRIGGER, ..trigger }]);
                    }
                });
                for _ in 0..100 {
                    told.send(()).unwrap();
                    loop {
                        match kq.call(&[], 8, None) {
                            Err(libc::EINTR) => {}
                            other => {
                                if other.unwrap().iter().any(|e| e.filter == EVFILT_USER) {
                                    break;
                                }
                            }
                        }
                    }
                }
                drop(told);
            });
        }
    }
}

#[test]
fn a_closed_number_has_no_events_of_chance() {
    for profile in Profile::ALL {
        for seed in 1..100 {
            let kq = Kq::with_seed(profile, Some(seed));
            let (near, _far) = UnixStream::pair().unwrap();
            let (other, _peer) = UnixStream::pair().unwrap();
            let add = [
                on(&near, EVFILT_WRITE, EV_ADD | EV_ONESHOT),
                on(&near, EVFILT_READ, EV_ADD | EV_CLEAR),
                on(&other, EVFILT_READ, EV_ADD | EV_CLEAR),
            ];
            kq.apply(&add);
            kq.poll();
            closing(near.as_raw_fd());
            for _ in 0..20 {
                assert!(!idents(&kq.poll()).contains(&(near.as_raw_fd() as usize)));
            }
        }
    }
}

#[test]
fn a_connection_that_is_not_made_is_never_writable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // SAFETY: listens again, with less room.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
    let port = listener.local_addr().unwrap().port();
    // The first ones fill the queue of the listener.
    let streams: Vec<_> = (0..4).map(|_| files::connecting(port)).collect();
    for profile in Profile::ALL {
        for seed in 1..100 {
            let kq = Kq::with_seed(profile, Some(seed));
            let last = &streams[3];
            assert!(last.peer_addr().is_err());
            kq.apply(&[on(last, EVFILT_WRITE, EV_ADD | EV_ONESHOT)]);
            for _ in 0..20 {
                assert_eq!(kq.poll(), [], "{profile:?} {seed}");
            }
        }
    }
}

/// One thread sends as fast as it can, the other follows the rules: EV_CLEAR for what comes, one-shots for
/// what goes, and always on until EAGAIN. An edge that is lost would hang.
#[test]
fn no_edge_is_lost_between_threads() {
    const BYTES: usize = 1 << 20;
    for profile in Profile::ALL {
        for seed in [None, Some(0), Some(1), Some(2), Some(3)] {
            let kq = Kq::with_seed(profile, seed);
            let (near, mut far) = UnixStream::pair().unwrap();
            let mut near = File::from(OwnedFd::from(near));
            // SAFETY: a flag of a descriptor of ours.
            let flags = unsafe { libc::fcntl(near.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
            assert_eq!(flags, 0);
            thread::scope(|scope| {
                scope.spawn(move || {
                    // An echo in pieces of another size.
                    let mut buffer = [0; 777];
                    loop {
                        match far.read(&mut buffer).unwrap() {
                            0 => break,
                            count => far.write_all(&buffer[..count]).unwrap(),
                        }
                    }
                });
                let mut changes = vec![on(&near, EVFILT_READ, EV_ADD | EV_CLEAR)];
                let (mut sent, mut received) = (0, 0);
                let mut is_armed = false;
                while received < BYTES {
                    while sent < BYTES && !is_armed {
                        match near.write(&[7; 5000][..5000.min(BYTES - sent)]) {
                            Ok(count) => sent += count,
                            Err(_) => {
                                changes.push(on(&near, EVFILT_WRITE, EV_ADD | EV_ONESHOT));
                                is_armed = true;
                            }
                        }
                    }
                    let events = match kq.call(&std::mem::take(&mut changes), 8, None) {
                        Err(libc::EINTR) => continue,
                        other => other.unwrap(),
                    };
                    is_armed &= events.iter().all(|event| event.filter != EVFILT_WRITE);
                    while let Ok(count) = near.read(&mut [0; 4096]) {
                        received += count;
                    }
                }
                assert_eq!(received, BYTES);
                drop(near);
            });
        }
    }
}
