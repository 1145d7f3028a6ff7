//! The process's limits: what they are, and the descriptors' one raised as far as it goes without privileges.

use crate::fail::Fail;
pub(crate) use crate::system::{descriptors, is_starved, locked_memory, raise_descriptors};
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

/// Descriptors of a server beside its connections.
const OTHER_DESCRIPTORS: u64 = 32;

/// Descriptors of a connection that there must be, and those that it may have for a while: two pipes. For a pipe that cannot
/// be had, bytes are copied.
const NEEDED: u64 = 2;
const AT_MOST: u64 = NEEDED + 4;

/// How many connections a server may have that has `kept` descriptors for other things: `wanted`, or as many as there is
/// room for.
pub(crate) fn connections(wanted: u32, kept: u64) -> Result<u32, Fail> {
    let others = OTHER_DESCRIPTORS + kept;
    let limit = raise_descriptors(AT_MOST * u64::from(wanted) + others);
    let room = limit.0.map_or(u64::MAX, |limit| limit.saturating_sub(others) / NEEDED);
    if room == 0 {
        return Err(Fail::Use(format!(
            "a limit of {limit} descriptors leaves none for connections: raise it (`ulimit -Hn`; systemd: `LimitNOFILE=`)"
        )));
    }
    if room < u64::from(wanted) {
        eprintln!(
            "{room} connections at a time instead of {wanted}: the limit is {limit} descriptors"
        );
    }
    Ok(wanted.min(u32::try_from(room).unwrap_or(u32::MAX)))
}
