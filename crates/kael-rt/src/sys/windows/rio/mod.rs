//! Registered I/O: receives and sends that are written into memory shared with the system, and handed over in batches.
//!
//! This is the driver alone, one for each core. Accepting, connecting and whatever else is not a transfer on a
//! connected socket, or of a bound one's datagrams, stay with the completion port, which also wakes the core when this
//! driver asks for it.
//!
//! A turn of the core is:
//!
//! 1. [`Rio::drain`]: what has ended, with no system call.
//! 2. Tasks run; [`Rio::receive`] and [`Rio::send`], and of datagrams [`Rio::receive_from`] and [`Rio::send_to`], defer their
//!    requests, with no system call.
//! 3. [`Rio::commit`]: one call for each queue and direction that has deferred requests.
//! 4. Only when the core is about to sleep and `drain` gives nothing: [`Rio::before_sleep`], one call unless a packet
//!    is still to come. Then the wait on the port; its packet with our OVERLAPPED is told by [`Rio::notified`].
//!
//! What can be wrong is Windows' contract, and the driver keeps it: slices lie in their regions, a region for sends has
//! one send in flight and no other request, nothing that is in flight is deregistered, neither the request queues nor
//! the completion queue overflow, a second packet is not asked for before the first has come, and one thread at a time
//! uses a queue (`&mut self`). It allocates when it is made and never again.
//!
//! There is no cancel. Closing the socket ends its requests; each still has its completion, and only with that have
//! buffer and room in the queue come back.

mod bell;
mod calls;
mod datagrams;
mod error;
#[cfg(kael_rio = "model")]
mod model;
mod queues;
mod regions;
mod room;
mod slab;
mod slots;
mod table;

pub(crate) use calls::Calls;
pub(crate) use error::Error;
#[cfg(kael_rio = "model")]
pub(crate) use model::load_model;
pub(crate) use queues::Queue;
pub(crate) use regions::{ADDRESS, Purpose, Region, Slice};
pub(crate) use slots::{Slot, Slots};
pub(crate) use table::load;

use bell::Bell;
use core::ffi::c_void;
use core::ptr::{self, NonNull};
use queues::{Direction, Queues};
use regions::Regions;
use room::Room;
use slab::{Key, Slab};
use table::{Table, last_error};
use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Networking::WinSock::{
    RIO_BUF, RIO_BUFFERID, RIO_CORRUPT_CQ, RIO_CQ, RIO_EXTENSION_FUNCTION_TABLE,
    RIO_IOCP_COMPLETION, RIO_MAX_CQ_SIZE, RIO_MSG_COMMIT_ONLY, RIO_MSG_DEFER,
    RIO_NOTIFICATION_COMPLETION, RIO_NOTIFICATION_COMPLETION_0, RIO_NOTIFICATION_COMPLETION_0_1,
    RIO_RQ, RIORESULT, SOCKET, WSA_IO_PENDING, WSAEALREADY, WSAEOPNOTSUPP,
};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::core::BOOL;

/// Completions that are taken out at a time.
const BATCH: usize = 128;

/// RIO_INVALID_BUFFERID, which windows-sys lacks: 32 ones, whatever the width of a pointer.
const INVALID_BUFFER: RIO_BUFFERID = 0xffff_ffff;

// Request contexts carry a whole key.
const _: () = assert!(size_of::<*const c_void>() == size_of::<u64>());

/// How many of each there may be. All memory is taken for as many at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Requests in flight, which is what all open queues together were opened for.
    pub(crate) completions: u32,
    pub(crate) queues: u32,
    pub(crate) regions: u32,
}

/// The packet that wakes the core: it comes from this port with this key and OVERLAPPED.
#[derive(Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) port: HANDLE,
    pub(crate) key: usize,
    pub(crate) overlapped: NonNull<OVERLAPPED>,
}

/// The driver of one core.
pub(crate) struct Rio {
    table: Table,
    completions: RIO_CQ,
    size: u32,
    room: Room,
    queues: Queues,
    regions: Regions,
    requests: Slab<Request>,
    results: Box<[RIORESULT; BATCH]>,
    bell: Bell,
    strays: u64,
    calls: Calls,
}

