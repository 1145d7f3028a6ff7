//! Bad input: the kernel's error or one clear sentence with the remedy, and nothing lost or left open.

#![cfg(not(kael_backend = "sim"))] // Its subjects are this system's own limits.

#[path = "support/errno.rs"]
mod errno;
mod rig;

use kael_rt::Error;
use kael_rt::buf::IoBuf;
use kael_rt::fs::{self, File};
use kael_rt::net::{TcpListener, TcpStream, UdpSocket};
use kael_rt::runtime::Builder;
use kael_rt::time::Duration;
use rig::{TempFile, expect_nothing_open, null, pair, within_limit, zeros};
use std::io::{self, ErrorKind};

fn code<T>(result: io::Result<T>) -> Option<i32> {
    result.err().expect("an error").raw_os_error()
}

#[test]
fn a_port_in_use() {
    expect_nothing_open("a_port_in_use", || {
        kael_rt::block_on(async {
            let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = first.local_addr().unwrap();
            assert_eq!(code(TcpListener::bind(addr).await), Some(errno::EADDRINUSE));
            let first = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let addr = first.local_addr().unwrap();
            assert_eq!(code(UdpSocket::bind(addr).await), Some(errno::EADDRINUSE));
        });
    });
}

#[test]
fn nobody_listens() {
    expect_nothing_open("nobody_listens", || {
        kael_rt::block_on(async {
            let addr = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            kael_rt::time::sleep(Duration::from_millis(1)).await;
            assert_eq!(code(TcpStream::connect(addr).await), Some(errno::ECONNREFUSED));
        });
    });
}

#[test]
fn names_that_are_none() {
    within_limit(|| {
        kael_rt::block_on(async {
            for name in ["", "127.0.0.1", "127.0.0.1:70000", "no.such.name.invalid:80"] {
                assert!(TcpStream::connect(name).await.is_err(), "{name}");
            }
        });
    });
}

// Windows tells other things apart: see bad_files.rs.
#[cfg(unix)]
#[test]
fn files_that_are_none() {
    expect_nothing_open("files_that_are_none", || {
        kael_rt::block_on(async {
            assert_eq!(code(File::open("/no/such/file").await), Some(libc::ENOENT));
            assert_eq!(code(fs::metadata("/no/such/file").await), Some(libc::ENOENT));
            assert_eq!(code(File::create("/").await), Some(libc::EISDIR));
            let under_a_file = File::open("/dev/null/x").await;
            assert_eq!(code(under_a_file), Some(libc::ENOTDIR));

            let folder = File::open("/").await.expect("a directory opens");
            let (result, buf) = folder.read_at(vec![5; 8], 0).await;
            assert_eq!(code(result), Some(libc::EISDIR));
            assert_eq!(buf, [5; 8], "the buffer comes back as it was");
            let (result, _) = folder.read_exact_at(vec![5; 8], 0).await;
            assert_eq!(code(result), Some(libc::EISDIR));
            let (result, _) = folder.write_at("x", 0).await;
            assert_eq!(code(result), Some(libc::EBADF), "it is not open for writing");
        });
    });
}

#[test]
fn a_path_with_a_nul() {
    expect_nothing_open("a_path_with_a_nul", || {
        kael_rt::block_on(async {
            let path = "/tmp/a\0b";
            let errors = [
                File::open(path).await.unwrap_err(),
                File::create(path).await.unwrap_err(),
                fs::metadata(path).await.unwrap_err(),
                fs::remove_file(path).await.unwrap_err(),
                fs::rename(path, "/tmp/c").await.unwrap_err(),
                fs::rename("/tmp/c", path).await.unwrap_err(),
                fs::create_dir(path).await.unwrap_err(),
                fs::read(path).await.unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
                assert!(error.to_string().contains("nul"), "{error}");
            }
        });
    });
}

