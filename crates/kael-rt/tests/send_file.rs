//! Sending files: each way of moving the bytes, and each way of not getting to the end.

#![cfg(not(kael_backend = "sim"))] // Its subject is what the system does with files and pipes.

#[path = "support/errno.rs"]
mod errno;
mod rig;
#[cfg(all(target_os = "linux", not(any(kael_backend = "epoll", kael_backend = "kqueue"))))]
#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "support/seccomp.rs"]
mod seccomp;

use kael_rt::Error;
use kael_rt::fs::File;
use kael_rt::io::send_file;
use kael_rt::net::TcpStream;
use kael_rt::time::{Duration, timeout};
use rig::{TempFile, pair, within_limit};
use socket2::SockRef;
use std::io::ErrorKind;

const LARGE: usize = 3 * 1024 * 1024 + 17;

/// Bytes of which no two places nearby look alike.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as u8).collect()
}

/// Runs `test` with a file of `len` bytes, its bytes, and both ends of a connection.
fn with_file<F: AsyncFnOnce(File, Vec<u8>, TcpStream, TcpStream) + Send + 'static>(
    name: &'static str,
    len: usize,
    test: F,
) {
    within_limit(move || {
        let bytes = pattern(len);
        let path = TempFile::new(name, &bytes);
        kael_rt::block_on(async move {
            let file = File::options().read(true).write(true).open(&path.0).await.unwrap();
            let (ours, theirs) = narrow().await;
            test(file, bytes, ours, theirs).await;
            drop(path);
        });
    });
}

/// Whether this system sends files without a copy through our memory. Before Linux 6.5 nobody says whether they are in the
/// system's, so they are read.
#[cfg(all(target_os = "linux", not(kael_backend = "kqueue")))]
fn sends_files() -> bool {
    has_cachestat()
}

#[cfg(all(target_os = "linux", kael_backend = "kqueue"))]
fn sends_files() -> bool {
    std::env::var("KAEL_KEVENT_PROFILE").map_or(true, |profile| profile != "netbsd")
}

/// With registered I/O every byte goes through registered memory.
#[cfg(not(target_os = "linux"))]
fn sends_files() -> bool {
    !cfg!(any(target_os = "netbsd", target_os = "openbsd", all(windows, feature = "rio")))
}

/// Both ends of a connection that holds little on its way.
async fn narrow() -> (TcpStream, TcpStream) {
    let (ours, theirs) = pair().await;
    little(&ours);
    little(&theirs);
    (ours, theirs)
}

fn little(stream: &TcpStream) {
    #[cfg(not(windows))]
    let socket = stream.try_as_fd().unwrap();
    #[cfg(windows)]
    let socket = stream.try_as_socket().unwrap();
    let socket = SockRef::from(&socket);
    socket.set_send_buffer_size(64 << 10).unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
}

/// Reads up to the end.
async fn all(stream: TcpStream) -> Vec<u8> {
    let (mut all, mut buf) = (Vec::new(), Vec::with_capacity(200_000));
    loop {
        let (n, back) = stream.read(buf).await;
        match n.unwrap() {
            0 => return all,
            n => all.extend_from_slice(&back[..n]),
        }
        buf = back;
    }
}

/// Every size around the sizes at which something changes, with and without an end that is known.
#[test]
fn r37_ranges_of_all_sizes_arrive_as_they_are() {
    with_file("send-sizes", LARGE, async |file, bytes, ours, theirs| {
        let sizes =
            [0, 1, 4096, 16_384, 16_385, 65_535, 65_536, 65_537, 262_144, 262_145, LARGE - 5];
        let mut expected = Vec::new();
        for len in sizes {
            expected.extend_from_slice(b"<head>");
            expected.extend_from_slice(&bytes[5..5 + len]);
            expected.extend_from_slice(b"<tail>");
        }
        expected.extend_from_slice(&bytes[LARGE - 100..]);
        expected.extend_from_slice(&bytes[7..]);
        let reader = kael_rt::spawn(all(theirs));
        for len in sizes {
            let sent =
                send_file(&file, 5..5 + len as u64, &ours).header("<head>").trailer("<tail>").await;
            assert_eq!(sent.unwrap(), len as u64 + 12);
        }
        assert_eq!(send_file(&file, LARGE as u64 - 100.., &ours).await.unwrap(), 100);
        assert_eq!(send_file(&file, 7.., &ours).await.unwrap(), LARGE as u64 - 7);
        ours.close().await.unwrap();
        assert!(reader.await.unwrap() == expected, "what arrives is what was sent");
    });
}

