//! Direct descriptors: sockets that have a place in the ring's table and no number of the process.
//!
//! The kernel picks the place, out of a range that is set aside behind the places of files: an accept
//! that named one itself would end whatever is there by mistake, and would have to keep its place by
//! its slot. What is kept here is how many are free. An accept asks for one only if there is, because
//! the kernel notices a full table after it has taken the connection, and then ends that.
//!
//! What such a socket is told or asked outside the operations goes through [`Backend::command`]: a
//! submission that the kernel carries out within the call that takes it.

use super::{
    Backend, COMMAND, NOBODY,
    abi::*,
    lower,
    ring::{Probe, Ring},
};
use crate::{
    driver::{Descriptor, Fd},
    sys::SocketOption,
};
use socket2::Socket;
use std::{io, net::SocketAddr, ops::ControlFlow, os::fd::FromRawFd};

/// The most places of a table with direct descriptors. The kernel has 8 bytes for each.
const MOST: u32 = 65_536;

/// The kernel's queue of completions is read so often, at most, for one answer. It is long enough by then, or work comes as fast.
const MOST_ROUNDS: u32 = 4096;

/// How often a submission is handed over: a call may be interrupted, or there may be no memory for a moment.
const TRIES: u32 = 4;

/// The kernel has all that such sockets need: their options (Linux 6.7), and a number when one is wanted (6.8).
pub(super) fn is_possible(probe: &Probe) -> bool {
    probe.has(OP_URING_CMD) && probe.has(OP_FIXED_FD_INSTALL)
}

/// How many places are for files and how many for direct descriptors. A sparse table costs so little that it
/// is made as large as it may become.
pub(super) fn share(limit: u32) -> (u32, u32) {
    let all = limit.min(MOST);
    (all / 4, all - all / 4)
}

pub(super) struct Direct {
    places: u32,
    /// Neither taken nor kept for an accept that is under way.
    free: u32,
    /// The ring may be asked for more than an accept: it was made for direct descriptors.
    pub(super) makes_sockets: bool,
    /// The value of an option that is set. The kernel reads it within the call, and it stays in any case.
    value: Box<[i32; 2]>,
}

impl Direct {
    /// Sets `count` places aside for the kernel to choose from; none if it does not want to.
    pub(super) fn new(ring: &mut Ring, first: u32, count: u32) -> Direct {
        let mut range = FileRange { first, count, resv: 0 };
        let is_set = count > 0
            && ring.register(REGISTER_FILE_ALLOC_RANGE, &raw mut range as usize, 0).is_ok();
        let places = if is_set { count } else { 0 };
        Direct { places, free: places, makes_sockets: true, value: Box::default() }
    }

    pub(super) fn places(&self) -> u32 {
        self.places
    }

    pub(super) fn is_used(&self) -> bool {
        self.free < self.places
    }
}

impl Backend {
    /// Keeps a place for a connection of a listener. False: none is free, or the kernel accepts for the listener by itself, and
    /// its connections have numbers.
    pub(crate) fn reserve_direct(&mut self, listener: i32) -> bool {
        !self.shots.has(listener) && self.reserve_place()
    }

    fn reserve_place(&mut self) -> bool {
        let is_free = self.direct.free > 0;
        self.direct.free -= u32::from(is_free);
        is_free
    }

    /// A place is free again, for what is submitted from here on.
    pub(crate) fn unreserve_direct(&mut self) {
        self.direct.free = (self.direct.free + 1).min(self.direct.places);
    }

    /// A close is about to be submitted, if there is room for it.
    #[cold]
    pub(super) fn begins_close(&mut self, fd: &Descriptor) {
        if fd.is_direct() && self.has_room() {
            self.unreserve_direct();
        }
    }

