//! Past the page cache: what is aligned goes there and back, what is not is refused with the reason before a call is
//! spent on it, and the end of a file needs no alignment.

mod rig;

use kael_rt::Error;
use kael_rt::buf::{BufferPool, IoBuf};
use kael_rt::fs::File;
use kael_rt::runtime::{Builder, CoreMetrics};
use rig::{TempFile, within_limit};
use std::io;
use std::path::Path;

async fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).direct(true).open(path).await
}

/// A file for direct I/O, and its steps of memory and of offsets. `None`: the file system has no such thing, and says so.
async fn direct(temp: &TempFile, bytes: &[u8]) -> Option<(File, usize, u64)> {
    kael_rt::fs::write(&temp.0, bytes.to_vec()).await.unwrap();
    match open(&temp.0).await {
        Ok(file) => {
            let Some(steps) = file.direct_alignment() else {
                println!("not run: nobody says what direct I/O wants of {}", temp.0.display());
                return None;
            };
            Some((file, steps.memory as usize, steps.offset.into()))
        }
        Err(error) => {
            println!("not run: {error}");
            refused_clearly(&error);
            None
        }
    }
}

fn refused_clearly(error: &io::Error) {
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let ours = Error::of(error).expect("our own error");
    assert!(ours.os_error().is_some(), "{error}");
    assert!(error.to_string().contains("open it without direct(true)"), "{error}");
}

#[test]
fn d01_what_is_aligned_goes_past_the_cache_and_back() {
    within_limit(|| {
        let temp = TempFile::new("direct-blocks", b"");
        kael_rt::block_on(async {
            let Some((file, _, step)) = direct(&temp, &[0; 65_536]).await else { return };
            let pool = BufferPool::new(8, 8192).unwrap();
            for round in 0..8u8 {
                let mut buf = pool.get().await;
                buf.put(&[round; 8192]);
                let (n, buf) = file.write_all_at(buf, u64::from(round) * 8192).await;
                assert_eq!((n.unwrap(), buf.len()), (8192, 8192));
            }
            for round in 0..8u8 {
                let (n, buf) = file.read_at(pool.get().await, u64::from(round) * 8192).await;
                assert_eq!((n.unwrap(), &buf[..]), (8192, &[round; 8192][..]));
            }
            let (n, bufs) = file.read_vectored_at([pool.get().await, pool.get().await], 8192).await;
            assert_eq!((n.unwrap(), bufs[0][0], bufs[1][8191]), (16_384, 1, 2));
            // A part that is whole steps.
            let part = pool.get().await.slice(..step as usize);
            let (n, part) = file.read_at(part, 8192 - step).await;
            assert_eq!((n.unwrap(), part.get_ref()[0]), (step as usize, 0));
            // The cache sees the same.
            let cached = File::open(&temp.0).await.unwrap();
            assert!(cached.direct_alignment().is_none());
            assert_eq!(cached.read_at(vec![0; 2], 8191).await.1, [0, 1]);
        });
    });
}

#[test]
fn d01_what_is_not_aligned_is_refused_before_a_call() {
    within_limit(|| {
        let temp = TempFile::new("direct-odd", b"");
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        let core = move || -> CoreMetrics { handle.metrics().cores[0].clone() };
        runtime.block_on(async {
            let Some((file, memory, step)) = direct(&temp, &[5; 65_536]).await else { return };
            let pool = BufferPool::new(8, 8192).unwrap();
            let full = || {
                let mut buf = pool.try_get().unwrap();
                buf.put(&[6; 8192]);
                buf
            };
            let size = step as usize;
            let before = core();
            let refused = |result: io::Result<usize>, what: &str, step: usize| {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                assert!(Error::of(&error).is_some_and(Error::is_unaligned), "{error:?}");
                let wants = format!("wants {what} in steps of {step} bytes: ");
                let text = error.to_string();
                assert!(text.contains(&wants) && text.contains("direct(true)"), "{text}");
            };
            refused(file.read_at(full(), step / 2).await.0, "offsets", size);
            refused(file.read_exact_at(full(), step + 1).await.0, "offsets", size);
            refused(file.write_at(full(), 1).await.0, "offsets", size);
            refused(file.read_at(full().slice(..size - 1), 0).await.0, "lengths", size);
            refused(file.write_all_at(full().slice(..size + 1), 0).await.0, "lengths", size);
            let bufs = [full().slice(..size), full().slice(..size / 2)];
            refused(file.read_vectored_at(bufs, 0).await.0, "lengths", size);
            let bufs = [full().slice(..size), full().slice(..size + 8)];
            refused(file.write_vectored_at(bufs, 0).await.0, "lengths", size);
            let mut pieces = file.read_stream(&pool, 1..);
            refused(pieces.next().await.map(drop).map(|()| 0), "offsets", size);
            if memory > 1 {
                let odd = || full().slice(1..size + 1);
                refused(file.read_at(odd(), 0).await.0, "memory", memory);
                refused(file.write_at(odd(), step).await.0, "memory", memory);
                refused(file.read_vectored_at([odd()], 0).await.0, "memory", memory);
            }
            let after = core();
            assert_eq!(
                (after.syscalls, after.submitted),
                (before.syscalls, before.submitted),
                "the system was asked"
            );
            // Nothing was written, and the file goes on.
            assert_eq!(file.read_at(pool.get().await, 0).await.1[..], [5; 8192]);
        });
    });
}