/// What nobody asked for before comes from the device, and the core does not wait for it.
#[cfg(target_os = "linux")] // Nobody else drops pages when asked to.
#[test]
fn r37_what_is_not_in_memory_is_brought() {
    with_file("send-cold", LARGE, async |file, bytes, ours, theirs| {
        file.sync_all().await.unwrap();
        forget_pages(&file);
        let reader = kael_rt::spawn(all(theirs));
        assert_eq!(send_file(&file, 0..LARGE as u64, &ours).await.unwrap(), LARGE as u64);
        ours.close().await.unwrap();
        assert!(reader.await.unwrap() == bytes);
    });
}

/// The system accounts what comes from a device to the thread that asked for it. It is none of ours.
// The account is in Linux' /proc; where a kqueue is emulated nothing is spliced.
#[cfg(all(target_os = "linux", not(kael_backend = "kqueue")))]
#[test]
fn c01_a_core_asks_no_device_for_what_it_sends() {
    with_file("send-cold-account", LARGE, async |file, bytes, ours, theirs| {
        file.sync_all().await.unwrap();
        forget_pages(&file);
        // Else the kernel begins to read what comes next for whoever takes what is there, and waits for nothing.
        advise(&file, libc::POSIX_FADV_RANDOM);
        let (thread, process) = (from_devices("thread-self"), from_devices("self"));
        let (Some(thread), Some(process)) = (thread, process) else {
            return println!("not run: this system keeps no account of what comes from devices");
        };
        if !has_cachestat() {
            return println!(
                "not run: before Linux 6.5 files are read, and the ring reads for its core"
            );
        }
        let reader = kael_rt::spawn(all(theirs));
        assert_eq!(send_file(&file, 0..LARGE as u64, &ours).await.unwrap(), LARGE as u64);
        ours.close().await.unwrap();
        assert!(reader.await.unwrap() == bytes);
        let by_the_core = from_devices("thread-self").unwrap() - thread;
        let by_all = from_devices("self").unwrap() - process;
        if by_all < LARGE as u64 / 2 {
            return println!("not run: this file system has no pages that can be forgotten");
        }
        assert_eq!(by_the_core, 0, "bytes of {by_all}");
    });
}

/// fstat(2) waits for the program or the server that a file system belongs to; a filter ends the process that calls it.
// The epoll backend has the same call, and also runs where a processor is emulated by a program, which has no filters.
#[cfg(all(target_os = "linux", not(any(kael_backend = "epoll", kael_backend = "kqueue"))))]
#[test]
fn c01_no_file_system_is_asked_how_long_its_file_is() {
    rig::in_own_process("c01_no_file_system_is_asked_how_long_its_file_is", || {
        let path = TempFile::new("send-unasked", &pattern(LARGE));
        kael_rt::block_on(async {
            let file = File::open(&path.0).await.unwrap();
            let (ours, theirs) = narrow().await;
            let calls = [libc::SYS_fstat, libc::SYS_newfstatat].map(|call| call as u32);
            seccomp::filter(&calls, libc::SECCOMP_RET_KILL_PROCESS);
            let reader = kael_rt::spawn(all(theirs));
            assert_eq!(send_file(&file, 0..LARGE as u64, &ours).await.unwrap(), LARGE as u64);
            ours.close().await.unwrap();
            assert_eq!(reader.await.unwrap().len(), LARGE);
        });
    });
}

