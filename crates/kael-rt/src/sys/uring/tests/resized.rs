//! A ring is resized with completions in it that nobody has read, and more that found no room.

use super::super::{
    abi::*,
    ring::{Ring, resizes_soundly},
};
use super::in_time;

#[test]
fn r11_completions_that_nobody_has_read_survive_a_resize() {
    in_time(|| {
        if !resizes_soundly() {
            println!("this kernel does not resize rings, or not soundly");
            return;
        }
        let mut ring = Ring::new(4, 8).unwrap();
        ring.enable().unwrap();
        let mut expected = 0..;
        for sizes in [(8, 16), (16, 64), (4, 8), (4, 16), (32, 128)] {
            // Read some first, so that the positions are anywhere in the old queue.
            let begin = expected.start;
            let mut pushed = begin;
            for batch in [3, 4, 4, 2] {
                for _ in 0..batch {
                    let nop = Sqe { opcode: OP_NOP, fd: -1, user_data: pushed, ..Sqe::default() };
                    // SAFETY: it points at nothing.
                    unsafe { ring.push(nop) };
                    pushed += 1;
                }
                assert_eq!(ring.enter(true, 0, None), Ok(batch));
            }
            read_in_order(&mut ring, &mut expected, 3);
            let resized = ring.resize(sizes.0, sizes.1).unwrap();
            // What there is may be too much for a smaller queue; then nothing has changed.
            assert!(resized || sizes.1 == 8);
            if resized {
                assert_eq!((ring.sq_entries(), ring.cq_entries()), sizes);
            }
            read_in_order(&mut ring, &mut expected, pushed - begin - 3);
            assert_eq!(ring.ready(), 0);
            assert!(!ring.has_overflowed());
        }
        assert_eq!(ring.lost(), 0);
    });
}

/// Reads `count` completions: each submission's once, in order.
fn read_in_order(ring: &mut Ring, expected: &mut std::ops::RangeFrom<u64>, count: u64) {
    let mut left = count;
    while left > 0 {
        if ring.ready() == 0 {
            ring.enter(true, 0, None).unwrap();
        }
        assert!(ring.ready() > 0, "{left} completions are lost");
        while left > 0
            && let Some(cqe) = ring.next()
        {
            assert_eq!((cqe.user_data, cqe.res), (expected.next().unwrap(), 0));
            left -= 1;
        }
    }
}
