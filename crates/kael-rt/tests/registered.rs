//! Memory of pools that is registered with the ring: it is used where it may be, by nobody's asking; it is let go of when
//! the pool ends; and without it everything works the same.

// Only a ring registers memory.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;

use kael_rt::buf::{BufferPool, IoBuf, PoolBuf};
use kael_rt::fs::File;
use kael_rt::runtime::{Builder, CoreMetrics, Runtime};
use rig::{TempFile, in_own_process, is_emulated_without, pair, size, within_limit};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

/// The pages of a test's file, each full of its number.
fn pages(count: u8) -> Vec<u8> {
    (0..count).flat_map(|page| [page; 4096]).collect()
}

fn core(runtime: &Runtime) -> CoreMetrics {
    runtime.handle().metrics().cores[0].clone()
}

#[test]
fn f01_files_are_read_and_written_through_registered_memory() {
    within_limit(|| {
        let file = TempFile::new("registered", &pages(16));
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        let transfers = || handle.metrics().cores[0].registered_transfers;
        runtime.block_on(async {
            let pool = BufferPool::new(8, 4096).unwrap();
            assert!(pool.is_registered(), "{:?}", pool.registration_error());
            // Of a file that comes from elsewhere nothing is read past the ring.
            let file = std::fs::File::options().read(true).write(true).open(&file.0).unwrap();
            let file = File::from_std(file).unwrap();
            for page in 0..16u8 {
                let (n, mut buf) = file.read_at(pool.get().await, u64::from(page) * 4096).await;
                assert_eq!(n.unwrap(), 4096);
                assert!(buf.iter().all(|byte| *byte == page));
                // A part of a buffer is in its memory, too.
                buf[100..200].fill(200 + page);
                let part = buf.slice(100..200);
                let (n, part) = file.write_all_at(part, u64::from(page) * 4096 + 7).await;
                assert_eq!((n.unwrap(), part.as_init().len()), (100, 100));
            }
            assert_eq!(transfers(), 32);
            // Any other buffer is plain memory.
            let (n, bytes) = file.read_exact_at(vec![0; 4096], 0).await;
            n.unwrap();
            assert_eq!(
                (&bytes[..7], &bytes[7..107], &bytes[107..]),
                (&[0; 7][..], &[200; 100][..], &[0; 3989][..])
            );
            assert_eq!(transfers(), 32);
            drop(pool);
            assert_eq!(
                file.read_at(vec![0; 10], 8192).await.1,
                [[2; 7].as_slice(), &[202; 3]].concat()
            );
        });
    });
}

#[test]
fn f01_a_buffer_of_another_runtimes_pool_is_plain_memory() {
    within_limit(|| {
        let file = TempFile::new("foreign-pool", &pages(2));
        let (one, other) = (Builder::new().build().unwrap(), Builder::new().build().unwrap());
        let pool = one.block_on(async { BufferPool::new(2, 4096).unwrap() });
        // The other one has registered something, too.
        let _own = other.block_on(async { BufferPool::new(2, 4096).unwrap() });
        other.block_on(async {
            let file = File::open(&file.0).await.unwrap();
            let (n, buf) = file.read_at(pool.get().await, 4096).await;
            assert_eq!((n.unwrap(), &buf[..]), (4096, &[1; 4096][..]));
        });
        assert_eq!((core(&one).registered_transfers, core(&other).registered_transfers), (0, 0));
        drop(one);
        other.block_on(async {
            let file = File::open(&file.0).await.unwrap();
            assert_eq!(file.read_at(pool.get().await, 0).await.1[..], [0; 4096]);
        });
    });
}

#[test]
fn f01_registered_memory_is_let_go_of_with_its_pool() {
    within_limit(|| {
        kael_rt::block_on(async {
            let zero = File::open("/dev/zero").await.unwrap();
            for round in 0..size(20, 1000) {
                let pools: Vec<_> =
                    (0..1 + round % 16).map(|_| BufferPool::new(4, 4096).unwrap()).collect();
                for pool in pools {
                    assert!(pool.is_registered(), "{:?}, round {round}", pool.registration_error());
                    let mut buf = pool.get().await;
                    assert_eq!(buf.put(&[1; 4096]), 4096);
                    drop(pool);
                    assert_eq!(zero.read_at(buf, 0).await.1[..], [0; 4096]);
                }
            }
            // There are sixteen places; what finds none works without.
            let pools: Vec<_> = (0..20).map(|_| BufferPool::new(1, 64).unwrap()).collect();
            let registered = pools.iter().filter(|pool| pool.is_registered()).count();
            assert_eq!(registered, 16);
            let error = pools[19].registration_error().unwrap().to_string();
            assert!(error.contains("16 pools"), "{error}");
            assert_eq!(zero.read_at(pools[19].get().await, 0).await.1[..], [0; 64]);
        });
    });
}

