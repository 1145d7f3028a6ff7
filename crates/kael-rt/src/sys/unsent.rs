//! Where no call sends a file: it goes through pipes or buffers.
#![forbid(unsafe_code)]

use crate::op::Request;

/// This system does not.
pub(crate) const TRANSMITS: bool = false;
/// What stands before the file goes as a message.
pub(crate) const TRANSMITS_HEAD: bool = false;

/// No request is one of these.
#[allow(dead_code, reason = "a simulated kernel makes no calls")]
pub(super) fn call(_: &Request<'_>, _: &mut u64) -> Option<i32> {
    None
}
