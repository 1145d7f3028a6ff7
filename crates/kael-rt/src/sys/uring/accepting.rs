//! Accepts that the kernel repeats by itself (IORING_ACCEPT_MULTISHOT). They belong to no slot: an accept of the
//! driver's takes what is there, or waits for the next connection. `shots.rs` decides.
//!
//! All of them would share one address, so the kernel is asked for none: who wants it pays for getpeername(2).

use super::{
    super::{
        event::{Event, Started},
        shots::{Asked, LISTENERS, Shots, Told},
    },
    Backend,
    abi::*,
    lower, refusal,
};
use crate::{driver::SlotId, op::Request};
use std::{fs, sync::OnceLock};

/// None, where the kernel does not repeat accepts soundly; that is asked once a process.
pub(super) fn shots() -> Shots {
    static SOUND: OnceLock<bool> = OnceLock::new();
    let is_sound = *SOUND.get_or_init(|| {
        is_sound(fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim())
    });
    Shots::new(if is_sound { LISTENERS } else { 0 })
}

/// Linux 6.6 and 6.7 lose the connection for which the completion queue has no room, and answer with a number that is none of
/// its. That was mended in 6.8 and in stable kernels of February 2024, and is taken to be so from 6.6.30 on.
fn is_sound(kernel: &str) -> bool {
    match refusal::release(kernel) {
        Some((6, 6)) => {
            let patch = kernel.split(|c: char| !c.is_ascii_digit()).nth(2);
            patch.and_then(|patch| patch.parse().ok()).is_some_and(|patch: u32| patch >= 30)
        }
        Some((6, 7)) => false,
        _ => true,
    }
}

#[test]
fn m01_kernels_that_lose_connections_are_not_asked_to_repeat() {
    let unsound = ["6.6.0", "6.6", "6.6.17-200.fc39.x86_64", "6.6.9-amd64", "6.7.12"];
    unsound.iter().for_each(|kernel| assert!(!is_sound(kernel), "{kernel}"));
    let sound =
        ["6.1.0-44-amd64", "6.5.13", "6.6.30", "6.6.87.2-microsoft-standard", "6.8.0", "7.0"];
    sound.iter().for_each(|kernel| assert!(is_sound(kernel), "{kernel}"));
}

impl Backend {
    /// The kernel receives datagrams again and again, each into a buffer that it picks.
    pub(crate) const REPEATS_MESSAGES: bool = true;

    /// An accept of a listener whose accept is repeated, or shall be.
    #[cold]
    pub(super) fn start_accept(&mut self, id: SlotId, mut request: Request<'static>) -> Started {
        let (listener, repeats) = match &request {
            Request::Accept { fd, .. } => (*fd, false),
            Request::AcceptNext { fd, .. } => (*fd, true),
            _ => unreachable!("another request"),
        };
        let asked = match listener.is_direct() {
            true => Asked::Alone,
            false => self.shots.ask(listener.number(), repeats),
        };
        if let Request::AcceptNext { peer, .. } = &mut request
            && asked != Asked::Alone
        {
            peer.forget();
        }
        match asked {
            Asked::Came(number) => {
                let result = self.hand_out(&mut request, number);
                if self.shots.may_hand_out() {
                    return Started::Done(result);
                }
                self.own.push(Event { user: id.0, result, flags: 0 });
            }
            Asked::Waits(user) => self.shots.wait(user, id, request),
            Asked::Begins(user) => {
                self.shots.wait(user, id, request);
                self.repeat(user, listener.number());
            }
            Asked::Alone => {
                let (Request::Accept { peer, .. } | Request::AcceptNext { peer, .. }) = request
                else {
                    unreachable!("another request")
                };
                let sqe = lower::accept(listener, peer);
                #[cfg(test)]
                let mut sqe = sqe;
                #[cfg(test)]
                if let Some((result, flags)) = super::faults::starting(&mut sqe) {
                    self.own.push(Event { user: id.0, result, flags });
                    return Started::Queued;
                }
                // SAFETY: the driver keeps what the request points at until we report the slot.
                unsafe { self.ring.push(Sqe { user_data: id.0, ..sqe }) };
            }
        }
        Started::Queued
    }

    /// Asks for all connections that come.
    fn repeat(&mut self, user: u64, listener: i32) {
        let sqe = Sqe {
            opcode: OP_ACCEPT,
            fd: listener,
            ioprio: ACCEPT_MULTISHOT,
            op_flags: libc::SOCK_CLOEXEC as u32,
            user_data: user,
            ..Sqe::default()
        };
        #[cfg(test)]
        let mut sqe = sqe;
        #[cfg(test)]
        if let Some((result, _)) = super::faults::starting(&mut sqe) {
            let told = self.accepted(user, result, false);
            self.own.extend(told);
            return;
        }
        // SAFETY: it points at no memory.
        unsafe { self.ring.push(sqe) };
    }

    /// The kernel has accepted, or will no more. Some: for whom.
    #[cold]
    pub(super) fn accepted(&mut self, user: u64, result: i32, more: bool) -> Option<Event> {
        match self.shots.answered(user, result, more) {
            Told::Nothing => None,
            Told::Nobodys(number) => {
                self.close(number, false);
                None
            }
            Told::For(id, mut request, result) => {
                let result = match result {
                    0.. => self.hand_out(&mut request, result),
                    code => code,
                };
                Some(Event { user: id.0, result, flags: 0 })
            }
        }
    }

    /// The answer of an accept that gets this connection, with its address if it wants that.
    fn hand_out(&mut self, request: &mut Request<'static>, number: i32) -> i32 {
        let Request::Accept { peer, .. } = request else { return number };
        self.calls += 1;
        // SAFETY: room for any address, by its address and size.
        let code = unsafe {
            libc::getpeername(number, peer.storage.as_mut_ptr().cast(), &raw mut peer.len)
        };
        if code == 0 {
            return number;
        }
        // It ended while it waited. accept(2) would say so, too.
        self.close(number, false);
        -libc::ECONNABORTED
    }

    /// What shall stop is stopped, as far as there is room.
    #[cold]
    pub(super) fn stop_repeating(&mut self) {
        while let Some(user) = self.shots.next_leaving() {
            let sqe = Sqe { opcode: OP_ASYNC_CANCEL, fd: -1, addr: user, ..Sqe::default() };
            if self.push_own(sqe).is_err() {
                return;
            }
            self.shots.is_stopping(user);
        }
    }

    /// Nobody is going to ask for several connections of a listener.
    pub(crate) fn stop_accepting(&mut self, listener: i32) {
        self.shots.no_more(listener);
    }

    /// A listener is closed, and with it what nobody took.
    pub(super) fn forget_listener(&mut self, listener: i32) {
        for number in self.shots.forget(listener) {
            self.close(number, false);
        }
    }

    /// The core ends. True: accepts that the kernel repeats are not over.
    pub(crate) fn ends_accepting(&mut self) -> bool {
        while let Some(listener) = self.shots.any() {
            self.forget_listener(listener);
        }
        self.shots.are_out()
    }

    /// Behaves as a kernel whose repeated accepts are not sound (6.6 and 6.7).
    #[cfg(test)]
    pub(crate) fn forget_repeating(&mut self) {
        self.shots = Shots::new(0);
    }
}
