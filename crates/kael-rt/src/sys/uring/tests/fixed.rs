//! Which operation of the ring several buffers are moved by.

use super::super::abi::*;
use super::faults::{self, Fault};
use super::{TempPath, counters, in_time, kernel_has, pair};
use crate::buf::{BufferPool, PoolBuf};
use crate::fs::File;
use crate::net::TcpStream;
use crate::task::context;

async fn two(pool: &BufferPool) -> [PoolBuf; 2] {
    [pool.get().await, pool.get().await]
}

/// How often each of these operations was used to write and read through two buffers of a pool, and to send them.
async fn uses(file: &File, streams: &(TcpStream, TcpStream), pool: &BufferPool) -> [u32; 4] {
    let mut uses = [0; 4];
    for (i, opcode) in
        [OP_READV, OP_WRITEV, OP_READV_FIXED, OP_WRITEV_FIXED].into_iter().enumerate()
    {
        faults::clear();
        // Three vectors or less are what it asks for anyway.
        faults::meet(opcode, Fault::Shorten(3), u32::MAX);
        let mut bufs = two(pool).await;
        bufs[0].put(&[b'a'; 8]);
        bufs[1].put(&[b'b'; 64]);
        let (n, bufs) = file.write_vectored_at(bufs, 0).await;
        assert_eq!(n.unwrap(), 72);
        let (n, bufs) = streams.0.send_zc_vectored(bufs).await;
        assert_eq!(n.unwrap(), 72);
        drop(bufs);
        let (n, bufs) = file.read_vectored_at(two(pool).await, 0).await;
        assert_eq!(n.unwrap(), 72);
        let expected = [[b'a'; 8].as_slice(), &[b'b'; 64]].concat();
        assert_eq!([&bufs[0][..], &bufs[1][..]].concat(), expected);
        assert_eq!(streams.1.read_exact(vec![0; 72]).await.1, expected);
        uses[i] = faults::hits();
    }
    faults::clear();
    uses
}

#[test]
fn v01_a_kernel_that_registers_single_buffers_only_moves_several_as_plain_memory() {
    in_time(|| {
        crate::block_on(async {
            let path = TempPath::holding("several", b"");
            let (file, streams) = (path.open().await, pair().await);
            let pool = BufferPool::new(4, 64).unwrap();
            if kernel_has(OP_READV_FIXED, "several registered buffers") {
                assert_eq!(uses(&file, &streams, &pool).await, [0, 0, 1, 1]);
                assert_eq!(counters().registered_transfers, 12);
            }
            let before = counters().registered_transfers;
            context::with("a test", |core| {
                core.driver.control(|backend| {
                    backend.fixed.forget_several();
                    Ok(())
                })
            })
            .unwrap();
            assert_eq!(uses(&file, &streams, &pool).await, [1, 1, 0, 0]);
            assert_eq!(counters().registered_transfers, before);
            // One of it is still found.
            assert_eq!(file.read_at(pool.get().await, 0).await.0.unwrap(), 64);
            assert_eq!(counters().registered_transfers, before + 1);
        });
    });
}
