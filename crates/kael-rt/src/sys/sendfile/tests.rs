//! Both forms over the emulation.

use super::*;
use crate::sys::{kevent::set_seed, sendfile_apple, sendfile_freebsd};
use std::{
    fs::File,
    io::{ErrorKind, Read},
    os::{fd::AsRawFd, unix::net::UnixStream},
};

const LEN: usize = 3 * 1024 * 1024 + 17;
type Form = fn(Part) -> i32;

const FORMS: [(&str, Form); 2] =
    [("FreeBSD's", sendfile_freebsd::send), ("Apple's", sendfile_apple::send)];

/// A file that nobody finds, and its bytes.
fn file(name: &str) -> (File, Vec<u8>) {
    let bytes: Vec<u8> =
        (0..LEN as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as u8).collect();
    let path = std::env::temp_dir().join(format!("kael-sendfile-{name}-{}", std::process::id()));
    std::fs::write(&path, &bytes).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    (file, bytes)
}

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.set_nonblocking(true).unwrap();
    (ours, theirs)
}

/// All that has come by now.
fn drain(mut stream: &UnixStream, into: &mut Vec<u8>) {
    let mut room = vec![0; 65_536];
    loop {
        match stream.read(&mut room) {
            Ok(n) => into.extend_from_slice(&room[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn c03_a_count_beside_an_error_is_the_answer() {
    set_seed(None);
    let (file, bytes) = file("count");
    for (whose, form) in FORMS {
        let (ours, theirs) = pair();
        let (file, socket) = (file.as_raw_fd(), ours.as_raw_fd());
        let first = send(file, socket, 5, u64::MAX, true, form);
        assert!(
            first > 0 && (first as u64) < PIECE,
            "{whose}: {first}, of a stream with less room"
        );
        assert_eq!(send(file, socket, 5, u64::MAX, true, form), -libc::EAGAIN, "{whose}");
        let mut got = Vec::new();
        drain(&theirs, &mut got);
        assert!(got == bytes[5..5 + first as usize], "{whose}: {} of {first}", got.len());
    }
}

#[test]
fn c03_no_bytes_are_none_and_not_all_of_the_file() {
    set_seed(None);
    let (file, bytes) = file("nothing");
    for (whose, form) in FORMS {
        let (ours, theirs) = pair();
        let (file, socket) = (file.as_raw_fd(), ours.as_raw_fd());
        assert_eq!(send(file, socket, 0, 0, true, form), 0, "{whose}");
        assert_eq!(send(file, socket, LEN as i64, 9, true, form), 0, "{whose}: its end");
        assert_eq!(send(file, socket, LEN as i64 + 5, 9, true, form), 0, "{whose}: beyond it");
        assert_eq!(send(file, socket, LEN as i64 - 5, 9, true, form), 5, "{whose}");
        let mut got = Vec::new();
        drain(&theirs, &mut got);
        assert_eq!(got, bytes[LEN - 5..], "{whose}");
    }
}

#[test]
fn c03_an_interruption_is_no_answer() {
    let mut answers = vec![7, -libc::EINTR, -libc::EINTR];
    assert_eq!(send(0, 0, 0, 10, false, |_| answers.pop().unwrap()), 7);
    assert!(answers.is_empty());
}

/// The call of a core never waits for a device; who may wait is never told to.
#[test]
fn c03_what_is_not_in_memory_is_for_a_thread() {
    let (file, _) = file("cold");
    let busy = |may_wait, form: Form| {
        (1..100u64)
            .filter(|seed| {
                set_seed(Some(*seed));
                let (ours, _theirs) = pair();
                let code = send(file.as_raw_fd(), ours.as_raw_fd(), 0, 9000, may_wait, form);
                code == -libc::EBUSY
            })
            .count()
    };
    assert!((1..99).contains(&busy(false, sendfile_freebsd::send)));
    assert_eq!(busy(true, sendfile_freebsd::send), 0);
    assert_eq!(busy(false, sendfile_apple::send), 99, "no call is made, for it might wait");
    assert_eq!(busy(true, sendfile_apple::send), 0);
}

#[test]
fn c03_a_call_that_was_refused_has_sent_nothing() {
    set_seed(None);
    let (file, _) = file("refused");
    let (ours, _theirs) = pair();
    for (whose, form) in FORMS {
        let code = send(file.as_raw_fd(), -1, 0, 100, true, form);
        assert_eq!(code, -libc::EBADF, "{whose}");
        // A stream is no file.
        let code = send(ours.as_raw_fd(), ours.as_raw_fd(), 0, 100, true, form);
        assert!([libc::EINVAL, libc::EOPNOTSUPP].contains(&-code), "{whose}: {code}");
        assert_eq!(send(file.as_raw_fd(), ours.as_raw_fd(), -1, 100, true, form), -libc::EINVAL);
    }
}

/// Whatever a kernel may do: each byte arrives once.
#[test]
fn c03_each_byte_is_sent_once() {
    let (file, bytes) = file("once");
    for (whose, form) in FORMS {
        for seed in 0..12 {
            set_seed(Some(seed));
            let (ours, theirs) = pair();
            let (mut at, mut got, mut may_wait) = (0, Vec::new(), false);
            while at < LEN {
                let left = (LEN - at) as u64;
                match send(file.as_raw_fd(), ours.as_raw_fd(), at as i64, left, may_wait, form) {
                    n @ 1.. => (at, may_wait) = (at + n as usize, false),
                    code if code == -libc::EAGAIN => drain(&theirs, &mut got),
                    code if code == -libc::EBUSY && !may_wait => may_wait = true,
                    code => panic!("{whose}, seed {seed}: {code} at {at}"),
                }
            }
            drain(&theirs, &mut got);
            assert!(got == bytes, "{whose}, seed {seed}: {} bytes of {LEN}", got.len());
        }
    }
}
