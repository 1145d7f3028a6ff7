//! Sockets without a number of the process, outside the operations: options, addresses, a number when one is wanted, and
//! bytes that go through them.

// Its subjects are descriptors of this system.
#![cfg(all(target_os = "linux", not(kael_backend = "sim")))]

#[path = "support/direct.rs"]
mod direct;
mod rig;

use direct::*;
use kael_rt::Error;
use kael_rt::fs::File;
use kael_rt::io::{copy_bidirectional, send_file};
use kael_rt::net::TcpStream;
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, sleep};
use rig::{TempFile, in_own_process, within_limit};
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::thread;

#[test]
fn t03_options_and_addresses_of_a_direct_socket() {
    within_limit(|| {
        let (runtime, granted) = runtime();
        runtime.block_on(async {
            let (stream, mut client) = accepted().await;
            assert_eq!(is_direct(&stream), granted);
            assert_eq!(stream.peer_addr().unwrap(), client.local_addr().unwrap());
            assert_eq!(stream.local_addr().unwrap(), client.peer_addr().unwrap());
            for on in [true, false, true] {
                stream.set_nodelay(on).unwrap();
                assert_eq!(stream.nodelay().unwrap(), on);
            }
            stream.set_ttl(32).unwrap();
            // An error is told by the call that made it, and not by another.
            assert_eq!(stream.set_ttl(1000).unwrap_err().raw_os_error(), Some(libc::EINVAL));
            stream.set_ttl(33).unwrap();
            let calls = || runtime.handle().metrics().cores[0].syscalls;
            sleep(Duration::from_millis(1)).await;
            let before = calls();
            stream.set_nodelay(true).unwrap();
            sleep(Duration::from_micros(1)).await;
            assert!(calls() - before <= 4, "{} calls for an option and a sleep", calls() - before);
            stream.write_all("before").await.0.unwrap();
            client.read_exact(&mut [0; 6]).unwrap();
            stream.shutdown(Shutdown::Write).await.unwrap();
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
            let (stream, mut client) = accepted().await;
            stream.set_linger(Some(Duration::ZERO)).unwrap();
            drop(stream);
            let reset = kael_rt::spawn_blocking(move || client.read(&mut [0])).await.unwrap();
            assert_eq!(reset.unwrap_err().kind(), ErrorKind::ConnectionReset);
        });
    });
}

#[test]
fn t03_a_direct_socket_gets_a_number_when_one_is_wanted() {
    in_own_process("t03_a_direct_socket_gets_a_number_when_one_is_wanted", || {
        let (runtime, granted) = runtime();
        runtime.block_on(async {
            let (stream, mut client) = accepted().await;
            if granted {
                let error = stream.try_as_fd().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(Error::of(&error).unwrap().to_string().contains("install()"), "{error}");
            }
            // What is under way goes on.
            let mut read = stream.read(vec![0; 16]);
            assert!(!poll_once(&mut read));
            sleep(Duration::from_millis(1)).await;
            stream.install().unwrap();
            stream.install().unwrap();
            assert!(stream.try_as_fd().unwrap().as_raw_fd() > 2);
            client.write_all(b"one").unwrap();
            assert_eq!(read.await.0.unwrap(), 3);
            stream.write_all("two").await.0.unwrap();
            client.read_exact(&mut [0; 3]).unwrap();
            stream.set_nodelay(true).unwrap();
            assert!(stream.nodelay().unwrap());
            stream.close().await.unwrap();
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
            if granted {
                are_in_tables(0).await;
            }

            // A stream that leaves the runtime.
            let (stream, mut client) = accepted().await;
            let mut std = stream.into_std().unwrap();
            std.write_all(b"std").unwrap();
            client.read_exact(&mut [0; 3]).unwrap();
            let (stream, mut client) = accepted().await;
            client.write_all(b"early").unwrap();
            let mut detached = stream.detach().await.unwrap();
            let mut early = [0; 5];
            let unread = detached.unread.len();
            early[..unread].copy_from_slice(&detached.unread);
            detached.stream.read_exact(&mut early[unread..]).unwrap();
            assert_eq!(&early, b"early");
        });
    });
}

#[test]
fn t03_files_and_copies_go_through_direct_sockets() {
    within_limit(|| {
        let (runtime, _) = runtime();
        let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 253) as u8).collect();
        let path = TempFile::new("direct-send", &bytes);
        runtime.block_on(async {
            let (stream, mut client) = accepted().await;
            let file = File::open(&path.0).await.unwrap();
            let reader = thread::spawn(move || {
                let mut all = vec![0; 300_000];
                client.read_exact(&mut all).unwrap();
                all
            });
            assert_eq!(send_file(&file, 0..300_000, &stream).await.unwrap(), 300_000);
            assert!(reader.join().unwrap() == bytes, "the file came out different");

            let (one, mut first) = accepted().await;
            let (other, mut second) = accepted().await;
            let sent = bytes.clone();
            let ends = thread::spawn(move || {
                let writer = thread::spawn(move || {
                    first.write_all(&sent).unwrap();
                    first.shutdown(Shutdown::Write).unwrap();
                    let mut answer = Vec::new();
                    first.read_to_end(&mut answer).unwrap();
                    answer
                });
                let mut all = Vec::new();
                second.read_to_end(&mut all).unwrap();
                second.write_all(b"all of it").unwrap();
                second.shutdown(Shutdown::Write).unwrap();
                (all, writer.join().unwrap())
            });
            let copied = copy_bidirectional(&one, &other).await.unwrap();
            assert_eq!(copied, (300_000, 9));
            let (all, answer) = ends.join().unwrap();
            assert!(all == bytes, "the copy came out different");
            assert_eq!(answer, b"all of it");
        });
    });
}

/// A core whose queues are as small as they may be: what it is told and asked at once finds its answer among many.
#[test]
fn t03_options_are_answered_although_the_queues_are_full() {
    within_limit(|| {
        let builder = Builder::new().direct_descriptors(true).queue_depth(2).queue_limit(2);
        let runtime = builder.build().unwrap();
        runtime.block_on(async {
            let (listener, addr) = listen().await;
            let mut pairs = Vec::new();
            for _ in 0..CONNECTIONS {
                let one = TcpStream::connect(addr).await.unwrap();
                pairs.push((one, listener.accept().await.unwrap().0));
            }
            let mut echoes = Vec::new();
            let mut ends = Vec::new();
            for (number, (one, other)) in pairs.into_iter().enumerate() {
                echoes.push(kael_rt::spawn(echo(other)));
                ends.push(kael_rt::spawn(async move {
                    for round in 0..50u8 {
                        let sent = vec![number as u8 ^ round; 100];
                        one.write_all(sent.clone()).await.0.unwrap();
                        one.set_nodelay(round % 2 == 0).unwrap();
                        assert_eq!(one.nodelay().unwrap(), round % 2 == 0);
                        assert_eq!(one.set_ttl(0).unwrap_err().raw_os_error(), Some(libc::EINVAL));
                        let (result, back) = one.read_exact(vec![0; 100]).await;
                        result.unwrap();
                        assert_eq!(back, sent);
                    }
                }));
            }
            for end in ends.into_iter().chain(echoes) {
                end.await.unwrap();
            }
        });
    });
}