#[test]
fn d01_a_file_may_end_anywhere() {
    within_limit(|| {
        let bytes: Vec<u8> = (0..20_100u32).map(|at| (at % 251) as u8).collect();
        let temp = TempFile::new("direct-end", b"");
        kael_rt::block_on(async {
            let Some((file, _, step)) = direct(&temp, &bytes).await else { return };
            let pool = BufferPool::new(8, 8192).unwrap();
            let (n, buf) = file.read_at(pool.get().await, 16_384).await;
            assert_eq!((n.unwrap(), &buf[..]), (3_716, &bytes[16_384..]));
            let mut buf = pool.get().await;
            buf.put(&[0; 8192]);
            let error = file.read_exact_at(buf, 16_384).await.0.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
            // A range of a stream ends anywhere, too; it begins at a step.
            for (from, to) in [(0, 20_100), (0, 20_000), (step, step + 1), (8192, 8193)] {
                for depth in [1, 8] {
                    let mut pieces = file.read_stream(&pool, from..to).depth(depth);
                    let mut at = from as usize;
                    while let Some(piece) = pieces.next().await.unwrap() {
                        assert!(piece[..] == bytes[at..at + piece.len()]);
                        at += piece.len();
                    }
                    assert_eq!((at, pieces.position()), (to as usize, to));
                }
            }
            let mut pieces = file.read_stream(&pool, 16_384..30_000);
            assert_eq!(pieces.next().await.unwrap().unwrap().len(), 3_716);
            let error = pieces.next().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
            assert_eq!(Error::of(&error).and_then(Error::transferred), Some(3_716));
        });
    });
}

#[test]
fn d01_buffers_of_a_pool_are_aligned() {
    within_limit(|| {
        kael_rt::block_on(async {
            for (size, step) in
                [(512, 512), (600, 1024), (1024, 1024), (4096, 4096), (9000, 4096), (65_536, 4096)]
            {
                let pool = BufferPool::new(7, size).unwrap();
                while let Some(buf) = pool.try_get() {
                    assert!(buf.as_init().as_ptr().addr().is_multiple_of(step), "{size}");
                    std::mem::forget(buf);
                }
            }
        });
    });
}

/// Where there is no direct I/O, opening says so; tmpfs has it since Linux 6.5, and wants nothing.
#[cfg(all(target_os = "linux", not(kael_backend = "sim")))]
#[test]
fn d01_a_file_system_without_it_says_so() {
    within_limit(|| {
        let path = Path::new("/dev/shm").join(format!("kael-direct-{}", std::process::id()));
        let temp = TempFile(path);
        kael_rt::block_on(async {
            match open(&temp.0).await {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                    println!("not run: there is no /dev/shm");
                }
                Err(error) => refused_clearly(&error),
                Ok(file) => {
                    if file.direct_alignment().is_none() {
                        assert_eq!(file.write_at("odd", 7).await.0.unwrap(), 3);
                        assert_eq!(file.read_at(vec![0; 3], 7).await.1, b"odd");
                    }
                }
            }
        });
        // /proc has files that are not for it on any kernel.
        let refused = kael_rt::block_on(async {
            File::options().read(true).direct(true).open("/proc/self/status").await
        });
        refused_clearly(&refused.unwrap_err());
    });
}