/// What is in flight.
struct Request {
    /// The caller's name for it.
    context: u64,
    queue: Queue,
    region: Region,
    direction: Direction,
}

impl Rio {
    /// # Safety
    ///
    /// The functions of the table are those of registered I/O. The port is open as long as the driver lives, and the
    /// OVERLAPPED is valid and used for nothing else as long as the port may give its packet.
    pub(crate) unsafe fn new(
        table: &RIO_EXTENSION_FUNCTION_TABLE,
        packet: Packet,
        sizes: Sizes,
    ) -> Result<Rio, Error> {
        let table = Table::new(table).ok_or(Error::System(WSAEOPNOTSUPP))?;
        if sizes.completions == 0 || sizes.completions > RIO_MAX_CQ_SIZE {
            return Err(Error::Bounds);
        }
        let notification = RIO_NOTIFICATION_COMPLETION {
            Type: RIO_IOCP_COMPLETION,
            Anonymous: RIO_NOTIFICATION_COMPLETION_0 {
                Iocp: RIO_NOTIFICATION_COMPLETION_0_1 {
                    IocpHandle: packet.port,
                    CompletionKey: packet.key as *mut c_void,
                    Overlapped: packet.overlapped.as_ptr().cast(),
                },
            },
        };
        // SAFETY: the structure is read during the call; port and OVERLAPPED are valid by our contract.
        let completions =
            unsafe { (table.create_completions)(sizes.completions, &raw const notification) };
        if completions == 0 {
            return Err(Error::System(last_error()));
        }
        Ok(Rio {
            table,
            completions,
            size: sizes.completions,
            room: Room::new(sizes.completions),
            queues: Queues::new(sizes.queues),
            regions: Regions::new(sizes.regions),
            requests: Slab::new(sizes.completions),
            results: Box::new([RIORESULT::default(); BATCH]),
            bell: Bell::default(),
            strays: 0,
            calls: Calls { set_up: 1, ..Calls::default() },
        })
    }

    /// Lets requests name this memory. The system locks its pages.
    ///
    /// # Safety
    ///
    /// Until [`Rio::deregister`] has returned Ok, the memory is valid, and nobody reads or writes a slice of it that a
    /// receive in flight names, or writes one that a send in flight names. If the driver is dropped before, the same
    /// is true for ever of the slices that are in flight then.
    pub(crate) unsafe fn register(
        &mut self,
        at: NonNull<u8>,
        len: u32,
        purpose: Purpose,
    ) -> Result<Region, Error> {
        if len == 0 {
            return Err(Error::Bounds);
        }
        if self.regions.is_full() {
            return Err(Error::Regions);
        }
        self.calls.set_up += 1;
        // SAFETY: memory of that length, by our contract.
        let id = unsafe { (self.table.register)(at.as_ptr(), len) };
        if id == INVALID_BUFFER {
            return Err(Error::System(last_error()));
        }
        self.regions.insert(id, len, purpose)
    }

    /// Fails with [`Error::RegionBusy`] while a request uses it, which Windows leaves undefined.
    pub(crate) fn deregister(&mut self, region: Region) -> Result<(), Error> {
        let id = self.regions.remove(region)?;
        self.calls.set_up += 1;
        // SAFETY: an id of ours that nothing in flight names.
        unsafe { (self.table.deregister)(id) };
        Ok(())
    }

    /// A request queue for a socket that was made with WSA_FLAG_REGISTERED_IO, with room for so many receives and
    /// sends in flight. From now on, its bytes go through this queue only, and it is closed by [`Rio::close_queue`].
    pub(crate) fn open_queue(
        &mut self,
        socket: SOCKET,
        receives: u32,
        sends: u32,
    ) -> Result<Queue, Error> {
        let places = receives.checked_add(sends).filter(|&sum| sum > 0).ok_or(Error::Bounds)?;
        if self.queues.is_full() {
            return Err(Error::Queues);
        }
        self.room.reserve(places)?;
        let queue = self.queues.insert(socket, [receives, sends])?;
        let context = queue.0.to_bits() as *const c_void;
        let completions = self.completions;
        self.calls.set_up += 1;
        // SAFETY: a queue of ours; a socket that is none, or a wrong one, is an error and no more. One buffer for each
        // request is all that there may be.
        let id: RIO_RQ = unsafe {
            (self.table.create_queue)(
                socket,
                receives,
                1,
                sends,
                1,
                completions,
                completions,
                context,
            )
        };
        if id == 0 {
            let code = last_error();
            self.queues.forget(queue);
            self.room.release(places);
            return Err(Error::System(code));
        }
        self.queues.set_id(queue, id);
        Ok(queue)
    }