#[cfg(all(target_os = "linux", not(kael_backend = "kqueue")))]
fn has_cachestat() -> bool {
    // SAFETY: no descriptor, and nothing to read or write.
    unsafe { libc::syscall(451, -1, 0, 0, 0) };
    std::io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

/// Bytes that a thread, or a process, has had brought from devices; see proc_pid_io(5).
#[cfg(all(target_os = "linux", not(kael_backend = "kqueue")))]
fn from_devices(of: &str) -> Option<u64> {
    let account = std::fs::read_to_string(format!("/proc/{of}/io")).ok()?;
    account.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse().ok())
}

/// Drops a file's clean pages from memory, where the file system does that.
#[cfg(target_os = "linux")]
fn forget_pages(file: &File) {
    advise(file, libc::POSIX_FADV_DONTNEED);
}

#[cfg(target_os = "linux")]
fn advise(file: &File, advice: libc::c_int) {
    use std::os::fd::AsRawFd;
    let number = file.try_as_fd().unwrap().as_raw_fd();
    // SAFETY: advice changes no contents.
    unsafe { libc::posix_fadvise(number, 0, 0, advice) };
}

#[test]
fn r37_a_file_that_shrinks_is_an_error_with_the_count() {
    for (name, len, shrunk) in [("shrinks-a", LARGE, 100_000), ("shrinks-b", 12_000, 5_000)] {
        with_file(name, len, async move |file, bytes, ours, theirs| {
            file.set_len(shrunk as u64).await.unwrap();
            let reader = kael_rt::spawn(all(theirs));
            let error = send_file(&file, 0..len as u64, &ours).trailer("never").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            assert_eq!(Error::of(&error).unwrap().transferred(), Some(shrunk), "{error}");
            // The stream goes on, behind what was sent.
            ours.write_all("on").await.0.unwrap();
            ours.close().await.unwrap();
            let got = reader.await.unwrap();
            assert!(got[..shrunk] == bytes[..shrunk] && got[shrunk..] == *b"on");
        });
    }
}

/// While the peer stalls it sleeps; when it is dropped then, the rest is sent before what is written later.
#[test]
fn r37_a_dropped_send_is_finished_before_the_next_write() {
    with_file("send-dropped", LARGE, async |file, bytes, ours, theirs| {
        let send = send_file(&file, 0..LARGE as u64, &ours).header("H").trailer("T");
        assert!(timeout(Duration::from_millis(30), send).await.is_err(), "nobody reads");
        let reader = kael_rt::spawn(all(theirs));
        ours.write_all("next").await.0.unwrap();
        ours.close().await.unwrap();
        let got = reader.await.unwrap();
        let expected = [b"H", &bytes[..], b"Tnext"].concat();
        assert!(got == expected, "{} bytes of {}", got.len(), expected.len());
    });
}

#[test]
fn r37_a_time_limit_says_how_far_it_came() {
    // On Windows one send at a time has a call that can be stopped and continued.
    rig::in_own_process("r37_a_time_limit_says_how_far_it_came", || {
        with_file("send-limit", LARGE, async |file, bytes, ours, theirs| {
            let limit = Duration::from_millis(30);
            let error = send_file(&file, 0..LARGE as u64, &ours).timeout(limit).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let sent = Error::of(&error).unwrap().transferred().unwrap();
            assert!(sent > 0 && sent < LARGE);
            let reader = kael_rt::spawn(all(theirs));
            // From there on it goes on, and nothing is missing or twice.
            let rest = send_file(&file, sent as u64..LARGE as u64, &ours).await.unwrap();
            assert_eq!(rest as usize, LARGE - sent);
            ours.close().await.unwrap();
            assert!(reader.await.unwrap() == bytes);
        });
    });
}

