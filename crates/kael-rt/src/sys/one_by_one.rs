//! Where no system repeats an accept by itself, each connection is asked for: there is nothing to stop.
#![forbid(unsafe_code)]

use super::Backend;

impl Backend {
    /// The system does not receive datagrams again and again.
    pub(crate) const REPEATS_MESSAGES: bool = false;

    /// Nobody is going to ask for several connections of a listener.
    pub(crate) fn stop_accepting(&mut self, _: i32) {}

    /// The core ends. True: accepts that the system repeats are not over.
    pub(crate) fn ends_accepting(&mut self) -> bool {
        false
    }
}