#[test]
fn reads_past_the_end_and_of_nothing() {
    expect_nothing_open("reads_past_the_end_and_of_nothing", || {
        let temp = TempFile::new("bad-input-end", b"0123456789");
        kael_rt::block_on(async {
            let file = File::open(&temp.0).await.unwrap();
            for past in [10, 11, 1 << 40] {
                let (n, buf) = file.read_at(vec![1; 4], past).await;
                assert_eq!((n.unwrap(), buf.len()), (0, 0));
            }
            let (result, buf) = file.read_exact_at(vec![1; 4], 8).await;
            assert_eq!(result.unwrap_err().kind(), ErrorKind::UnexpectedEof);
            assert_eq!(buf[..2], *b"89", "what there was is in the buffer");
            assert_eq!(code(file.read_at(vec![1; 4], u64::MAX - 1).await.0), Some(errno::EINVAL));

            // Nothing is asked for, so nothing comes, wherever it is.
            for at in [0, 10, 1000] {
                assert_eq!(file.read_at(Vec::new(), at).await.0.unwrap(), 0);
                assert_eq!(file.read_exact_at(Vec::new(), at).await.0.unwrap(), 0);
                assert_eq!(file.read_at(vec![1; 4].slice(2..2), at).await.0.unwrap(), 0);
            }
            let (a, b) = pair().await;
            assert_eq!(a.read(Vec::new()).await.0.unwrap(), 0, "an empty read does not wait");
            assert_eq!(a.read_exact(Vec::new()).await.0.unwrap(), 0);
            assert_eq!(a.write("").await.0.unwrap(), 0);
            assert_eq!(a.write_all("").await.0.unwrap(), 0);
            assert_eq!(b.write_all("x").await.0.unwrap(), 1);
            assert_eq!(a.read(Vec::new()).await.0.unwrap(), 0, "and takes nothing");
            assert_eq!(a.read(vec![0; 4]).await.1, b"x");
        });
    });
}

#[test]
fn a_connection_reset_while_it_is_read() {
    expect_nothing_open("a_connection_reset_while_it_is_read", || {
        kael_rt::block_on(async {
            for whole in [false, true] {
                let (a, b) = pair().await;
                let reader = kael_rt::spawn(async move {
                    let (result, buf) = match whole {
                        false => a.read(vec![9; 16]).await,
                        true => a.read_exact(vec![9; 16]).await,
                    };
                    let again = a.read(vec![0; 16]).await.0;
                    (result, buf, again)
                });
                kael_rt::yield_now().await;
                if whole {
                    b.write_all("half").await.0.unwrap();
                    kael_rt::time::sleep(Duration::from_millis(1)).await;
                }
                b.set_linger(Some(Duration::ZERO)).unwrap();
                drop(b);
                let (result, buf, again) = reader.await.unwrap();
                let kind = result.unwrap_err().kind();
                // If bytes came before, the kernel answers with those and has used up the error: for a receive
                // that waits for all, a reset then looks like an end.
                assert!(
                    kind == ErrorKind::ConnectionReset
                        || (whole && kind == ErrorKind::UnexpectedEof),
                    "{kind:?}"
                );
                assert_eq!(buf.len(), 16);
                assert_eq!(buf.starts_with(b"half"), whole);
                // The kernel tells an error once; then the stream is at its end. (Windows may tell it again.)
                match again {
                    Err(error) if cfg!(windows) => {
                        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                    }
                    again => assert_eq!(again.unwrap(), 0),
                }
            }
        });
    });
}

