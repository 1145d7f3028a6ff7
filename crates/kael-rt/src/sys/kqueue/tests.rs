//! The driver over the emulation, on each profile, without chance unless it says so.

use super::*;
use crate::{
    net::{TcpListener, TcpStream},
    rt::block_on,
    sys::kevent::{Profile, closing, counters, set_profile, set_seed},
    time::{Duration, timeout},
};
use std::{
    io::{Read, Write},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
};

fn poller(profile: Profile) -> Poller {
    set_profile(profile);
    set_seed(None);
    Poller::new().unwrap()
}

impl Poller {
    /// What there is now.
    fn hints(&mut self) -> Vec<Hint> {
        let mut hints = Vec::new();
        self.wait(Some(0), &mut hints).unwrap();
        hints
    }
}

fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    (a, b)
}

/// As the runtime closes: the emulation has to be told.
fn close(fd: impl Into<OwnedFd>) -> i32 {
    let fd = fd.into();
    closing(fd.as_raw_fd());
    fd.as_raw_fd()
}

async fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let a = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (a, listener.accept().await.unwrap().0)
}

/// In a runtime of its own, over a queue of this profile.
fn on_each_profile(test: impl AsyncFn()) {
    for profile in Profile::ALL {
        set_profile(profile);
        set_seed(None);
        block_on(test());
    }
}

/// Long enough for whatever happens, and short enough for what does not.
const LONG: Duration = Duration::from_secs(10);

#[test]
fn k01_each_wake_ends_a_wait() {
    for profile in Profile::ALL {
        let mut poller = poller(profile);
        let unpark = poller.unpark();
        for _ in 0..3 {
            std::thread::scope(|scope| {
                scope.spawn(|| unpark.unpark());
            });
            let before = counters().events;
            assert!(poller.hints().is_empty(), "{profile:?}: a wake is no hint");
            assert_eq!(counters().events - before, 1, "{profile:?}: the wake is lost");
            assert!(poller.hints().is_empty());
            assert_eq!(counters().events - before, 1, "{profile:?}: a wake is told twice");
        }
    }
}

#[test]
fn a_thousand_wakes_do_not_fill_the_pipe() {
    let mut poller = poller(Profile::NetBsd);
    let unpark = poller.unpark();
    for _ in 0..70 {
        for _ in 0..1000 {
            unpark.unpark();
        }
        let before = counters().events;
        poller.hints();
        assert_eq!(counters().events - before, 1, "a wake is lost");
    }
}

#[test]
fn who_wakes_may_outlive_the_core() {
    for profile in Profile::ALL {
        let unpark = poller(profile).unpark();
        unpark.unpark();
        let number = unpark.clone();
        drop(unpark);
        number.unpark();
    }
}

#[test]
fn k02_a_write_that_waits_again_is_told_again() {
    on_each_profile(async || {
        let (a, b) = connection().await;
        let size = 8 << 20;
        let reader = crate::rt::spawn(async move {
            let (mut got, mut buf) = (0, vec![0u8; 100_000]);
            while got < size {
                let (n, back) = b.read(buf).await;
                (got, buf) = (got + n.unwrap(), back);
            }
            b
        });
        let written = timeout(LONG, a.write_all(vec![1u8; size])).await;
        assert!(written.is_ok(), "the writer was not told that there is room");
        reader.await.unwrap();
    });
}

#[test]
fn k03_what_comes_before_the_end_is_read() {
    on_each_profile(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let reader = crate::rt::spawn(async move {
            let mut got = Vec::new();
            loop {
                match timeout(LONG, stream.read(vec![0u8; 3])).await {
                    Ok((Ok(0), _)) => return got,
                    Ok((n, buf)) => got.extend_from_slice(&buf[..n.unwrap()]),
                    Err(_) => panic!("the end does not come after {got:?}"),
                }
            }
        });
        crate::rt::yield_now().await;
        peer.write_all(b"last words").unwrap();
        drop(peer);
        assert_eq!(reader.await.unwrap(), b"last words");
    });
}

#[test]
fn the_end_is_told_with_what_is_before_it() {
    for profile in Profile::ALL {
        let mut poller = poller(profile);
        let (a, mut b) = pair();
        poller.arm(a.as_raw_fd(), 3, Side::Read, false).unwrap();
        assert!(poller.hints().is_empty());
        b.write_all(b"last words").unwrap();
        drop(b);
        let hints = poller.hints();
        assert_eq!(hints.len(), 1, "{profile:?}");
        assert_eq!(hints[0].generation, 3);
        assert_eq!((hints[0].ready, hints[0].ended), ([true, false], [true, false]), "{profile:?}");
        close(a);
    }
}

#[test]
fn k04_a_refused_change_is_told_as_such() {
    for profile in Profile::ALL {
        let mut poller = poller(profile);
        let (a, mut b) = pair();
        poller.arm(a.as_raw_fd(), 1, Side::Read, false).unwrap();
        // Nobody's number.
        poller.arm(1 << 20, 2, Side::Write, false).unwrap();
        b.write_all(b"x").unwrap();
        let hints = poller.hints();
        assert_eq!(hints.len(), 2, "{profile:?}: the error, and in another call the event");
        assert_eq!((hints[0].number, hints[0].generation), (1 << 20, 2));
        assert_eq!(hints[0].refused, libc::EBADF, "{profile:?}: an error was taken for an event");
        assert_eq!(hints[0].ready, [false, true], "its call is to be tried");
        assert_eq!((hints[1].number, hints[1].refused), (a.as_raw_fd(), 0));
        close(a);
    }
}

