//! Links: operations that are begun together or not at all, run in their order, and end where one of them is short or fails.

#[path = "support/errno.rs"]
mod errno;
mod rig;

use kael_rt::Error;
use kael_rt::buf::BufferPool;
use kael_rt::fs::File;
use kael_rt::ops::{Linked, link};
use kael_rt::runtime::Builder;
use rig::{TempFile, within_limit};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Waker};

/// (The simulated kernel has files of its own.)
async fn file_with(temp: &TempFile, bytes: &[u8]) -> File {
    kael_rt::fs::write(&temp.0, bytes.to_vec()).await.unwrap();
    File::options().read(true).write(true).open(&temp.0).await.unwrap()
}

async fn content(temp: &TempFile) -> Vec<u8> {
    kael_rt::fs::read(&temp.0).await.unwrap()
}

fn cancelled<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().raw_os_error(), Some(errno::ECANCELED));
}

#[test]
fn l01_each_begins_when_the_one_before_it_is_over() {
    within_limit(|| {
        let temp = TempFile::new("links-order", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, b"").await;
            for round in 0..50u8 {
                let Linked { results, broken } = link((
                    file.write_at(vec![round; 4096], 0),
                    file.sync_data(),
                    file.read_at(vec![0; 4096], 0),
                    file.write_at(vec![round; 1], 4096),
                ))
                .await;
                assert_eq!(broken, None);
                let ((wrote, _), synced, (read, bytes), (last, _)) = results;
                synced.unwrap();
                assert_eq!([wrote.unwrap(), read.unwrap(), last.unwrap()], [4096, 4096, 1]);
                assert!(bytes == [round; 4096], "round {round}: it read before the write was over");
            }
        });
    });
}

#[test]
fn l01_a_short_read_in_the_middle_breaks_it_there() {
    within_limit(|| {
        let temp = TempFile::new("links-short", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, b"0123456789").await;
            let done = link((
                file.write_at("ab", 0),
                file.read_at(vec![0; 64], 0),
                file.write_at("never", 0),
                file.sync_all(),
            ))
            .await;
            assert_eq!(done.broken, Some(1));
            let ((wrote, _), (read, bytes), (never, given_back), synced) = done.results;
            assert_eq!((wrote.unwrap(), read.unwrap()), (2, 10));
            assert_eq!((&bytes[..10], given_back), (&b"ab23456789"[..], "never"));
            cancelled(never);
            cancelled(synced);
            // The end of the file is short as well, and so is the last one.
            let done = link((file.read_at(vec![0; 4], 10), file.write_at("never", 0))).await;
            assert_eq!((done.broken, done.results.0.0.unwrap()), (Some(0), 0));
            cancelled(done.results.1.0);
            let done = link((file.sync_data(), file.read_at(vec![0; 4], 8))).await;
            assert_eq!((done.broken, done.results.1.0.unwrap()), (Some(1), 2));
            assert_eq!(content(&temp).await, b"ab23456789");
        });
    });
}

#[test]
fn l01_an_error_in_the_middle_breaks_it_there() {
    within_limit(|| {
        let temp = TempFile::new("links-error", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, b"0123456789").await;
            let read_only = File::open(&temp.0).await.unwrap();
            let done = link((
                file.write_at("ab", 0),
                read_only.write_at("no", 2),
                file.write_at("never", 4),
            ))
            .await;
            assert_eq!(done.broken, Some(1));
            let ((wrote, _), (refused, _), (never, _)) = done.results;
            assert_eq!(wrote.unwrap(), 2);
            let refused = refused.unwrap_err().raw_os_error();
            assert!(refused.is_some() && refused != Some(errno::ECANCELED), "{refused:?}");
            cancelled(never);
            assert_eq!(content(&temp).await, b"ab23456789");
        });
    });
}

#[test]
fn l01_one_that_cannot_be_begun_keeps_all_from_it() {
    within_limit(|| {
        let temp = TempFile::new("links-foreign", b"");
        let other = Builder::new().build().unwrap();
        let foreign = other.block_on(async { file_with(&temp, b"0123456789").await });
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let file = File::options().read(true).write(true).open(&temp.0).await.unwrap();
            let done =
                link((file.write_at("never", 0), foreign.sync_data(), file.sync_data())).await;
            assert_eq!(done.broken, Some(0));
            let ((never, _), refused, synced) = done.results;
            cancelled(never);
            assert!(Error::of(&refused.unwrap_err()).is_some_and(Error::is_wrong_runtime));
            cancelled(synced);
            assert_eq!(content(&temp).await, b"0123456789");
        });
        drop(foreign);
    });
}

