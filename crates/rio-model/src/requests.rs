//! Request queues: made, resized, and given requests.

use crate::guard::enter;
use crate::peers::{self, Peers};
use crate::transfer::{Direction, Transfer};
use crate::violations::{Violation, record};
use crate::world::{self, Part, Parts, Queue, Request, World};
use std::ops::Range;
use windows_sys::Win32::Networking::WinSock::{
    RIO_BUF, RIO_MSG_COMMIT_ONLY, RIO_MSG_DEFER, RIO_MSG_DONT_NOTIFY, SOCKADDR_INET, SOCKET,
    WSAECONNRESET, WSAEFAULT, WSAEINVAL, WSAENOBUFS, WSAENOTCONN, WSAEOPNOTSUPP,
};

pub(crate) fn create(
    socket: SOCKET,
    limits: [u32; 2],
    buffers: [u32; 2],
    completions: [isize; 2],
    context: u64,
) -> Result<isize, i32> {
    let peers = Peers::of(socket)?;
    if limits == [0; 2] || buffers != [1; 2] {
        return Err(record(Violation::Arguments, WSAEINVAL));
    }
    let mut world = world::lock();
    for number in completions {
        if world.completions(number)?.chance.refuses() {
            return Err(WSAENOBUFS);
        }
    }
    world.reserve(completions, [0; 2], limits)?;
    let number = world.next_number();
    let queue = Queue {
        socket,
        is_datagram: peers::is_datagram(socket),
        peers,
        context,
        completions,
        limits,
        charged: [0; 2],
        deferred: Default::default(),
        begun: Default::default(),
        broken: None,
        door: Default::default(),
    };
    world.queues.insert(number, queue);
    Ok(number)
}

pub(crate) fn resize(number: isize, limits: [u32; 2]) -> Result<(), i32> {
    let mut world = world::lock();
    let queue = world.queue(number)?;
    let (old, completions, charged) = (queue.limits, queue.completions, queue.charged);
    if limits == [0; 2] || limits[0] < charged[0] || limits[1] < charged[1] {
        return Err(record(Violation::Arguments, WSAEINVAL));
    }
    world.reserve(completions, old, limits)?;
    world.queue(number)?.limits = limits;
    Ok(())
}

/// What a call names, of which any may be missing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Buffers {
    pub(crate) data: Option<RIO_BUF>,
    pub(crate) count: u32,
    pub(crate) remote: Option<RIO_BUF>,
    /// Our own address, of which nothing is here but whether it was asked for.
    pub(crate) local: bool,
    /// Control data, or flags: we have neither.
    pub(crate) others: bool,
}

impl Buffers {
    fn is_empty(&self) -> bool {
        let Buffers { data, count, remote, local, others } = self;
        data.is_none() && *count == 0 && remote.is_none() && !local && !others
    }
}

/// A receive or a send, or the order to begin what was deferred.
pub(crate) fn request(
    direction: Direction,
    number: isize,
    buffers: Buffers,
    flags: u32,
    context: u64,
) -> Result<(), i32> {
    if flags & RIO_MSG_COMMIT_ONLY != 0 {
        if flags != RIO_MSG_COMMIT_ONLY || !buffers.is_empty() || context != 0 {
            return Err(record(Violation::Arguments, WSAEINVAL));
        }
        // The one call that another thread may make at the same time.
        return world::lock().begin(direction, number);
    }
    if flags & !(RIO_MSG_DEFER | RIO_MSG_DONT_NOTIFY) != 0 || buffers.others {
        return Err(WSAEOPNOTSUPP);
    }
    if buffers.local {
        // Of a send it is reserved; of a receive it is not here.
        return Err(match direction {
            Direction::Send => record(Violation::Arguments, WSAEINVAL),
            Direction::Receive => WSAEOPNOTSUPP,
        });
    }
    let door = world::lock().queue(number)?.door.clone();
    let _inside = enter(door)?;
    let mut world = world::lock();
    let parts = world.parts(direction, number, &buffers)?;
    let queue = world.queue(number)?;
    if queue.charged[direction as usize] == queue.limits[direction as usize] {
        return Err(record(Violation::RequestRoom, WSAENOBUFS));
    }
    let is_datagram = queue.is_datagram;
    let completions = queue.completions[direction as usize];
    let chance = &mut world.completions(completions)?.chance;
    if chance.refuses() {
        return Err(WSAENOBUFS);
    }
    let len = parts.data.as_ref().map_or(0, |data| data.range.len() as u32);
    let plan = chance.plan(len);
    // A datagram comes whole.
    let shorter = plan.short.filter(|_| direction == Direction::Receive && !is_datagram);
    let request = Request {
        context,
        parts: parts.clone(),
        most: shorter.map_or(len, |short| short.min(len)),
        notifies: flags & RIO_MSG_DONT_NOTIFY == 0,
        looks: plan.looks,
        // An earlier datagram found nobody: that ends nothing but one request.
        fails: (plan.reset && is_datagram).then_some(WSAECONNRESET),
        transfer: None,
    };
    let queue = world.queue(number)?;
    if plan.reset && !is_datagram {
        queue.broken = Some(WSAECONNRESET);
    }
    queue.charged[direction as usize] += 1;
    queue.deferred[direction as usize].push_back(request);
    for part in parts.iter() {
        if let Some(buffer) = world.buffers.get_mut(&part.buffer) {
            buffer.in_flight[direction as usize].push(part.range.clone());
        }
    }
    if flags & RIO_MSG_DEFER == 0 || plan.early {
        world.begin(direction, number)?;
    }
    Ok(())
}