/// A pipe that was left with something in it is nobody's any more: the next stream gets its own bytes.
#[test]
fn r37_what_is_left_in_a_pipe_reaches_no_other_stream() {
    with_file("send-left", LARGE, async |file, bytes, ours, theirs| {
        for _ in 0..4 {
            let limit = Duration::from_millis(10);
            let (stalled, _keeps) = narrow().await;
            send_file(&file, 0..LARGE as u64, &stalled).timeout(limit).await.unwrap_err();
        }
        let reader = kael_rt::spawn(all(theirs));
        send_file(&file, 1_000_000..1_100_000, &ours).await.unwrap();
        ours.close().await.unwrap();
        assert!(reader.await.unwrap() == bytes[1_000_000..1_100_000]);
    });
}

#[test]
fn r37_a_peer_that_resets_is_an_error() {
    with_file("send-reset", LARGE, async |file, _, ours, theirs| {
        theirs.set_linger(Some(std::time::Duration::ZERO)).unwrap();
        let reset = kael_rt::spawn(async move {
            // More than one piece was sent by then, and not all of them.
            theirs.read_exact(vec![0; 200_000]).await.0.unwrap();
            drop(theirs);
        });
        let error = send_file(&file, 0..LARGE as u64, &ours).await.unwrap_err();
        let ours_too = Error::of(&error).expect("it has a count");
        assert!(ours_too.transferred().unwrap() > 0);
        let code = ours_too.os_error().unwrap();
        assert!([errno::ECONNRESET, errno::EPIPE].contains(&code), "{error}");
        reset.await.unwrap();
    });
}

/// Bytes that went without a copy, of all that this core has sent.
fn uncopied(handle: &kael_rt::runtime::Handle) -> u64 {
    handle.metrics().cores[0].spliced_bytes
}

/// What is large goes by the system's own way, and what is small does not.
#[test]
fn c02_a_large_range_is_copied_through_no_buffer() {
    rig::in_own_process("c02_a_large_range_is_copied_through_no_buffer", || {
        let bytes = pattern(LARGE);
        let path = TempFile::new("send-uncopied", &bytes);
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async move {
            let file = File::open(&path.0).await.unwrap();
            let (ours, theirs) = narrow().await;
            let reader = kael_rt::spawn(all(theirs));
            assert_eq!(send_file(&file, 5..2005, &ours).await.unwrap(), 2000);
            assert_eq!(uncopied(&handle), 0, "two calls are cheaper");
            let send = send_file(&file, 5..LARGE as u64, &ours).header("<").trailer(">");
            assert_eq!(send.await.unwrap(), LARGE as u64 - 3);
            println!("{} bytes of {} were not copied", uncopied(&handle), LARGE - 5);
            assert_eq!(uncopied(&handle), if sends_files() { LARGE as u64 - 5 } else { 0 });
            // Its end is found by a first block, which is sent as any other.
            assert_eq!(send_file(&file, 9.., &ours).await.unwrap(), LARGE as u64 - 9);
            let both = 2 * LARGE as u64 - 14 - 65_536;
            assert_eq!(uncopied(&handle), if sends_files() { both } else { 0 });
            ours.close().await.unwrap();
            let got = reader.await.unwrap();
            let expected = [&bytes[5..2005], b"<", &bytes[5..], b">", &bytes[9..]].concat();
            assert!(got == expected, "{} bytes of {}", got.len(), expected.len());
        });
    });
}

