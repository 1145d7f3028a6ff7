//! When the system is asked for a packet: before each sleep with something in flight, unless one is still to come.

#[derive(Default)]
pub(super) struct Bell {
    /// A packet was asked for and has not come yet.
    armed: bool,
}

impl Bell {
    pub(super) fn is_armed(&self) -> bool {
        self.armed
    }

    /// Whether to ask before a sleep, with so many requests in flight.
    pub(super) fn is_wanted(&self, in_flight: u32) -> bool {
        !self.armed && in_flight > 0
    }

    /// It was asked for: whether one will come.
    pub(super) fn asked(&mut self, will_come: bool) {
        self.armed = will_come;
    }

    /// The packet has come.
    pub(super) fn rang(&mut self) {
        self.armed = false;
    }
}