/// The kernel may write into a buffer of a pool for as long as the operation is under way, whatever was dropped.
#[test]
fn f01_memory_stays_while_the_kernel_has_it() {
    within_limit(|| {
        kael_rt::block_on(async {
            for _ in 0..size(100, 2000) {
                let pool = BufferPool::new(2, 4096).unwrap();
                let (a, b) = pair().await;
                {
                    let buf = pool.try_get().unwrap();
                    let mut read = pin!(b.read(buf));
                    let polled = read.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    assert!(polled.is_pending());
                    a.write_all(vec![7; 4096]).await.0.unwrap();
                }
                drop(pool);
                assert_eq!(b.read_exact(vec![0; 4096]).await.1, [7; 4096]);
            }
        });
    });
}

#[test]
fn f02_a_pool_beyond_the_memory_limit_works_unregistered_and_says_so() {
    in_own_process("f02_a_pool_beyond_the_memory_limit_works_unregistered_and_says_so", || {
        let nobody = 65_534;
        // SAFETY: a call of the system without memory. In a process of its own, whose only other threads wait.
        let became = unsafe { libc::setresuid(nobody, nobody, nobody) } == 0;
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is ours.
        assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) }, 0);
        if !became || limit.rlim_cur > 1 << 29 {
            println!(
                "not checked: a pool beyond RLIMIT_MEMLOCK: this user has none that is small enough"
            );
            return;
        }
        kael_rt::block_on(async {
            let pool = BufferPool::new(16, limit.rlim_cur as usize / 8).unwrap();
            assert!(!pool.is_registered());
            let error = pool.registration_error().expect("it says why").to_string();
            assert!(error.contains("RLIMIT_MEMLOCK") && error.contains("ulimit -l"), "{error}");
            let zero = File::open("/dev/zero").await.unwrap();
            let (n, buf) = zero.read_at(pool.get().await, 0).await;
            // The system may give less than was asked for.
            assert!(n.unwrap() > 0 && buf.iter().all(|byte| *byte == 0));
        });
    });
}

/// A zero-copy send from registered memory: its bytes arrive, and it counts.
#[test]
fn f01_zero_copy_sends_use_registered_memory() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        runtime.block_on(async {
            let pool = BufferPool::new(4, 8192).unwrap();
            let (a, b) = pair().await;
            let rounds = size(200, 10_000);
            // The kernel lets go of what the other end has read.
            let reader = kael_rt::spawn(async move {
                for round in 0..rounds {
                    let got = b.read_exact(vec![0; 8192]).await.1;
                    assert!(got.iter().all(|byte| *byte == round as u8), "in round {round}");
                }
            });
            for round in 0..rounds {
                let mut buf = pool.get().await;
                buf.clear();
                buf.put(&[round as u8; 8192]);
                let (n, mut buf) = a.send_zc(buf).await;
                assert_eq!(n.unwrap(), 8192, "a socket with room takes all");
                // It is ours again, and may be used.
                buf.fill(255);
            }
            reader.await.unwrap();
        });
        let counted = core(&runtime).registered_transfers;
        if !is_emulated_without("the number of registered sends") {
            assert_eq!(counted as usize, size(200, 10_000));
        }
    });
}

/// Whether this kernel has operations for several registered buffers (Linux 6.15); known by another thing of that version.
fn has_several(runtime: &Runtime) -> bool {
    let has = runtime.granted().flags.contains(&"NO_IOWAIT");
    if !has {
        println!("not checked: the number of transfers, this kernel registers single buffers only");
    }
    has
}

/// Several buffers of one pool, through the page cache and past it, and each mixture that is not in one region.
async fn write_and_read_several(file: &File, count: impl Fn() -> u64, has: bool) {
    let pool = BufferPool::new(8, 4096).unwrap();
    let other = BufferPool::new(4, 4096).unwrap();
    assert!(pool.is_registered() && other.is_registered());
    let expect = |transfers: u64| {
        if has {
            assert_eq!(count(), transfers);
        }
    };
    let began = count();
    for round in 0..8u8 {
        let mut bufs = [pool.get().await, pool.get().await, pool.get().await];
        for (i, buf) in bufs.iter_mut().enumerate() {
            buf.put(&[round * 3 + i as u8; 4096]);
        }
        // Not in the order of their addresses.
        bufs.swap(0, 2);
        let (n, mut bufs) = file.write_vectored_at(bufs, u64::from(round) * 12_288).await;
        assert_eq!(n.unwrap(), 12_288);
        // What is ours again may be used.
        bufs.iter_mut().for_each(|buf| buf.fill(255));
        drop(bufs);
        let bufs = [pool.get().await, pool.get().await, pool.get().await];
        let (n, bufs) = file.read_vectored_at(bufs, u64::from(round) * 12_288).await;
        assert_eq!(n.unwrap(), 12_288);
        for (i, buf) in bufs.iter().enumerate() {
            assert_eq!(buf[..], [round * 3 + 2 - i as u8; 4096], "buffer {i} in round {round}");
        }
    }
    expect(began + 16);
    // One of another region.
    let bufs = [pool.get().await, other.get().await];
    let (n, bufs) = file.read_vectored_at(bufs, 12_288).await;
    assert_eq!((n.unwrap(), &bufs[0][..], &bufs[1][..]), (8192, &[5; 4096][..], &[4; 4096][..]));
    let (n, _bufs) = file.write_vectored_at(bufs, 0).await;
    assert_eq!(n.unwrap(), 8192);
    expect(began + 16);
    assert_eq!(file.read_at(pool.get().await, 4096).await.1[..], [4; 4096]);
}

