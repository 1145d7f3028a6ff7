//! Counts heap allocations of pipes in their steady state: none. See `alloc_io.rs`.

#![cfg(not(kael_backend = "sim"))] // A simulated kernel allocates.

#[path = "support/counting.rs"]
mod counting;
mod rig;
#[path = "support/steady.rs"]
mod steady;

use counting::Counting;
use kael_rt::buf::BufferPool;
use kael_rt::io::pipe;
use rig::{size, within_limit};
use steady::expect_no_allocation;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = 100_000;

#[test]
fn r41_pipes() {
    within_limit(|| {
        kael_rt::block_on(async {
            let pool = BufferPool::new(16, 1024).unwrap();
            let ((reader, writer), (back, there)) = (pipe().unwrap(), pipe().unwrap());
            let _echo = kael_rt::spawn(async move {
                let mut pieces = reader.read_stream(&pool);
                while let Some(piece) = pieces.next().await.unwrap() {
                    there.write_all(piece).await.0.unwrap();
                }
                let _pool = pool;
            });
            let (mut one, mut two) = (vec![7; 64], Some([vec![1u8; 32], vec![2; 32]]));
            expect_no_allocation("pipe ping-pong", size(ROUNDS, 1_000_000), async || {
                let (n, buf) = writer.write(std::mem::take(&mut one)).await;
                assert_eq!(n.unwrap(), 64);
                let (n, buf) = back.read(buf).await;
                assert_eq!(n.unwrap(), 64);
                let (n, buf) = writer.write_all(buf).await;
                assert_eq!(n.unwrap(), 64);
                let (n, buf) = back.read_exact(buf).await;
                assert_eq!(n.unwrap(), 64);
                one = buf;
                let (n, bufs) = writer.write_all_vectored(two.take().unwrap()).await;
                assert_eq!(n.unwrap(), 64);
                let (n, first) = back.read_vectored(bufs).await;
                // On Windows two calls write them, and one reads the first.
                let rest = 64 - n.unwrap();
                if rest > 0 {
                    one.truncate(rest);
                    let (n, buf) = back.read_exact(std::mem::take(&mut one)).await;
                    assert_eq!(n.unwrap(), rest);
                    one = buf;
                    one.resize(64, 7);
                }
                two = Some(first);
                for buf in two.as_mut().unwrap() {
                    buf.resize(32, 3);
                }
            })
            .await;
        });
    });
}

/// A pipe that is made and closed: the nodes of its ends are used again.
#[test]
fn r41_pipes_made_and_closed() {
    within_limit(|| {
        kael_rt::block_on(async {
            let rounds = size(10_000, 100_000);
            // On Windows a pipe has a name.
            if cfg!(windows) {
                println!("not run: to open is no hot path, and names are text");
                return;
            }
            expect_no_allocation("pipes made and closed", rounds, async || {
                let (reader, writer) = pipe().unwrap();
                writer.write_all("last").await.0.unwrap();
                writer.close().await.unwrap();
                drop(reader);
            })
            .await;
        });
    });
}