#[test]
fn a_write_after_the_peer_is_gone() {
    expect_nothing_open("a_write_after_the_peer_is_gone", || {
        kael_rt::block_on(async {
            let (a, b) = pair().await;
            b.set_linger(Some(Duration::ZERO)).unwrap();
            drop(b);
            kael_rt::time::sleep(Duration::from_millis(1)).await;
            // And no SIGPIPE.
            let (first, buf) = a.write_all(vec![1; 100]).await;
            assert_eq!(first.unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(buf.len(), 100);
            // Unix tells an error once; Windows has no other for a pipe that is broken.
            let later =
                if cfg!(windows) { ErrorKind::ConnectionReset } else { ErrorKind::BrokenPipe };
            assert_eq!(a.write_all(buf).await.0.unwrap_err().kind(), later);
            let (result, _) = a.write_vectored([vec![1; 4], vec![2; 4]]).await;
            assert_eq!(result.unwrap_err().kind(), later);
        });
    });
}

#[test]
fn a_datagram_that_is_too_long() {
    within_limit(|| {
        kael_rt::block_on(async {
            let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let to = b.local_addr().unwrap();
            assert_eq!(code(a.send_to(vec![0; 70_000], to).await.0), Some(errno::EMSGSIZE));
            assert_eq!(a.send_to(vec![7; 100], to).await.0.unwrap(), 100);
            let (got, buf) = b.recv_from(Vec::with_capacity(10)).await;
            assert_eq!(got.unwrap(), (10, a.local_addr().unwrap()), "it is cut");
            assert_eq!(buf, [7; 10]);
            assert_eq!(a.send_to(Vec::new(), to).await.0.unwrap(), 0);
            assert_eq!(b.recv_from(vec![1; 4]).await.0.unwrap().0, 0, "an empty one is one");
        });
    });
}

#[test]
fn limits_of_the_builder() {
    expect_nothing_open("limits_of_the_builder", || {
        let wrong: [(Builder, &str); 9] = [
            (
                Builder::new().queue_depth(0),
                "queue_depth(0): it must be at least 2 and at most 32768",
            ),
            (Builder::new().queue_depth(1), "queue_depth(1)"),
            (Builder::new().queue_depth(32_769), "queue_depth(32769)"),
            (Builder::new().max_in_flight(15), "max_in_flight(15)"),
            (Builder::new().max_in_flight(u32::MAX), "max_in_flight(4294967295)"),
            (Builder::new().blocking_threads(0), "blocking_threads(0)"),
            (Builder::new().blocking_threads(4097), "blocking_threads(4097)"),
            (Builder::new().cores(0), "cores(0)"),
            (Builder::new().cores(1_025), "cores(1025)"),
        ];
        for (builder, text) in wrong {
            let error = builder.build().unwrap_err().to_string();
            assert!(error.starts_with(&format!("Builder::{text}")), "{error}");
        }
        for (depth, slots) in [(2, 16), (3, 17), (32_768, 16)] {
            let builder =
                Builder::new().queue_depth(depth).max_in_flight(slots).blocking_threads(1);
            let runtime = builder.build().unwrap();
            runtime.block_on(async { File::open(null()).await.map(drop) }).unwrap();
        }
    });
}

/// More operations than slots, and more than the submission queue has entries: the others wait their turn.
#[test]
fn more_operations_than_there_is_room_for() {
    expect_nothing_open("more_operations_than_there_is_room_for", || {
        let runtime = Builder::new().queue_depth(2).max_in_flight(16).build().unwrap();
        runtime.block_on(async {
            let mut readers = Vec::new();
            let mut writers = Vec::new();
            for nth in 0..100u32 {
                let (a, b) = pair().await;
                readers.push(kael_rt::spawn(async move {
                    assert_eq!(a.read_exact(vec![0; 4]).await.1, nth.to_le_bytes());
                }));
                writers.push((nth, b));
            }
            kael_rt::yield_now().await;
            // Idle reads hold the slots that reads may hold; these still get one.
            for (nth, b) in writers.iter().rev() {
                assert_eq!(b.write_all(nth.to_le_bytes().to_vec()).await.0.unwrap(), 4);
            }
            for reader in readers {
                reader.await.unwrap();
            }
        });
        assert_eq!(runtime.handle().metrics().cores[0].in_flight, 0);
    });
}

#[test]
fn a_handle_of_another_runtime() {
    expect_nothing_open("a_handle_of_another_runtime", || {
        let (one, two) = (Builder::new().build().unwrap(), Builder::new().build().unwrap());
        let file = one.block_on(File::open(zeros())).unwrap();
        let (result, buf) = two.block_on(file.read_at(vec![1; 4], 0));
        let error = result.unwrap_err();
        assert!(Error::of(&error).is_some_and(Error::is_wrong_runtime), "{error}");
        assert_eq!(buf, [1; 4]);
        assert_eq!(one.block_on(file.read_at(vec![1; 4], 0)).1, [0; 4]);
        drop(one);
        let error = two.block_on(file.read_at(vec![1; 4], 0)).0.unwrap_err();
        assert!(Error::of(&error).is_some_and(Error::is_wrong_runtime), "{error}");
    });
}

// Windows has no such limit.
#[cfg(unix)]
#[test]
fn locked_memory_of_64_kib() {
    expect_nothing_open("locked_memory_of_64_kib", || {
        let limit = libc::rlimit { rlim_cur: 64 << 10, rlim_max: 64 << 10 };
        // SAFETY: a limit by its address; this process is the test's own.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) }, 0);
        for depth in [256, 32_768] {
            // Newer kernels count the rings of all processes of an unprivileged user.
            let runtime = match Builder::new().queue_depth(depth).build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let text = error.to_string();
                    assert!(
                        text.contains("RLIMIT_MEMLOCK") && text.contains("queue_depth"),
                        "{text}"
                    );
                    continue;
                }
            };
            runtime.block_on(async {
                let (a, b) = pair().await;
                a.write_all("memory").await.0.unwrap();
                assert_eq!(b.read_exact(vec![0; 6]).await.1, b"memory");
                let file = File::open("/dev/zero").await.unwrap();
                assert_eq!(file.read_exact_at(vec![1; 100_000], 0).await.1, [0; 100_000]);
            });
        }
    });
}

