//! The process's limits: what they are, and the descriptors' one raised as far as it goes without privileges.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt;

/// A limit in its unit, or none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limit(pub(crate) Option<u64>);

impl Limit {
    pub(crate) fn is_at_least(self, value: u64) -> bool {
        self.0.is_none_or(|limit| limit >= value)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(limit) => limit.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}

/// Bytes of memory that may be locked: soft, hard.
pub(crate) fn locked_memory() -> (Limit, Limit) {
    both(getrlimit(Resource::Memlock))
}

/// Descriptors that may be open: soft, hard.
pub(crate) fn descriptors() -> (Limit, Limit) {
    both(getrlimit(Resource::Nofile))
}

fn both(limit: Rlimit) -> (Limit, Limit) {
    (Limit(limit.current), Limit(limit.maximum))
}

/// Raises the soft limit of descriptors, up to the hard one, so that `wanted` fit. Returns the limit that holds then.
pub(crate) fn raise_descriptors(wanted: u64) -> Limit {
    let (soft, hard) = descriptors();
    if soft.is_at_least(wanted) {
        return soft;
    }
    let raised = if hard.is_at_least(wanted) { Some(wanted) } else { hard.0 };
    let limit = Rlimit { current: raised, maximum: hard.0 };
    // Raising a soft limit to at most the hard one is always allowed; if not, the old one holds.
    let _ = setrlimit(Resource::Nofile, limit);
    descriptors().0
}
