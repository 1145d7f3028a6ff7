//! Streams over files: each byte once and in order, with no more reads under way than the bound; the end, errors and
//! drops at any moment; and where the buffers are then.

mod rig;

use kael_rt::Error;
use kael_rt::buf::{BufferPool, PoolBuf};
use kael_rt::fs::{File, ReadStream};
use kael_rt::runtime::Builder;
use rig::{TempFile, within_limit};
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Waker};

/// Bytes that say where in the file they are.
fn content(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[0]).collect()
}

/// (The simulated kernel has files of its own.)
async fn file_with(temp: &TempFile, bytes: &[u8]) -> File {
    kael_rt::fs::write(&temp.0, bytes.to_vec()).await.unwrap();
    File::options().read(true).write(true).open(&temp.0).await.unwrap()
}

async fn all(mut pieces: ReadStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await? {
        assert!(!piece.is_empty());
        bytes.extend_from_slice(&piece);
    }
    assert!(pieces.next().await?.is_none(), "an end is for ever");
    Ok(bytes)
}

/// Lets what was dropped end.
async fn until_all_are_back(pool: &BufferPool) {
    while pool.available() < pool.count() {
        kael_rt::time::sleep(kael_rt::time::Duration::from_micros(100)).await;
    }
}

#[test]
fn d02_each_byte_of_a_range_comes_once_and_in_order() {
    within_limit(|| {
        let bytes = content(100_003);
        let temp = TempFile::new("stream-ranges", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, &bytes).await;
            let pool = BufferPool::new(8, 4096).unwrap();
            for depth in [1, 2, 8, 1000] {
                let all_of_it = file.read_stream(&pool, ..).depth(depth);
                assert!(all(all_of_it).await.unwrap() == bytes, "depth {depth}");
                for (from, to, chunk) in
                    [(0, 100_003, 4096), (1, 99_999, 4095), (4096, 8192, 4096), (50, 51, 7)]
                {
                    let part = file.read_stream(&pool, from..to).depth(depth).chunk(chunk);
                    let part = all(part).await.unwrap();
                    assert!(part == bytes[from as usize..to as usize], "{from}..{to} by {chunk}");
                }
                let none = file.read_stream(&pool, 7..7).depth(depth);
                assert!(all(none).await.unwrap().is_empty());
                let behind = file.read_stream(&pool, 200_000..).depth(depth);
                assert!(all(behind).await.unwrap().is_empty());
                until_all_are_back(&pool).await;
            }
        });
    });
}

/// A kernel whose reads are mostly short, and now and then interrupted.
#[cfg(kael_backend = "sim")]
#[test]
fn d02_short_reads_are_not_the_end() {
    use kael_rt::sim_control::{Faults, set_faults};
    within_limit(|| {
        let bytes = content(30_000);
        let temp = TempFile::new("stream-short", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, &bytes).await;
            let pool = BufferPool::new(8, 1000).unwrap();
            let mut faults = Faults::default();
            (faults.short, faults.interrupted) = (600, 100);
            set_faults(faults);
            for depth in [1, 4, 8] {
                let mut pieces = file.read_stream(&pool, 10..).depth(depth);
                let mut at = 10;
                while let Some(piece) = pieces.next().await.unwrap() {
                    assert!(piece[..] == bytes[at..(at + 1000).min(30_000)]);
                    at += piece.len();
                }
                assert_eq!(at, 30_000);
            }
        });
    });
}

#[test]
fn d02_no_more_is_under_way_than_the_bound() {
    within_limit(|| {
        let bytes = content(64 * 512);
        let temp = TempFile::new("stream-bound", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, &bytes).await;
            let pool = BufferPool::new(80, 512).unwrap();
            for depth in [1, 3, 16] {
                let mut pieces = file.read_stream(&pool, ..).depth(depth);
                assert_eq!(pool.available(), 80, "nothing begins before it is asked for");
                let mut kept = Vec::new();
                while let Some(piece) = pieces.next().await.unwrap() {
                    kept.push(piece);
                    let ahead = 80 - pool.available() - kept.len();
                    assert_eq!(ahead, depth, "pieces that are ahead, after {}", kept.len());
                }
                assert_eq!(kept.len(), 64);
                assert!(kept.iter().flat_map(|piece| piece.iter()).eq(&bytes));
                drop((kept, pieces));
                until_all_are_back(&pool).await;
            }
        });
    });
}

