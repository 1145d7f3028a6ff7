//! The thread of a completion queue: it waits until a transfer is over, and puts completions into the queue.
//!
//! All transfers of a queue share one event. Windows clears a transfer's event when it begins, so an end may be
//! overlooked when another transfer begins at that moment; whoever begins one looks at all of them afterwards.

use crate::settings;
use crate::transfer::Direction;
use crate::world::{self, Completion, World};
use std::ptr;
use std::thread::{self, JoinHandle};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};
use windows_sys::Win32::Networking::WinSock::RIORESULT;
use windows_sys::Win32::System::IO::PostQueuedCompletionStatus;
use windows_sys::Win32::System::Threading::{
    CreateEventW, INFINITE, SetEvent, WaitForMultipleObjects,
};

/// What wakes the thread: the end of a transfer, and the model itself.
#[derive(Clone, Copy)]
pub(crate) struct Events {
    pub(crate) over: usize,
    wake: usize,
}

impl Events {
    pub(crate) fn new() -> Events {
        // SAFETY: events without names, which reset themselves.
        let event = || unsafe { CreateEventW(ptr::null(), 0, 0, ptr::null()) } as usize;
        Events { over: event(), wake: event() }
    }

    pub(crate) fn wake(self) {
        // SAFETY: an event that the thread closes last of all, when the queue is gone.
        unsafe { SetEvent(self.wake as HANDLE) };
    }

    fn wait(self, limit: u32) {
        let handles = [self.over as HANDLE, self.wake as HANDLE];
        // SAFETY: two open events.
        unsafe { WaitForMultipleObjects(2, handles.as_ptr(), 0, limit) };
    }

    fn close(self) {
        for handle in [self.over, self.wake] {
            // SAFETY: ours, and nobody uses it any more. What the system still has to do with it holds it itself.
            unsafe { CloseHandle(handle as HANDLE) };
        }
    }
}

/// Runs until the completion queue is closed.
pub(crate) fn start(number: isize, events: Events) -> JoinHandle<()> {
    thread::spawn(move || {
        loop {
            let mut world = world::lock();
            if !world.completions.contains_key(&number) {
                break;
            }
            let again = world.collect(number);
            drop(world);
            if again {
                thread::yield_now();
            }
            events.wait(if again { 0 } else { INFINITE });
        }
        events.close();
    })
}

impl World {
    /// Puts what is over into the queue, and notifies. Whether something that is over is held back for now.
    pub(crate) fn collect(&mut self, number: isize) -> bool {
        let World { completions, queues, .. } = self;
        let Some(completions) = completions.get_mut(&number) else {
            return false;
        };
        let mut order: Vec<(isize, Direction)> = queues
            .iter()
            .flat_map(|(&queue, _)| [(queue, Direction::Receive), (queue, Direction::Send)])
            .collect();
        completions.chance.shuffle(&mut order);
        let mut again = false;
        for (name, direction) in order {
            let Some(queue) = queues.get_mut(&name) else { continue };
            if queue.completions[direction as usize] != number {
                continue;
            }
            let begun = &mut queue.begun[direction as usize];
            // Those of one direction stay in their order.
            while let Some(first) = begun.front_mut()
                && let Some((status, bytes)) = first.transfer.as_ref().and_then(|it| it.end())
            {
                if first.looks > 0 {
                    first.looks -= 1;
                    again = true;
                    break;
                }
                let Some(request) = begun.pop_front() else { break };
                completions.held[direction as usize].push_back(Completion {
                    result: RIORESULT {
                        Status: status,
                        BytesTransferred: bytes,
                        SocketContext: queue.context,
                        RequestContext: request.context,
                    },
                    queue: name,
                    direction,
                    parts: request.parts,
                    notifies: request.notifies,
                });
            }
        }
        for held in &mut completions.held {
            if held.len() >= settings::current_gather() {
                completions.ready.append(held);
            }
        }
        completions.notify();
        again
    }
}

impl world::Completions {
    /// Posts the packet, if it was asked for and there is something.
    pub(crate) fn notify(&mut self) {
        let Some([port, key, overlapped]) = self.packet else {
            return;
        };
        if !self.armed || !self.ready.iter().any(|completion| completion.notifies) {
            return;
        }
        self.armed = false;
        // SAFETY: an open port, as long as the completion queue is; the rest are numbers to it.
        unsafe { PostQueuedCompletionStatus(port as HANDLE, 0, key, overlapped as *const _) };
    }
}