    /// Ends a queue by closing its socket, which `close` does. What is in flight has its completions, soon and with
    /// an error, and the queue's room is free when the last was taken out.
    pub(crate) fn close_queue(
        &mut self,
        queue: Queue,
        close: impl FnOnce(SOCKET),
    ) -> Result<(), Error> {
        // Whether a request that was only deferred would be completed is not documented.
        let (id, deferred) = self.queues.take_touched(queue)?;
        // A refusal changes nothing: the socket is closed anyway.
        let _ = self.commit_one(id, deferred);
        close(self.queues.close(queue)?);
        if let Some(places) = self.queues.remove_if_over(queue) {
            self.room.release(places);
        }
        Ok(())
    }

    /// Receives into a slice of a region for receives. It begins with the next [`Rio::commit`] at the latest.
    pub(crate) fn receive(&mut self, queue: Queue, into: Slice, context: u64) -> Result<(), Error> {
        self.request(Direction::Receive, queue, into, context)
    }

    /// Sends a slice of a region for sends, of which nothing else may be in flight. It begins with the next
    /// [`Rio::commit`] at the latest.
    pub(crate) fn send(&mut self, queue: Queue, from: Slice, context: u64) -> Result<(), Error> {
        self.request(Direction::Send, queue, from, context)
    }

    fn request(
        &mut self,
        direction: Direction,
        queue: Queue,
        slice: Slice,
        context: u64,
    ) -> Result<(), Error> {
        let (function, purpose) = match direction {
            Direction::Receive => (self.table.receive, Purpose::Receives),
            Direction::Send => (self.table.send, Purpose::Sends),
        };
        let buffer = buffer(self.regions.id_for(slice, purpose)?, slice);
        let call = |id, context| {
            // SAFETY: the queue is open, and only we use it (`&mut self`). The slice lies in its region, whose memory
            // nobody else uses while the request is in flight, by the contract of `register`.
            unsafe { function(id, &raw const buffer, 1, RIO_MSG_DEFER, context) }
        };
        self.ask(direction, queue, slice.region, context, call)
    }

    /// Has a request made by `call`, with the queue's number and the context that its completion has.
    fn ask(
        &mut self,
        direction: Direction,
        queue: Queue,
        region: Region,
        context: u64,
        call: impl FnOnce(RIO_RQ, *const c_void) -> BOOL,
    ) -> Result<(), Error> {
        let id = self.queues.id_for(queue, direction)?;
        let request = Request { context, queue, region, direction };
        let key = self.requests.insert(request).expect("each queue has reserved its room");
        self.calls.requests += 1;
        if call(id, key.to_bits() as *const c_void) == 0 {
            let code = last_error();
            if code != WSA_IO_PENDING {
                self.requests.remove(key);
                return Err(Error::System(code));
            }
        }
        self.queues.begin(queue, direction);
        self.regions.begin(region);
        Ok(())
    }

    /// Hands over what was deferred: once a turn. `refused` is told of each queue for which the system did not take
    /// it, with the error: its socket is to be closed, which is what ends its requests.
    pub(crate) fn commit(&mut self, mut refused: impl FnMut(Queue, i32)) {
        while let Some((queue, id, deferred)) = self.queues.pop_touched() {
            if let Err(code) = self.commit_one(id, deferred) {
                refused(queue, code);
            }
        }
    }