impl World {
    /// The completion queues have room for a queue that had the limits `old` and will have `new`.
    fn reserve(
        &mut self,
        completions: [isize; 2],
        old: [u32; 2],
        new: [u32; 2],
    ) -> Result<(), i32> {
        let mut wanted = completions.map(|number| (number, 0_i64));
        for index in 0..2 {
            // Both may be the same queue.
            let place = if completions[0] == completions[1] { 0 } else { index };
            wanted[place].1 += i64::from(new[index]) - i64::from(old[index]);
        }
        let has_room = |world: &mut World| -> Result<bool, i32> {
            wanted.iter().try_fold(true, |all, &(number, places)| {
                let completions = world.completions(number)?;
                let sum = i64::from(completions.reserved) + places;
                Ok(all && sum <= i64::from(completions.size))
            })
        };
        if !has_room(self)? {
            // Sockets may have been closed.
            self.sweep();
            if !has_room(self)? {
                return Err(record(Violation::CompletionRoom, WSAENOBUFS));
            }
        }
        for (number, places) in wanted {
            let completions = self.completions(number)?;
            completions.reserved = (i64::from(completions.reserved) + places) as u32;
        }
        Ok(())
    }

    /// What the slices of a request stand for, if it may use them.
    fn parts(
        &mut self,
        direction: Direction,
        number: isize,
        buffers: &Buffers,
    ) -> Result<Parts, i32> {
        let queue = self.queue(number)?;
        let (is_datagram, connected) = (queue.is_datagram, queue.peers.are_connected());
        if is_datagram
            && direction == Direction::Send
            && !queue.peers.have_the_same_peer(queue.socket)
        {
            return Err(record(Violation::ConnectedLate, WSAEINVAL));
        }
        // Without a buffer, it is a datagram of which there are no bytes. An address is a datagram's.
        let count = u32::from(buffers.data.is_some());
        if buffers.count != count || !is_datagram && (count == 0 || buffers.remote.is_some()) {
            return Err(record(Violation::Arguments, WSAEINVAL));
        }
        if direction == Direction::Send && is_datagram && !connected && buffers.remote.is_none() {
            return Err(record(Violation::NoPeer, WSAENOTCONN));
        }
        let data = buffers.data.map(|slice| self.part(direction, &slice)).transpose()?;
        let address = buffers.remote.map(|slice| self.part(direction, &slice)).transpose()?;
        if let Some(address) = &address {
            let fits = address.range.len() >= size_of::<SOCKADDR_INET>()
                && address.at.is_multiple_of(align_of::<SOCKADDR_INET>());
            let apart = data.as_ref().is_none_or(|data| {
                data.buffer != address.buffer || are_apart(&data.range, &address.range)
            });
            if !fits || !apart {
                return Err(record(Violation::Address, WSAEINVAL));
            }
        }
        Ok(Parts { data, address })
    }

    fn part(&self, direction: Direction, slice: &RIO_BUF) -> Result<Part, i32> {
        let Some(buffer) = self.buffers.get(&slice.BufferId) else {
            return Err(record(Violation::UnknownBuffer, WSAEFAULT));
        };
        let end = slice.Offset.checked_add(slice.Length).filter(|end| *end <= buffer.len);
        let Some(end) = end.filter(|_| slice.Length > 0) else {
            return Err(record(Violation::Bounds, WSAEINVAL));
        };
        let range = slice.Offset..end;
        let [receives, sends] = &buffer.in_flight;
        let taken = match direction {
            Direction::Receive => receives.iter().any(|other| !are_apart(other, &range)),
            Direction::Send => !receives.is_empty(),
        };
        if taken || !sends.is_empty() {
            return Err(record(Violation::ReusedInFlight, WSAEINVAL));
        }
        let at = buffer.at + slice.Offset as usize;
        Ok(Part { buffer: slice.BufferId, range, at })
    }

    /// Begins what was deferred.
    fn begin(&mut self, direction: Direction, number: isize) -> Result<(), i32> {
        let completions = self.queue(number)?.completions[direction as usize];
        let events = self.completions(completions)?.events;
        let queue = self.queue(number)?;
        while let Some(mut request) = queue.deferred[direction as usize].pop_front() {
            let parts = &request.parts;
            let memory = parts.data.as_ref().map_or((0, 0), |data| (data.at, request.most));
            let address = parts.address.as_ref().map(|address| address.at);
            request.transfer = Some(match queue.broken.or(request.fails) {
                Some(code) => Transfer::refused(code),
                // SAFETY: the buffer is registered and stays so while the request is in flight; that nobody else
                // uses it meanwhile is the caller's contract with the model, as it is with Windows.
                None => unsafe {
                    Transfer::begin(direction, queue.socket, memory, address, events.over)
                },
            });
            queue.begun[direction as usize].push_back(request);
        }
        if self.collect(completions) {
            events.wake();
        }
        Ok(())
    }
}

fn are_apart(one: &Range<u32>, other: &Range<u32>) -> bool {
    one.end <= other.start || other.end <= one.start
}