/// One of several that send at a time has the system's way, and the others do not wait for it.
// As above. Each other system has room for all of them.
#[cfg(all(windows, not(feature = "rio")))]
#[test]
fn c02_one_at_a_time_is_sent_by_the_system_and_no_other_waits_for_it() {
    rig::in_own_process(
        "c02_one_at_a_time_is_sent_by_the_system_and_no_other_waits_for_it",
        || {
            let bytes = pattern(LARGE);
            let path = TempFile::new("send-one-at-a-time", &bytes);
            let runtime = kael_rt::runtime::Builder::new().build().unwrap();
            let handle = runtime.handle();
            runtime.block_on(async move {
                let file = File::open(&path.0).await.unwrap();
                let (stalled, peer) = narrow().await;
                // Nobody reads, so the system has it for as long as it takes.
                let mut first = send_file(&file, 0..LARGE as u64, &stalled);
                assert!(timeout(Duration::from_millis(50), &mut first).await.is_err());
                let (ours, theirs) = narrow().await;
                let reader = kael_rt::spawn(all(theirs));
                assert_eq!(send_file(&file, .., &ours).await.unwrap(), LARGE as u64);
                assert_eq!(uncopied(&handle), 0, "the first has the call still");
                let stalled_reader = kael_rt::spawn(all(peer));
                assert_eq!(first.await.unwrap(), LARGE as u64);
                assert_eq!(uncopied(&handle), LARGE as u64);
                // It was given back.
                assert_eq!(
                    send_file(&file, 1..LARGE as u64, &ours).await.unwrap(),
                    LARGE as u64 - 1
                );
                assert_eq!(uncopied(&handle), 2 * LARGE as u64 - 1);
                ours.close().await.unwrap();
                stalled.close().await.unwrap();
                assert!(stalled_reader.await.unwrap() == bytes);
                assert!(reader.await.unwrap() == [&bytes[..], &bytes[1..]].concat());
            });
        },
    );
}

/// A call that was stopped and says that nothing went is not believed: what might have gone is not sent twice.
// As above. Each other system's count is right.
#[cfg(all(windows, not(feature = "rio")))]
#[test]
fn c02_a_stopped_send_of_which_nothing_is_known_ends_the_stream() {
    let name = "c02_a_stopped_send_of_which_nothing_is_known_ends_the_stream";
    rig::in_own_process(name, || {
        let bytes = pattern(LARGE);
        let path = TempFile::new("send-unknown", &bytes);
        kael_rt::block_on(async move {
            let file = File::open(&path.0).await.unwrap();
            let (ours, theirs) = narrow().await;
            let (limit, mut sent) = (Duration::from_millis(30), 0);
            // Until the stream has no room left.
            let last = loop {
                let error = send_file(&file, sent as u64..LARGE as u64, &ours)
                    .timeout(limit)
                    .await
                    .unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TimedOut);
                match Error::of(&error).and_then(Error::transferred) {
                    Some(n) if n > 0 => sent += n,
                    _ => break error,
                }
            };
            assert!(sent > 0, "{last}");
            let error = ours.write_all("more").await.0.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
            let got = all(theirs).await;
            assert!(got == bytes[..sent], "{} bytes of {sent}", got.len());
        });
    });
}

/// A core that waits for a stalled peer does nothing.
#[test]
fn r37_a_stalled_peer_costs_nothing() {
    within_limit(|| {
        let bytes = pattern(LARGE);
        let path = TempFile::new("send-stalled", &bytes);
        let runtime = kael_rt::runtime::Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async move {
            let file = File::open(&path.0).await.unwrap();
            let (ours, _theirs) = narrow().await;
            let mut send = send_file(&file, 0..LARGE as u64, &ours);
            let mut calls = u64::MAX;
            for _ in 0..50 {
                let before = handle.metrics().cores[0].syscalls;
                assert!(timeout(Duration::from_millis(200), &mut send).await.is_err());
                calls = handle.metrics().cores[0].syscalls - before;
                if calls < 10 {
                    return;
                }
            }
            panic!("assertion: {calls} calls in 0.2 s, after 10 s");
        });
    });
}

/// Files and streams of two runtimes do not mix.
#[test]
fn r37_a_file_of_another_runtime_is_refused() {
    within_limit(|| {
        let path = TempFile::new("send-foreign", b"foreign");
        let file = kael_rt::block_on(async { File::open(&path.0).await.unwrap() });
        kael_rt::block_on(async move {
            let (ours, _theirs) = pair().await;
            let error = send_file(&file, .., &ours).await.unwrap_err();
            assert!(Error::of(&error).unwrap().is_wrong_runtime());
        });
    });
}
