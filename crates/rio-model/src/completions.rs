//! Completion queues: made, resized, closed; taken from, and asked to notify.

use crate::chance::Chance;
use crate::guard::{Inside, enter};
use crate::pump::{self, Events};
use crate::settings;
use crate::violations::{Violation, record};
use crate::world::{self, Completions};
use std::collections::VecDeque;
use windows_sys::Win32::Networking::WinSock::{
    RIO_CORRUPT_CQ, RIO_IOCP_COMPLETION, RIO_MAX_CQ_SIZE, RIO_NOTIFICATION_COMPLETION, RIORESULT,
    WSAEALREADY, WSAEINVAL, WSAEOPNOTSUPP, WSAETOOMANYREFS,
};

pub(crate) fn create(
    size: u32,
    notification: Option<&RIO_NOTIFICATION_COMPLETION>,
) -> Result<isize, i32> {
    if size == 0 || size > RIO_MAX_CQ_SIZE {
        return Err(record(Violation::Arguments, WSAEINVAL));
    }
    let packet = match notification {
        None => None,
        Some(it) if it.Type == RIO_IOCP_COMPLETION => {
            // SAFETY: the type says which member it is.
            let it = unsafe { it.Anonymous.Iocp };
            if it.Overlapped.is_null() {
                return Err(record(Violation::Arguments, WSAEINVAL));
            }
            Some([it.IocpHandle as usize, it.CompletionKey as usize, it.Overlapped as usize])
        }
        Some(_) => return Err(WSAEOPNOTSUPP),
    };
    let mut world = world::lock();
    let number = world.next_number();
    let events = Events::new();
    let completions = Completions {
        size,
        reserved: 0,
        packet,
        armed: false,
        held: Default::default(),
        ready: VecDeque::new(),
        chance: Chance::new(settings::current_seed()),
        door: Default::default(),
        events,
        thread: None,
    };
    world.completions.insert(number, completions);
    // It has to wait for us, to find the queue.
    let thread = pump::start(number, events);
    if let Some(completions) = world.completions.get_mut(&number) {
        completions.thread = Some(thread);
    }
    Ok(number)
}

pub(crate) fn close(number: isize) {
    let mut world = world::lock();
    // What is over by now has nothing more to come.
    world.collect(number);
    let Some(mut completions) = world.completions.remove(&number) else {
        record(Violation::UnknownQueue, WSAEINVAL);
        return;
    };
    completions.events.wake();
    for completion in completions.held.iter().flatten().chain(&completions.ready) {
        world.discharge(completion);
    }
    world.queues.retain(|_, queue| !queue.completions.contains(&number));
    drop(world);
    // Its events are closed when this returns, as a system's would be.
    if let Some(thread) = completions.thread.take() {
        let _ = thread.join();
    }
}

pub(crate) fn resize(number: isize, size: u32) -> Result<(), i32> {
    if size == 0 || size > RIO_MAX_CQ_SIZE {
        return Err(record(Violation::Arguments, WSAEINVAL));
    }
    let mut world = world::lock();
    world.sweep();
    let completions = world.completions(number)?;
    if size < completions.reserved {
        return Err(WSAETOOMANYREFS);
    }
    completions.size = size;
    Ok(())
}

pub(crate) fn dequeue(number: isize, results: &mut [RIORESULT]) -> u32 {
    let Ok(_inside) = enter_queue(number) else {
        return RIO_CORRUPT_CQ;
    };
    let mut world = world::lock();
    let mut count = 0;
    for place in results {
        let Some(completion) =
            world.completions.get_mut(&number).and_then(|it| it.ready.pop_front())
        else {
            break;
        };
        *place = completion.result;
        count += 1;
        world.discharge(&completion);
    }
    count
}

pub(crate) fn notify(number: isize) -> i32 {
    let _inside = match enter_queue(number) {
        Ok(inside) => inside,
        Err(code) => return code,
    };
    let mut world = world::lock();
    let Ok(completions) = world.completions(number) else {
        return WSAEINVAL;
    };
    if completions.packet.is_none() {
        return record(Violation::Arguments, WSAEINVAL);
    }
    if completions.armed {
        return record(Violation::NotifiedTwice, WSAEALREADY);
    }
    completions.armed = true;
    completions.notify();
    0
}

/// The world is not locked meanwhile: another thread must be able to come and be found out.
fn enter_queue(number: isize) -> Result<Inside, i32> {
    let door = world::lock().completions(number)?.door.clone();
    enter(door)
}

impl world::World {
    /// A completion is out: its buffer and its place are free again.
    fn discharge(&mut self, completion: &world::Completion) {
        let direction = completion.direction as usize;
        if let Some(queue) = self.queues.get_mut(&completion.queue) {
            queue.charged[direction] -= 1;
        }
        for part in completion.parts.iter() {
            if let Some(buffer) = self.buffers.get_mut(&part.buffer)
                && let parts = &mut buffer.in_flight[direction]
                && let Some(place) = parts.iter().position(|range| *range == part.range)
            {
                parts.swap_remove(place);
            }
        }
    }
}