#[test]
fn a_request_that_cannot_wait_has_the_changes_error() {
    on_each_profile(async || {
        let (a, b) = connection().await;
        let mut read = std::pin::pin!(a.read(vec![0u8; 4]));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(read.as_mut().poll(cx)));
        assert!(polled.await.is_pending());
        // The number is made somebody else's, behind the runtime's back: a file cannot be waited for, but it can be asked.
        let number = a.try_as_fd().unwrap().as_raw_fd();
        let file = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: it replaces what this number names; the runtime closes it in the end.
        assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), number) }, number);
        let (n, _) = timeout(LONG, read).await.expect("an answer");
        assert_eq!(n.unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
        drop(b);
    });
}

#[test]
fn k06_what_was_not_sent_ends_with_its_descriptor() {
    for profile in Profile::ALL {
        let mut poller = poller(profile);
        let (a, b) = pair();
        poller.arm(a.as_raw_fd(), 1, Side::Read, false).unwrap();
        poller.arm(a.as_raw_fd(), 1, Side::Write, false).unwrap();
        poller.forget(a.as_raw_fd(), false);
        let number = close(a);
        let (c, mut d) = pair();
        d.write_all(b"x").unwrap();
        let again = match c.as_raw_fd() == number {
            true => OwnedFd::from(c),
            // SAFETY: the number was ours and is free, or another test has it and this is the next free one.
            false => unsafe {
                OwnedFd::from_raw_fd(libc::fcntl(c.as_raw_fd(), libc::F_DUPFD_CLOEXEC, number))
            },
        };
        let before = counters().changes;
        assert!(poller.hints().is_empty(), "{profile:?}: a change reached the number's next owner");
        assert_eq!(counters().changes, before, "{profile:?}: it was sent");
        close(again);
        drop((b, d));
    }
}

#[test]
fn k07_an_interrupted_call_has_taken_its_changes() {
    let (a, _b) = pair();
    let mut interrupted = 0;
    for profile in Profile::ALL {
        for seed in 1..64 {
            set_profile(profile);
            set_seed(Some(seed));
            let mut poller = Poller::new().unwrap();
            let before = counters();
            poller.arm(a.as_raw_fd(), 1, Side::Read, false).unwrap();
            // Two calls, one change, and nothing to be told.
            for _ in 0..2 {
                let began = std::time::Instant::now();
                poller.wait(Some(1_000_000), &mut Vec::new()).unwrap();
                interrupted += u32::from(began.elapsed() < Duration::from_micros(900));
            }
            let sent = counters().changes - before.changes;
            assert_eq!(sent, 1, "{profile:?}, seed {seed}: the change was sent again");
        }
    }
    assert!(interrupted > 0, "no call was interrupted");
}

#[test]
fn more_changes_than_events_have_room() {
    for profile in Profile::ALL {
        let mut poller = poller(profile);
        let (a, mut b) = pair();
        let copies: Vec<OwnedFd> =
            (0..EVENTS + 44).map(|_| OwnedFd::from(a.try_clone().unwrap())).collect();
        b.write_all(b"x").unwrap();
        for fd in &copies {
            poller.arm(fd.as_raw_fd(), 1, Side::Read, false).unwrap();
        }
        let mut numbers: Vec<i32> = Vec::new();
        for _ in 0..4 {
            numbers.extend(poller.hints().iter().map(|hint| hint.number));
        }
        numbers.sort_unstable();
        let mut all: Vec<i32> = copies.iter().map(AsRawFd::as_raw_fd).collect();
        all.sort_unstable();
        assert_eq!(numbers, all, "{profile:?}");
        for fd in copies {
            close(fd);
        }
    }
}

#[test]
fn what_is_let_go_is_not_told_of() {
    for profile in Profile::ALL {
        let mut poller = poller(profile);
        let (mut a, mut b) = pair();
        poller.arm(a.as_raw_fd(), 1, Side::Read, false).unwrap();
        assert!(poller.hints().is_empty());
        poller.forget(a.as_raw_fd(), true);
        let before = counters().events;
        b.write_all(b"x").unwrap();
        assert!(poller.hints().is_empty());
        assert_eq!(counters().events, before, "{profile:?}: the queue still looks at it");
        assert_eq!(a.read(&mut [0; 8]).unwrap(), 1);
    }
}

#[test]
fn sixty_four_connections_share_their_calls() {
    const CONNECTIONS: usize = 64;
    const ROUNDS: usize = 50;
    on_each_profile(async || {
        let mut tasks = Vec::new();
        for _ in 0..CONNECTIONS {
            let (a, b) = connection().await;
            let echo = async |stream: TcpStream, first: bool| {
                let mut buf = vec![7u8; 32];
                for _ in 0..ROUNDS {
                    for sends in [first, !first] {
                        buf = if sends {
                            let (sent, buf) = stream.write_all(buf).await;
                            sent.unwrap();
                            buf
                        } else {
                            let (got, buf) = stream.read_exact(buf).await;
                            got.unwrap();
                            buf
                        };
                    }
                }
            };
            tasks.push(crate::rt::spawn(async move { echo(a, true).await }));
            tasks.push(crate::rt::spawn(async move { echo(b, false).await }));
        }
        let before = counters().calls;
        for task in tasks {
            task.await.unwrap();
        }
        let (calls, messages) = (counters().calls - before, (2 * CONNECTIONS * ROUNDS) as u64);
        assert!(calls * 16 <= messages, "{calls} calls for {messages} messages");
    });
}