#[test]
fn v01_several_buffers_of_a_pool_go_by_its_place() {
    within_limit(|| {
        let temp = TempFile::new("several", &[0; 98_304]);
        let runtime = Builder::new().build().unwrap();
        let (handle, has) = (runtime.handle(), has_several(&runtime));
        let count = || handle.metrics().cores[0].registered_transfers;
        runtime.block_on(async {
            let file = File::options().read(true).write(true).open(&temp.0).await.unwrap();
            write_and_read_several(&file, count, has).await;
            let pool = BufferPool::new(4, 4096).unwrap();
            let before = count();
            // One that is the program's own, behind one of the pool.
            let mut head = pool.get().await;
            head.put(&[77; 4096]);
            let (n, _) = file.write_vectored_at((head, vec![78; 10]), 1).await;
            assert_eq!(n.unwrap(), 4106);
            assert_eq!(file.read_exact_at(vec![0; 11], 4096).await.1[..2], [77, 78]);
            // An empty one has no place.
            let parts = [ten(&pool).slice(..0), ten(&pool).slice(..10)];
            let (n, bufs) = file.read_vectored_at(parts, 0).await;
            assert_eq!((n.unwrap(), bufs[1].as_init().len()), (10, 10));
            assert_eq!(count(), before);
            // The end of the file.
            let end = file.metadata().await.unwrap().len();
            let (n, bufs) =
                file.read_vectored_at([pool.get().await, pool.get().await], end - 5000).await;
            assert_eq!((n.unwrap(), bufs[0].len(), bufs[1].len()), (5000, 4096, 904));
        });
    });
}

/// A buffer with ten bytes.
fn ten(pool: &BufferPool) -> PoolBuf {
    let mut buf = pool.try_get().unwrap();
    buf.put(&[9; 10]);
    buf
}

#[test]
fn v01_past_the_page_cache_several_buffers_go_by_their_place() {
    within_limit(|| {
        let temp = TempFile::new("several-direct", &[0; 98_304]);
        let runtime = Builder::new().build().unwrap();
        let (handle, has) = (runtime.handle(), has_several(&runtime));
        let count = || handle.metrics().cores[0].registered_transfers;
        runtime.block_on(async {
            match File::options().read(true).write(true).direct(true).open(&temp.0).await {
                Ok(file) => write_and_read_several(&file, count, has).await,
                Err(error) => println!("not run: {error}"),
            }
        });
    });
}

#[test]
fn v01_zero_copy_sends_of_several_buffers_use_registered_memory() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let has = has_several(&runtime);
        let rounds = size(200, 5_000);
        runtime.block_on(async {
            let pool = BufferPool::new(4, 8192).unwrap();
            let (a, b) = pair().await;
            let reader = kael_rt::spawn(async move {
                for round in 0..rounds {
                    let got = b.read_exact(vec![0; 12_288]).await.1;
                    let (one, two) = got.split_at(8192);
                    assert!(one.iter().all(|byte| *byte == round as u8), "in round {round}");
                    assert!(two.iter().all(|byte| *byte == !round as u8), "in round {round}");
                }
            });
            for round in 0..rounds {
                let mut bufs = [pool.get().await, pool.get().await];
                bufs[0].put(&[round as u8; 8192]);
                bufs[1].put(&[!round as u8; 4096]);
                let (n, mut bufs) = a.send_zc_vectored(bufs).await;
                assert_eq!(n.unwrap(), 12_288, "a socket with room takes all");
                bufs.iter_mut().for_each(|buf| buf.fill(255));
            }
            reader.await.unwrap();
        });
        if has && !is_emulated_without("the number of registered sends") {
            assert_eq!(core(&runtime).registered_transfers as usize, rounds);
        }
    });
}