#[test]
fn l01_one_that_is_longer_than_the_queue_is_done_as_a_whole_or_not_at_all() {
    within_limit(|| {
        let temp = TempFile::new("links-long", b"");
        Builder::new().queue_depth(2).build().unwrap().block_on(async {
            let file = file_with(&temp, b"----").await;
            let done = link((
                file.write_at("1", 0),
                file.write_at("2", 1),
                file.write_at("3", 2),
                file.write_at("4", 3),
            ))
            .await;
            let chains = cfg!(kael_backend = "sim")
                || cfg!(all(
                    target_os = "linux",
                    not(any(kael_backend = "epoll", kael_backend = "kqueue"))
                ));
            if chains {
                assert_eq!(done.broken, Some(0));
                let error = done.results.0.0.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert!(error.to_string().contains("Builder::queue_depth"), "{error}");
                cancelled(done.results.3.0);
                assert_eq!(content(&temp).await, b"----");
            } else {
                assert_eq!((done.broken, content(&temp).await), (None, b"1234".to_vec()));
            }
            // Two fit, however full the queue is.
            let tasks: Vec<_> = (0..50u8)
                .map(|at| {
                    let file = File::options().read(true).write(true).open(&temp.0);
                    kael_rt::spawn(async move {
                        let (file, at) = (file.await.unwrap(), 100 + u64::from(at));
                        let two =
                            link((file.write_at(vec![7], at), file.read_at(vec![0], at))).await;
                        assert_eq!((two.broken, two.results.1.1), (None, vec![7]));
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn l01_with_few_slots_each_waits_for_as_many_as_it_has() {
    within_limit(|| {
        let temp = TempFile::new("links-slots", b"");
        Builder::new().max_in_flight(16).queue_depth(8).build().unwrap().block_on(async {
            let file = std::rc::Rc::new(file_with(&temp, b"").await);
            let tasks: Vec<_> = (0..40u64)
                .map(|task| {
                    let file = file.clone();
                    kael_rt::spawn(async move {
                        for round in 0..20u8 {
                            let (at, bytes) = (task * 64, vec![round; 64]);
                            let done = link((
                                file.write_at(bytes, at),
                                file.read_at(vec![9; 32], at),
                                file.read_at(vec![9; 32], at + 32),
                                file.sync_data(),
                            ))
                            .await;
                            assert_eq!(done.broken, None, "{:?}", done.results);
                            assert_eq!(done.results.2.1, [round; 32]);
                        }
                    })
                })
                .collect();
            // One that gives up its place keeps nobody waiting.
            let mut impatient = pin!(link((file.sync_all(), file.sync_all())));
            let _ = impatient.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

/// What was written is so in order: nothing behind something that was not.
#[test]
fn l01_dropped_midway_what_is_done_is_the_beginning() {
    within_limit(|| {
        let temp = TempFile::new("links-dropped", b"");
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let file = file_with(&temp, b"").await;
            let pool = BufferPool::new(4, 512).unwrap();
            for turns in 0..60 {
                let buf = || {
                    let mut buf = pool.try_get().expect("all of them are back");
                    buf.put(&[b'#'; 512]);
                    buf
                };
                let at = turns * 4096;
                let mut four = Box::pin(link((
                    file.write_at(buf(), at),
                    file.write_at(buf(), at + 512),
                    file.write_at(buf(), at + 1024),
                    file.write_at(buf(), at + 1536),
                )));
                let early = four.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(early.is_pending());
                for _ in 0..turns {
                    kael_rt::yield_now().await;
                }
                drop(four);
                while pool.available() < 4 {
                    kael_rt::time::sleep(kael_rt::time::Duration::from_micros(100)).await;
                }
                let (n, bytes) = file.read_at(vec![0; 2048], at).await;
                let bytes = &bytes[..n.unwrap()];
                let done = bytes.iter().take_while(|byte| **byte == b'#').count();
                assert!(bytes[done..].iter().all(|byte| *byte == 0), "something was left out");
                assert_eq!(done % 512, 0);
            }
            // Some are under way, and some forgotten, when the runtime ends.
            let buf = || pool.try_get().unwrap();
            let mut one = Box::pin(link((file.read_at(buf(), 0), file.read_at(buf(), 0))));
            let _ = one.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            std::mem::forget(one);
            kael_rt::spawn(link((file.sync_all(), file.sync_all(), file.sync_all())));
            kael_rt::yield_now().await;
        });
        drop(runtime);
        assert_eq!(handle.metrics().cores[0].leaked, 0);
    });
}

/// A kernel whose transfers are often short, and now and then interrupted.
#[cfg(kael_backend = "sim")]
#[test]
fn l01_wherever_it_breaks_nothing_behind_it_is_done() {
    use kael_rt::sim_control::{Faults, set_faults};
    within_limit(|| {
        let mut faults = Faults::default();
        (faults.short, faults.interrupted) = (200, 100);
        set_faults(faults);
        let temp = TempFile::new("links-sim", b"");
        kael_rt::block_on(async {
            let file = File::options().read(true).write(true).create(true).open(&temp.0).await;
            let file = file.unwrap();
            let mut breaks = [0; 5];
            for round in 0..300u64 {
                let at = round * 4096;
                let write = |i: u64| file.write_at(vec![1 + i as u8; 64], at + i * 64);
                let done = link((write(0), write(1), write(2), write(3))).await;
                let ((a, _), (b, _), (c, _), (d, _)) = done.results;
                let all = [a, b, c, d];
                breaks[done.broken.unwrap_or(4)] += 1;
                for (i, result) in all.into_iter().enumerate() {
                    match done.broken {
                        Some(broken) if i > broken => cancelled(result),
                        Some(broken) if i == broken => assert!(result.map_or(0, |n| n) < 64),
                        _ => assert_eq!(result.unwrap(), 64),
                    }
                }
                let broken = done.broken.map_or(256, |broken| 64 * (broken + 1));
                let (n, bytes) = file.read_at(vec![0; 256], at).await;
                let behind = bytes[..n.unwrap()].iter().skip(broken).all(|byte| *byte == 0);
                assert!(behind, "round {round}: something behind its break was done");
            }
            assert!(breaks.iter().all(|times| *times > 5), "{breaks:?}");
        });
    });
}