    fn commit_one(&mut self, id: RIO_RQ, deferred: [bool; 2]) -> Result<(), i32> {
        let mut result = Ok(());
        let functions = [self.table.receive, self.table.send];
        for (function, _) in functions.into_iter().zip(deferred).filter(|(_, deferred)| *deferred) {
            self.calls.commits += 1;
            // SAFETY: the queue is open, and a call that only commits has no other argument.
            let done = unsafe { function(id, ptr::null(), 0, RIO_MSG_COMMIT_ONLY, ptr::null()) };
            if done == 0 {
                result = Err(last_error());
            }
        }
        result
    }

    /// Takes out what has ended and calls `each` with the request's context, its status (0, or an error) and its
    /// count of bytes. How many there were: as many as the completion queue holds at most.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(u64, i32, u32)) -> Result<u32, Error> {
        let mut count = 0;
        loop {
            self.calls.dequeues += 1;
            // SAFETY: our queue, used by nobody else (`&mut self`), and room for as many results as we say.
            let taken = unsafe {
                (self.table.dequeue)(self.completions, self.results.as_mut_ptr(), BATCH as u32)
            };
            if taken == RIO_CORRUPT_CQ || taken as usize > BATCH {
                return Err(Error::Corrupt);
            }
            for index in 0..taken as usize {
                let result = self.results[index];
                if let Some(context) = self.end(&result) {
                    each(context, result.Status, result.BytesTransferred);
                }
            }
            count += taken;
            if (taken as usize) < BATCH || count >= self.size {
                return Ok(count);
            }
        }
    }

    /// A request is over: its context.
    fn end(&mut self, result: &RIORESULT) -> Option<u64> {
        let key = Key::from_bits(result.RequestContext);
        let Some(request) = self.requests.remove(key) else {
            // An answer to nobody. Nothing of ours hangs on it.
            self.strays += 1;
            return None;
        };
        self.regions.end(request.region);
        if let Some(places) = self.queues.end(request.queue, request.direction) {
            self.room.release(places);
        }
        Some(request.context)
    }

    /// The core is about to wait on the port: a packet will come when the completion queue has something, at once if
    /// it has already. No call if a packet is still to come, or if nothing is in flight.
    pub(crate) fn before_sleep(&mut self) -> Result<(), Error> {
        if !self.bell.is_wanted(self.requests.used()) {
            return Ok(());
        }
        self.calls.notifies += 1;
        // SAFETY: our queue, used by nobody else (`&mut self`); where its packet goes is open, by the contract of `new`.
        match unsafe { (self.table.notify)(self.completions) } {
            0 => self.bell.asked(true),
            code => {
                // Then a packet will come all the same, but that we did not know it is an error.
                self.bell.asked(code == WSAEALREADY);
                return Err(Error::System(code));
            }
        }
        Ok(())
    }

    /// The port has given our packet.
    pub(crate) fn notified(&mut self) {
        self.bell.rang();
    }

    /// A packet is still to come.
    pub(crate) fn is_armed(&self) -> bool {
        self.bell.is_armed()
    }

    /// Requests that were made and whose completions were not taken out.
    pub(crate) fn in_flight(&self) -> u32 {
        self.requests.used()
    }

    /// Places that queues to be opened may still reserve.
    pub(crate) fn room(&self) -> u32 {
        self.room.left()
    }

    /// Completions that belonged to no request. Always 0, unless the system is wrong.
    pub(crate) fn strays(&self) -> u64 {
        self.strays
    }

    pub(crate) fn calls(&self) -> Calls {
        self.calls
    }
}

fn buffer(id: RIO_BUFFERID, slice: Slice) -> RIO_BUF {
    RIO_BUF { BufferId: id, Offset: slice.offset, Length: slice.len }
}

impl Drop for Rio {
    /// The sockets should be closed and the completion queue be empty by now. What is still in flight keeps its
    /// regions registered, since to deregister them is undefined.
    fn drop(&mut self) {
        // SAFETY: our queue, which nobody uses any more.
        unsafe { (self.table.close_completions)(self.completions) };
        for id in self.regions.idle() {
            // SAFETY: an id of ours that nothing in flight names.
            unsafe { (self.table.deregister)(id) };
        }
    }
}
