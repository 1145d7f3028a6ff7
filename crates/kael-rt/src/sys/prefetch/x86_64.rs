//! A line of memory that is wanted soon, on x86-64.

/// Has the line of that address brought into the cache. Any address will do.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: it is a hint: nothing is read, and an address that is nobody's is no fault.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) };
}
