//! The ring of a runtime takes what this backend uses, and the kernel refuses all else.

use super::super::{abi::*, restrict, ring::Ring};
use super::in_time;
use crate::task::context;
use std::io;

/// Runs `f` on the ring of a new runtime.
fn with_ring(f: impl FnOnce(&mut Ring) + Send + 'static) {
    in_time(|| {
        crate::block_on(async {
            context::with("a test", |core| {
                core.driver.control(|backend| {
                    f(&mut backend.ring);
                    io::Result::Ok(())
                })
            })
            .unwrap();
        });
    });
}

/// What the kernel answers to a submission that points at no memory.
fn answer(ring: &mut Ring, sqe: Sqe) -> i32 {
    // SAFETY: it points at nothing, or is refused.
    unsafe { ring.push(Sqe { user_data: 7, ..sqe }) };
    ring.enter(true, 1, None).unwrap();
    let cqe = ring.next().expect("the kernel answers everything");
    assert_eq!(cqe.user_data, 7);
    assert!(ring.next().is_none());
    cqe.res
}

#[test]
fn b16_the_kernel_refuses_what_is_not_ours() {
    with_ring(|ring| {
        assert!(ring.is_restricted());
        let nop = Sqe { opcode: OP_NOP, fd: -1, ..Sqe::default() };
        assert_eq!(answer(ring, nop), 0);
        let mut refused = 0;
        for opcode in 0..=u8::MAX {
            if restrict::is_allowed(opcode) {
                continue;
            }
            let result = answer(ring, Sqe { opcode, fd: -1, ..Sqe::default() });
            // EINVAL: this kernel does not know it.
            assert!([-libc::EACCES, -libc::EINVAL].contains(&result), "opcode {opcode}: {result}");
            refused += u32::from(result == -libc::EACCES);
        }
        assert!(refused >= 20, "{refused} opcodes were refused");
        // IOSQE_IO_DRAIN and IOSQE_ASYNC.
        for flags in [1 << 1, 1 << 4] {
            assert_eq!(answer(ring, Sqe { flags, ..nop }), -libc::EACCES);
        }
        assert_eq!(answer(ring, nop), 0, "and the ring goes on");
    });
}

/// Nobody can add files, buffers, an eventfd, credentials, or lift the restrictions.
#[test]
fn b16_the_kernel_refuses_registrations_that_are_not_ours() {
    with_ring(|ring| {
        for opcode in (0..=25).filter(|opcode| !restrict::is_allowed_to_register(*opcode)) {
            assert_eq!(ring.register(opcode, 0, 0), Err(libc::EACCES), "opcode {opcode}");
        }
    });
}
