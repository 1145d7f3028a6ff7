//! What the kernel granted a ring, by the names that reports and tests have for it.

use super::{Backend, abi::*, remarks};
use crate::sys::Granted;

impl Backend {
    /// What the ring was granted, for reports.
    pub(crate) fn describe(&self) -> Granted {
        let setup = [
            (SETUP_SQPOLL, "submission thread"),
            (SETUP_SINGLE_ISSUER, "SINGLE_ISSUER"),
            (SETUP_DEFER_TASKRUN, "DEFER_TASKRUN"),
            (SETUP_TASKRUN_FLAG, "TASKRUN_FLAG"),
            (SETUP_SUBMIT_ALL, "SUBMIT_ALL"),
            (SETUP_NO_SQARRAY, "NO_SQARRAY"),
        ];
        let mut flags: Vec<&'static str> = setup
            .iter()
            .filter(|(bit, _)| self.ring.setup_flags & bit != 0)
            .map(|(_, n)| *n)
            .collect();
        if self.ring.is_registered() {
            flags.push("registered ring fd");
        }
        if self.ring.is_restricted() {
            flags.push("restricted");
        }
        if self.growth.is_possible() {
            flags.push("resizable");
        }
        if self.ring.has_registered_limit() {
            flags.push("registered waits");
        }
        if self.batch_wait_us > 0 {
            flags.push("batch wait");
        }
        if self.busy_polls {
            flags.push("busy poll");
        }
        if self.polled.as_ref().is_some_and(|polled| !polled.is_over()) {
            flags.push("polled direct I/O");
        }
        if self.ring.features & FEATURE_NO_IOWAIT != 0 {
            flags.push("NO_IOWAIT");
        }
        if self.files.places() > 0 {
            flags.push("file table");
        }
        if self.direct.places() > 0 {
            flags.push("direct descriptors");
        }
        if self.probe.bundles() {
            flags.push("receive bundles");
        }
        let queue_entries = [self.ring.sq_entries(), self.ring.cq_entries()];
        let bytes_mapped = self.ring.bytes_mapped();
        Granted {
            interface: "io_uring",
            model: "completion, through io_uring; one ring and one thread per core",
            remarks: remarks::remarks(&flags, queue_entries, bytes_mapped),
            flags,
            queue_entries,
            bytes_mapped,
            lost_completions: u64::from(self.ring.lost()),
        }
    }
}
