//! Reads of pipes when buffers of their pool are short: who finds none waits for one without looking, goes on when it comes
//! back, and nobody is starved by a pipe that is written without pause.

#[path = "support/pieces.rs"]
mod pieces;
mod rig;

use kael_rt::buf::BufferPool;
use kael_rt::io::pipe;
use kael_rt::runtime::Builder;
use kael_rt::time::{Duration, sleep};
use pieces::{How, expect_all, expect_whole, write_sequence};
use rig::{size, within_limit};

#[test]
fn p04_a_pool_of_one_serves_a_burst_of_many() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(1, 256).unwrap();
            let held = pool.try_get().expect("nobody has it yet");
            let total = size(10_000, 100_000);
            let mut tasks = Vec::new();
            for i in 0..20 {
                let (reader, writer) = pipe().unwrap();
                let pool = pool.clone();
                tasks.push(kael_rt::spawn(write_sequence(writer, total, &[2000, 10])));
                tasks.push(kael_rt::spawn(async move {
                    let how = if i % 2 == 0 { How::Pooled } else { How::Stream };
                    expect_all(&reader, &pool, total, how).await;
                }));
            }
            // Each has something to read, and no buffer for it.
            sleep(Duration::from_millis(5)).await;
            drop(held);
            for task in tasks {
                task.await.unwrap();
            }
            expect_whole(&pool).await;
        });
        let core = &handle.metrics().cores[0];
        // (On Windows a read brings its buffer, and waits for that.)
        assert!(core.pool_starved > 0 || cfg!(windows), "one buffer was enough for twenty pipes");
    });
}

/// While no buffer is free, nobody looks again and again: the core sleeps until one comes back, and goes on then.
#[test]
#[cfg(not(kael_backend = "sim"))] // It counts the system's calls.
fn p04_a_starving_stream_sleeps_until_a_buffer_is_back() {
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(2, 64).unwrap();
            let (reader, writer) = pipe().unwrap();
            writer.write_all("early").await.0.unwrap();
            let mut held = vec![reader.read_pooled(&pool).await.unwrap().unwrap()];
            held.extend(pool.try_get());
            if !cfg!(windows) {
                assert_eq!((held.len(), pool.available(), pool.lent()), (2, 0, 0));
            }
            let mut pieces = reader.read_stream(&pool);
            writer.write_all("late").await.0.unwrap();
            let waiting = kael_rt::spawn(async move { pieces.next().await });
            sleep(Duration::from_millis(5)).await;
            assert!(!waiting.is_finished(), "no buffer is free");
            let before = handle.metrics().cores[0].syscalls;
            sleep(Duration::from_millis(100)).await;
            let calls = handle.metrics().cores[0].syscalls - before;
            // The emulated kqueue interrupts waits, and ends them for nothing.
            let most = if cfg!(kael_backend = "kqueue") { 50 } else { 3 };
            assert!(calls <= most, "{calls} calls while nothing could be done");
            assert!(!waiting.is_finished(), "no buffer is free");
            let before = handle.metrics().cores[0].turns;
            held.pop();
            assert_eq!(&waiting.await.unwrap().unwrap().unwrap()[..], b"late");
            // No timer is waited for: a few turns, and not a time.
            let turns = handle.metrics().cores[0].turns - before;
            assert!(turns <= 10 || cfg!(kael_backend = "kqueue"), "it went on {turns} turns later");
        });
    });
}

/// A pipe that is written without pause has no more than its share: each of the others gets on within a bounded number of turns.
#[test]
#[cfg(not(kael_backend = "sim"))] // The simulated kernel has other turns.
fn p04_a_flood_does_not_starve_the_others() {
    use std::cell::Cell;
    use std::rc::Rc;
    within_limit(|| {
        let runtime = Builder::new().build().unwrap();
        let handle = runtime.handle();
        runtime.block_on(async {
            let pool = BufferPool::new(12, 1024).unwrap();
            let stop = Rc::new(Cell::new(false));
            // Who is flooded holds nine of the twelve buffers for a while.
            let (reader, writer) = pipe().unwrap();
            let (flood, ends) = (pool.clone(), stop.clone());
            kael_rt::spawn(async move {
                while !ends.get() {
                    writer.write_all(vec![1; 256 * 1024]).await.0.unwrap();
                }
                writer.close().await
            });
            let flooded = kael_rt::spawn(async move {
                let (mut pieces, mut read) = (reader.read_stream(&flood), 0);
                let mut held = Vec::new();
                while let Some(piece) = pieces.next().await.unwrap() {
                    read += piece.len();
                    held.push(piece);
                    if held.len() == 9 {
                        kael_rt::yield_now().await;
                        held.clear();
                    }
                }
                read
            });
            let worst = Rc::new(Cell::new(0));
            let mut light = Vec::new();
            for _ in 0..99 {
                let (reader, writer) = pipe().unwrap();
                let (pool, worst, handle) = (pool.clone(), worst.clone(), handle.clone());
                light.push(kael_rt::spawn(async move {
                    let mut pieces = reader.read_stream(&pool);
                    for _ in 0..size(20, 200) {
                        writer.write_all("light").await.0.unwrap();
                        let before = handle.metrics().cores[0].turns;
                        let piece = pieces.next().await.unwrap().unwrap();
                        assert_eq!(&piece[..], b"light");
                        let turns = handle.metrics().cores[0].turns - before;
                        worst.set(worst.get().max(turns));
                    }
                }));
            }
            for task in light {
                task.await.unwrap();
            }
            stop.set(true);
            assert!(flooded.await.unwrap() > 0, "the flood never ran");
            println!("the longest wait: {} turns", worst.get());
            assert!(worst.get() <= 100, "a light pipe waited for {} turns", worst.get());
        });
    });
}