// Windows has no such limit.
#[cfg(unix)]
#[test]
fn no_descriptor_for_the_core() {
    rig::in_own_process("no_descriptor_for_the_core", || {
        let limit = libc::rlimit { rlim_cur: 30, rlim_max: 30 };
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
        let _all: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        let error = Builder::new().build().unwrap_err();
        assert!(Error::of(&error).is_some_and(Error::is_setup), "{error}");
        let text = error.to_string();
        assert!(text.contains("RLIMIT_NOFILE") && text.contains("ulimit -n"), "{text}");
    });
}

/// The closes of what the kernel held at the end go out, too.
#[test]
fn the_end_with_operations_in_flight() {
    expect_nothing_open("the_end_with_operations_in_flight", || {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            for _ in 0..20 {
                let (a, b) = pair().await;
                drop(kael_rt::spawn(async move {
                    let _b = b;
                    let _ = a.read(vec![0; 16]).await;
                }));
            }
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            drop(kael_rt::spawn(async move {
                let _ = listener.accept().await;
            }));
            kael_rt::yield_now().await;
        });
        drop(runtime);
    });
}

/// Other runtimes want their sockets so. The kernel would answer a read of ours at once, with "again".
#[test]
fn a_stream_that_was_made_non_blocking() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let std = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (b, _) = listener.accept().await.unwrap();
            std.set_nonblocking(true).unwrap();
            let a = TcpStream::from_std(std).unwrap();
            let before = runtime.handle().metrics().cores[0].submitted;
            let read = kael_rt::spawn(async move { a.read(vec![0; 8]).await });
            kael_rt::time::sleep(Duration::from_millis(50)).await;
            let submitted = runtime.handle().metrics().cores[0].submitted - before;
            assert!(submitted <= 4, "it was asked {submitted} times");
            b.write_all("at last").await.0.unwrap();
            assert_eq!(read.await.unwrap().1, b"at last");
        });
    });
}
