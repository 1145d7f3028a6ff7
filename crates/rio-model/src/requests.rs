//! Request queues: made, resized, and given requests.

use crate::guard::enter;
use crate::peers::Peers;
use crate::transfer::{Direction, Transfer};
use crate::violations::{Violation, record};
use crate::world::{self, Queue, Request, World};
use windows_sys::Win32::Networking::WinSock::{
    RIO_BUF, RIO_MSG_COMMIT_ONLY, RIO_MSG_DEFER, RIO_MSG_DONT_NOTIFY, SOCKET, WSAECONNRESET,
    WSAEFAULT, WSAEINVAL, WSAENOBUFS, WSAEOPNOTSUPP,
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

/// A receive or a send, or the order to begin what was deferred.
pub(crate) fn request(
    direction: Direction,
    number: isize,
    buffer: Option<RIO_BUF>,
    count: u32,
    flags: u32,
    context: u64,
) -> Result<(), i32> {
    if flags & RIO_MSG_COMMIT_ONLY != 0 {
        if flags != RIO_MSG_COMMIT_ONLY || buffer.is_some() || count != 0 || context != 0 {
            return Err(record(Violation::Arguments, WSAEINVAL));
        }
        // The one call that another thread may make at the same time.
        return world::lock().begin(direction, number);
    }
    if flags & !(RIO_MSG_DEFER | RIO_MSG_DONT_NOTIFY) != 0 {
        return Err(WSAEOPNOTSUPP);
    }
    let door = world::lock().queue(number)?.door.clone();
    let _inside = enter(door)?;
    // Without a buffer there is only an empty datagram, which we do not have.
    let (Some(buffer), 1) = (buffer, count) else {
        return Err(record(Violation::Arguments, WSAEINVAL));
    };
    let mut world = world::lock();
    let memory = world.memory(direction, &buffer)?;
    let queue = world.queue(number)?;
    if queue.charged[direction as usize] == queue.limits[direction as usize] {
        return Err(record(Violation::RequestRoom, WSAENOBUFS));
    }
    let completions = queue.completions[direction as usize];
    let chance = &mut world.completions(completions)?.chance;
    if chance.refuses() {
        return Err(WSAENOBUFS);
    }
    let plan = chance.plan(buffer.Length);
    let (at, len) = memory;
    let shorter = plan.short.filter(|_| direction == Direction::Receive);
    let request = Request {
        context,
        buffer: buffer.BufferId,
        memory: (at, shorter.map_or(len, |short| short.min(len))),
        notifies: flags & RIO_MSG_DONT_NOTIFY == 0,
        looks: plan.looks,
        transfer: None,
    };
    let queue = world.queue(number)?;
    if plan.reset {
        queue.broken = Some(WSAECONNRESET);
    }
    queue.charged[direction as usize] += 1;
    queue.deferred[direction as usize].push_back(request);
    if let Some(buffer) = world.buffers.get_mut(&buffer.BufferId) {
        buffer.in_flight[direction as usize] += 1;
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

    /// What a slice stands for, if a request may use it.
    fn memory(&mut self, direction: Direction, slice: &RIO_BUF) -> Result<(usize, u32), i32> {
        let Some(buffer) = self.buffers.get(&slice.BufferId) else {
            return Err(record(Violation::UnknownBuffer, WSAEFAULT));
        };
        let inside = slice.Offset.checked_add(slice.Length).is_some_and(|end| end <= buffer.len);
        if !inside || slice.Length == 0 {
            return Err(record(Violation::Bounds, WSAEINVAL));
        }
        let [receives, sends] = buffer.in_flight;
        if sends > 0 || direction == Direction::Send && receives > 0 {
            return Err(record(Violation::ReusedInFlight, WSAEINVAL));
        }
        Ok((buffer.at + slice.Offset as usize, slice.Length))
    }

    /// Begins what was deferred.
    fn begin(&mut self, direction: Direction, number: isize) -> Result<(), i32> {
        let completions = self.queue(number)?.completions[direction as usize];
        let events = self.completions(completions)?.events;
        let queue = self.queue(number)?;
        while let Some(mut request) = queue.deferred[direction as usize].pop_front() {
            request.transfer = Some(match queue.broken {
                Some(code) => Transfer::refused(code),
                // SAFETY: the buffer is registered and stays so while the request is in flight; that nobody else
                // uses it meanwhile is the caller's contract with the model, as it is with Windows.
                None => unsafe {
                    Transfer::begin(direction, queue.socket, request.memory, events.over)
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
