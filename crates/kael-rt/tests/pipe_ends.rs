//! Pipes and what is around them: the end of their runtime, the standard library, a process without a free descriptor, and
//! the signal of a write that nobody reads.

#![cfg(not(kael_backend = "sim"))] // Its descriptors are no numbers of the process, which has one limit and one set of signals.

mod rig;

use kael_rt::io::pipe;
use kael_rt::runtime::Builder;
use rig::{expect_nothing_open, poll_once, size, turns};

/// More than any pipe holds by itself.
const BIG: usize = 1 << 20;

/// A runtime that ends with a read and a write under way ends at once, and leaves no descriptor.
#[test]
fn p01_the_end_of_a_runtime_closes_pipes_that_are_used() {
    expect_nothing_open("p01_the_end_of_a_runtime_closes_pipes_that_are_used", || {
        for round in 0..size(20, 500) {
            let runtime = Builder::new().build().unwrap();
            let handle = runtime.handle();
            runtime.block_on(async move {
                let (reader, writer) = pipe().unwrap();
                let (idle, kept) = pipe().unwrap();
                let mut write = writer.write_all(vec![round as u8; BIG]);
                assert!(poll_once(&mut write).is_pending());
                let read = idle.read(vec![0; 4096]);
                kael_rt::spawn(async move {
                    let _held = (reader, kept);
                    read.await.0
                });
                kael_rt::spawn(async move { write.await.0 });
                if round % 2 == 0 {
                    turns(3).await;
                }
            });
            drop(runtime);
            assert_eq!(handle.metrics().cores[0].leaked, 0);
        }
    });
}

#[test]
#[cfg(unix)] // Pipes of Windows stay with the runtime.
fn p01_ends_come_from_the_standard_library_and_go_back() {
    use kael_rt::io::{PipeReader, PipeWriter};
    use std::io::{Read, Write};
    rig::within_limit(|| {
        kael_rt::block_on(async {
            let (reader, writer) = std::io::pipe().unwrap();
            let (reader, writer) =
                (PipeReader::from_std(reader).unwrap(), PipeWriter::from_std(writer).unwrap());
            let waiting = reader.read(vec![0; 8]);
            let reader = reader.into_std().expect_err("a read of it is there");
            writer.write_all("first").await.0.unwrap();
            assert_eq!(waiting.await.1, b"first");
            let (mut reader, mut writer) = (reader.into_std().unwrap(), writer.into_std().unwrap());
            // They block again: the read waits for the write.
            let writing = std::thread::spawn(move || {
                std::thread::park_timeout(kael_rt::time::Duration::from_millis(20));
                writer.write_all(&[7; BIG]).unwrap();
            });
            let mut bytes = vec![0; BIG];
            reader.read_exact(&mut bytes).unwrap();
            writing.join().unwrap();
            // What a dropped read has got keeps the end here.
            let (reader, writer) = pipe().unwrap();
            if !rig::READINESS {
                writer.write_all("left").await.0.unwrap();
                let mut read = reader.read(vec![0; 2]);
                assert!(poll_once(&mut read).is_pending());
                turns(3).await;
                drop(read);
                let reader = reader.into_std().expect_err("two bytes were left");
                assert_eq!(reader.read_exact(vec![0; 4]).await.1, b"left");
                assert!(reader.into_std().is_ok());
            }
        })
    });
}

/// Both ends, or an error: none is left open.
#[test]
#[cfg(target_os = "linux")] // It sets a limit of the process.
fn p01_without_a_free_descriptor_a_pipe_is_an_error() {
    expect_nothing_open("p01_without_a_free_descriptor_a_pipe_is_an_error", || {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: a limit by its address; this process is the test's own.
            unsafe {
                assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
                limit.rlim_cur = 64;
                assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
            }
            let mut pipes = Vec::new();
            let error = loop {
                match pipe() {
                    Ok(ends) => pipes.push(ends),
                    Err(error) => break error,
                }
                assert!(pipes.len() < 64, "a limit that does not hold");
            };
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            pipes.clear();
            turns(3).await;
            assert!(pipe().is_ok());
        });
    });
}

/// In a program that does not ignore the signal, as one whose `main` is not Rust's.
#[test]
#[cfg(target_os = "linux")] // It changes what a signal does.
fn p01_no_signal_is_raised_where_the_kernel_can_do_without() {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).flat_map(str::parse::<u32>);
    if (numbers.next().unwrap(), numbers.next().unwrap()) < (6, 18) {
        println!("not checked: a kernel before 6.18 raises SIGPIPE");
        return;
    }
    if std::env::var_os("KAEL_RUNNER").is_some() {
        println!(
            "not checked: an emulator that stands for the kernel does not know the flag of such writes"
        );
        return;
    }
    rig::in_own_process("p01_no_signal_is_raised_where_the_kernel_can_do_without", || {
        // SAFETY: the signal's disposition, in a process of the test's own.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
        kael_rt::block_on(async {
            let (reader, writer) = pipe().unwrap();
            reader.close().await.unwrap();
            for _ in 0..3 {
                let error = writer.write("nobody").await.0.unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
            }
            let error = writer.write_all_vectored(["no", "body"]).await.0.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
            let (reader, writer) = pipe().unwrap();
            let mut waiting = std::pin::pin!(writer.write_all(vec![1; BIG]));
            assert!(poll_once(&mut waiting).is_pending());
            turns(3).await;
            drop(reader);
            assert_eq!(waiting.await.0.unwrap_err().kind(), std::io::ErrorKind::BrokenPipe);
        });
        // And it would have been the end.
        // SAFETY: a child that does nothing but write to a pipe which nobody reads.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                let mut ends = [0; 2];
                libc::pipe(ends.as_mut_ptr());
                libc::close(ends[0]);
                libc::write(ends[1], [0u8].as_ptr().cast(), 1);
                libc::_exit(0);
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            status
        };
        assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGPIPE);
    });
}
