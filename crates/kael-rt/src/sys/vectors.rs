//! Buffers as the system's calls for several want them: so many as there is room for, and no more bytes than one call moves.
#![forbid(unsafe_code)]

use super::{
    MOST,
    vector::{Vector, vector},
};
use crate::buf::{IoBufs, IoBufsMut, MAX_VECTORS};

pub(super) type Vectors = [Vector; MAX_VECTORS];

/// BSD refuses a call without any vector: where there are no bytes, this stands for them.
const NOTHING: Vector = vector(std::ptr::null_mut(), 0);

/// Names the rooms of buffers, empty ones too; in how many vectors.
pub(super) fn of_rooms(vectors: &mut Vectors, bufs: &mut impl IoBufsMut) -> usize {
    let (mut n, mut left) = (0, MOST);
    vectors[0] = NOTHING;
    bufs.rooms(&mut |room| {
        if n < MAX_VECTORS && left > 0 {
            let len = room.len().min(left);
            vectors[n] = vector(room.as_mut_ptr().cast(), len);
            left -= len;
            n += 1;
        }
    });
    n.max(1)
}

/// Names the bytes of buffers less the first `skip`; in how many vectors.
pub(super) fn of_bytes(vectors: &mut Vectors, bufs: &impl IoBufs, mut skip: usize) -> usize {
    of_parts(
        vectors,
        (0..bufs.count()).map(|i| {
            let bytes = bufs.get(i);
            let skipped = skip.min(bytes.len());
            skip -= skipped;
            &bytes[skipped..]
        }),
    )
}

/// Names bytes, of which any part may be empty; in how many vectors.
pub(super) fn of_parts<'a>(
    vectors: &mut Vectors,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> usize {
    let (mut n, mut left) = (0, MOST);
    vectors[0] = NOTHING;
    for part in parts {
        if !part.is_empty() && n < MAX_VECTORS && left > 0 {
            let len = part.len().min(left);
            vectors[n] = vector(part.as_ptr().cast_mut(), len);
            left -= len;
            n += 1;
        }
    }
    n.max(1)
}
