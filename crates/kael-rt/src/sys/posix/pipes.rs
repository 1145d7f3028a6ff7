//! What is received from a pipe and sent into one: the calls of files, since a pipe has none of a socket's.

use super::{super::own, again};
use crate::op::Request;

/// Carries a request of a stream out that is a pipe, as far as one call does.
#[cold]
#[inline(never)]
pub(super) fn call(number: i32, request: &mut Request<'_>) -> i32 {
    // SAFETY (of all calls here): see `call` of the requests of others. The vectors of a message are the scratch's, so many
    // as its header says, and name memory of the operation.
    match request {
        Request::Recv { into, .. } => {
            let (room, len) = (into.as_mut_ptr().cast(), own::most(into.len()));
            // SAFETY: see above.
            again(|| unsafe { libc::read(number, room, len) })
        }
        Request::RecvVectored { message, .. } => {
            let (vectors, count) = (message.header.msg_iov, message.count() as i32);
            // SAFETY: see above.
            again(|| unsafe { libc::readv(number, vectors, count) })
        }
        Request::Send { from, .. } => {
            let (bytes, len) = (from.as_ptr().cast_mut().cast(), own::most(from.len()));
            let one = libc::iovec { iov_base: bytes, iov_len: len };
            // SAFETY: see above.
            again(|| unsafe { own::write_pipe(number, &one, 1) })
        }
        Request::SendMessage { message, .. } => {
            let (vectors, count) = (message.vectors().as_ptr(), message.vectors().len() as i32);
            // SAFETY: see above.
            again(|| unsafe { own::write_pipe(number, vectors, count) })
        }
        _ => unreachable!("a pipe is asked for nothing else"),
    }
}