#[test]
fn d02_with_fewer_buffers_than_its_bound_it_waits_for_them() {
    within_limit(|| {
        let bytes = content(20_000);
        let temp = TempFile::new("stream-starved", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, &bytes).await;
            let pool = BufferPool::new(2, 1000).unwrap();
            assert!(all(file.read_stream(&pool, ..).depth(16)).await.unwrap() == bytes);
            let held: Vec<PoolBuf> = std::iter::from_fn(|| pool.try_get()).collect();
            let mut pieces = file.read_stream(&pool, ..);
            let mut waits = 0;
            {
                let mut next = pin!(pieces.next());
                let mut context = Context::from_waker(Waker::noop());
                for _ in 0..3 {
                    waits += u32::from(next.as_mut().poll(&mut context).is_pending());
                }
            }
            assert_eq!(waits, 3, "there is no buffer");
            drop(held);
            assert!(all(pieces).await.unwrap() == bytes);
        });
    });
}

#[test]
fn d02_with_fewer_slots_than_its_bound_it_goes_on_and_keeps_nobody_out() {
    within_limit(|| {
        let bytes = content(40_000);
        let temp = TempFile::new("stream-slots", b"");
        Builder::new().max_in_flight(16).build().unwrap().block_on(async {
            let file = file_with(&temp, &bytes).await;
            let pool = BufferPool::new(100, 100).unwrap();
            let mut idle = file.read_stream(&pool, ..).depth(5);
            assert_eq!(&idle.next().await.unwrap().unwrap()[..], &bytes[..100]);
            // Those two want more slots than are left; and nobody polls the idle one.
            for _ in 0..2 {
                assert!(all(file.read_stream(&pool, ..).depth(32)).await.unwrap() == bytes);
            }
            let mut rest = bytes[100..].chunks(100);
            while let Some(piece) = idle.next().await.unwrap() {
                assert_eq!(Some(&piece[..]), rest.next());
            }
            assert_eq!(rest.next(), None);
        });
    });
}

#[test]
fn d02_a_file_that_ends_before_the_range_says_so() {
    within_limit(|| {
        let bytes = content(10_000);
        let temp = TempFile::new("stream-shrinks", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, &bytes).await;
            let pool = BufferPool::new(8, 1024).unwrap();
            let mut pieces = file.read_stream(&pool, 1000..20_000).depth(2);
            let mut got = pieces.next().await.unwrap().unwrap().to_vec();
            file.set_len(5_555).await.unwrap();
            let error = loop {
                match pieces.next().await {
                    Ok(piece) => got.extend_from_slice(&piece.expect("the error comes first")),
                    Err(error) => break error,
                }
            };
            // What was read ahead before it shrank may lie behind its end.
            assert!((4_555..=9_000).contains(&got.len()) && got == bytes[1000..][..got.len()]);
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            let there = Error::of(&error).expect("our own error").transferred();
            assert_eq!((there, pieces.position()), (Some(got.len()), 1000 + got.len() as u64));
            assert!(pieces.next().await.unwrap().is_none());
            // Without an end of the range it is no error.
            assert_eq!(all(file.read_stream(&pool, 1000..)).await.unwrap().len(), 4_555);
            until_all_are_back(&pool).await;
        });
    });
}

#[test]
fn d02_an_error_comes_at_its_place_and_ends_it() {
    within_limit(|| {
        let temp = TempFile::new("stream-error", b"");
        kael_rt::block_on(async {
            file_with(&temp, b"not for reading").await;
            let file = File::options().write(true).open(&temp.0).await.unwrap();
            let pool = BufferPool::new(8, 4).unwrap();
            let mut pieces = file.read_stream(&pool, ..).depth(4);
            let error = pieces.next().await.unwrap_err();
            assert!(error.raw_os_error().is_some() && Error::of(&error).is_none(), "{error:?}");
            assert_eq!(pieces.position(), 0);
            assert!(pieces.next().await.unwrap().is_none());
            until_all_are_back(&pool).await;
        });
    });
}

#[test]
fn d02_dropped_at_any_moment_every_buffer_comes_back() {
    within_limit(|| {
        let bytes = content(50_000);
        let temp = TempFile::new("stream-dropped", b"");
        kael_rt::block_on(async {
            let file = file_with(&temp, &bytes).await;
            let pool = BufferPool::new(16, 1000).unwrap();
            for given in 0..50 {
                let mut pieces = file.read_stream(&pool, ..).depth(1 + given % 16);
                for piece in 0..given {
                    // A future that is dropped loses nothing.
                    let mut context = Context::from_waker(Waker::noop());
                    let _ = pin!(pieces.next()).as_mut().poll(&mut context).map(|early| {
                        assert!(early.unwrap().unwrap()[..] == bytes[piece * 1000..][..1000]);
                    });
                    if pieces.position() == piece as u64 * 1000 {
                        let next = pieces.next().await.unwrap().unwrap();
                        assert!(next[..] == bytes[piece * 1000..][..1000]);
                    }
                }
                drop(pieces);
                until_all_are_back(&pool).await;
            }
            // Forgotten with reads under way: they end when the runtime does, and nobody has their buffers.
            let mut forgotten = file.read_stream(&pool, ..);
            forgotten.next().await.unwrap();
            std::mem::forget(forgotten);
        });
    });
}