    /// Submits what the kernel answers within the call that takes it, and makes that call; what was queued before goes
    /// along. One system call.
    fn command(&mut self, sqe: Sqe) -> io::Result<i32> {
        if !self.has_room() {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        if !self.ring.has_room_for_answers() {
            self.set_answers_aside();
        }
        let answers = self.ring.completions_end();
        // SAFETY: the submissions below point at `value`, which stays as long as the ring.
        unsafe { self.ring.push(Sqe { user_data: COMMAND, ..sqe }) };
        for _ in 0..TRIES {
            let _ = self.hand_over::<false>(0, None);
            if self.ring.unsubmitted() == 0 {
                break;
            }
        }
        if self.ring.unsubmitted() > 0 {
            // The kernel has no memory for more submissions. This one was the last.
            let nothing =
                Sqe { opcode: OP_NOP, flags: SQE_CQE_SKIP, user_data: NOBODY, ..Sqe::default() };
            // SAFETY: it points at no memory.
            unsafe { self.ring.push_instead(nothing) };
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        match self.ring.find(answers, COMMAND) {
            Some(result @ 0..) => Ok(result),
            Some(error) => Err(io::Error::from_raw_os_error(-error)),
            // There was no room for its answer, after all.
            None => Err(io::ErrorKind::ResourceBusy.into()),
        }
    }

    /// Makes room in the queue of completions: those that are there are read from memory, in their order.
    #[cold]
    fn set_answers_aside(&mut self) {
        self.flush();
        for _ in 0..MOST_ROUNDS {
            let mut events = Vec::new();
            let _: Option<()> = self.each(&mut { u32::MAX }, |event| {
                events.push(event);
                ControlFlow::Continue(())
            });
            // What was set aside before is read first, and that is from the end on.
            self.own.splice(0..0, events.into_iter().rev());
            if !self.ring.has_overflow() {
                return;
            }
            let _ = self.ring.enter(false, 0, None);
        }
    }

    /// A stream socket in the table, to connect with. `None`: it has no place, or there is no table. 1 system call.
    pub(crate) fn direct_stream_socket(&mut self, to: SocketAddr) -> Option<io::Result<i32>> {
        if !self.direct.makes_sockets || !self.reserve_place() {
            return None;
        }
        let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let made = self.command(Sqe {
            opcode: OP_SOCKET,
            fd: family,
            off: libc::SOCK_STREAM as u64,
            len: libc::IPPROTO_TCP as u32,
            file_index: FILE_INDEX_ALLOC,
            ..Sqe::default()
        });
        match made.as_ref().map_err(io::Error::raw_os_error) {
            Ok(_) => {}
            // It was not asked: an ordinary one is made by a call of its own.
            Err(Some(libc::EBUSY)) => {
                self.unreserve_direct();
                return None;
            }
            Err(Some(_)) => self.unreserve_direct(),
            // Nobody knows whether it has made one.
            Err(None) => {}
        }
        Some(made)
    }

    /// A number for a direct descriptor, which keeps its place. `EMFILE`: none is free. 1 system call.
    pub(crate) fn install(&mut self, fd: &Fd) -> io::Result<i32> {
        self.command(Sqe { opcode: OP_FIXED_FD_INSTALL, ..lower::on(fd) })
    }

    /// The same, of a socket, for a moment.
    pub(crate) fn installed(&mut self, fd: &Fd) -> io::Result<Socket> {
        let number = self.install(fd)?;
        // SAFETY: the kernel just made it for us.
        Ok(unsafe { Socket::from_raw_fd(number) })
    }

    /// 1 system call.
    pub(crate) fn set_direct_option(&mut self, fd: &Fd, option: &SocketOption) -> io::Result<()> {
        let (level, name, value, len) = match *option {
            SocketOption::Nodelay(on) => (libc::IPPROTO_TCP, libc::TCP_NODELAY, [on.into(), 0], 4),
            SocketOption::Ttl(ttl) => (libc::IPPROTO_IP, libc::IP_TTL, [ttl as i32, 0], 4),
            SocketOption::Broadcast(on) => {
                (libc::SOL_SOCKET, libc::SO_BROADCAST, [on.into(), 0], 4)
            }
            // `struct linger`: whether, and whole seconds.
            SocketOption::Linger(time) => {
                let seconds = time.map_or(0, |time| time.as_secs().min(i32::MAX as u64) as i32);
                (libc::SOL_SOCKET, libc::SO_LINGER, [time.is_some().into(), seconds], 8)
            }
            SocketOption::Keepalive(on) => {
                (libc::SOL_SOCKET, libc::SO_KEEPALIVE, [on.into(), 0], 4)
            }
            // They are of sockets that are neither connected nor listen, which have numbers.
            SocketOption::ReuseAddress(_)
            | SocketOption::ReusePort(_)
            | SocketOption::SendBuffer(_)
            | SocketOption::ReceiveBuffer(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        *self.direct.value = value;
        self.command(Sqe {
            opcode: OP_URING_CMD,
            off: SOCKET_SETSOCKOPT,
            addr: level as u64 | (name as u64) << 32,
            file_index: len,
            addr3: self.direct.value.as_ptr() as u64,
            ..lower::on(fd)
        })
        .map(drop)
    }
}
