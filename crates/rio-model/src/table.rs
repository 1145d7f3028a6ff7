//! The table of functions: arguments in, last error out.

use crate::completions;
use crate::requests::{self, Buffers};
use crate::transfer::Direction;
use crate::violations::{Violation, record};
use crate::world::{self, Buffer};
use std::ffi::c_void;
use std::slice;
use windows_sys::Win32::Networking::WinSock::{
    RIO_BUF, RIO_BUFFERID, RIO_CQ, RIO_EXTENSION_FUNCTION_TABLE, RIO_NOTIFICATION_COMPLETION,
    RIO_RQ, RIORESULT, SOCKET, WSAEFAULT, WSAEINVAL, WSASetLastError,
};
use windows_sys::core::{BOOL, PCSTR};

/// RIO_INVALID_BUFFERID.
const INVALID_BUFFER: RIO_BUFFERID = 0xffff_ffff;

/// The model's functions, each of them there.
pub fn table() -> RIO_EXTENSION_FUNCTION_TABLE {
    RIO_EXTENSION_FUNCTION_TABLE {
        cbSize: size_of::<RIO_EXTENSION_FUNCTION_TABLE>() as u32,
        RIOReceive: Some(receive),
        RIOReceiveEx: Some(receive_ex),
        RIOSend: Some(send),
        RIOSendEx: Some(send_ex),
        RIOCloseCompletionQueue: Some(close_completions),
        RIOCreateCompletionQueue: Some(create_completions),
        RIOCreateRequestQueue: Some(create_queue),
        RIODequeueCompletion: Some(dequeue),
        RIODeregisterBuffer: Some(deregister),
        RIONotify: Some(notify),
        RIORegisterBuffer: Some(register),
        RIOResizeCompletionQueue: Some(resize_completions),
        RIOResizeRequestQueue: Some(resize_queue),
    }
}

/// The error becomes the thread's last one.
fn answer<T>(result: Result<T, i32>, failed: T) -> T {
    result.unwrap_or_else(|code| {
        // SAFETY: it sets a number of this thread.
        unsafe { WSASetLastError(code) };
        failed
    })
}

/// # Safety
///
/// `data` is null or points at a description of a buffer, whose part that it names is the system's until the
/// completion. So in the functions below.
unsafe extern "system" fn receive(
    queue: RIO_RQ,
    data: *const RIO_BUF,
    count: u32,
    flags: u32,
    context: *const c_void,
) -> BOOL {
    // SAFETY: null or a description, by our contract.
    let data = unsafe { data.as_ref() }.copied();
    let buffers = Buffers { data, count, ..Buffers::default() };
    let result = requests::request(Direction::Receive, queue, buffers, flags, context as u64);
    answer(result.map(|()| 1), 0)
}

/// # Safety
///
/// As [`receive`].
unsafe extern "system" fn send(
    queue: RIO_RQ,
    data: *const RIO_BUF,
    count: u32,
    flags: u32,
    context: *const c_void,
) -> BOOL {
    // SAFETY: null or a description, by our contract.
    let data = unsafe { data.as_ref() }.copied();
    let buffers = Buffers { data, count, ..Buffers::default() };
    let result = requests::request(Direction::Send, queue, buffers, flags, context as u64);
    answer(result.map(|()| 1), 0)
}

/// What a call with addresses names.
///
/// # Safety
///
/// As [`receive`].
unsafe fn named(
    data: *const RIO_BUF,
    count: u32,
    local: *const RIO_BUF,
    remote: *const RIO_BUF,
    others: [*const RIO_BUF; 2],
) -> Buffers {
    // SAFETY: null or descriptions, by our contract.
    let (data, remote) = unsafe { (data.as_ref().copied(), remote.as_ref().copied()) };
    let others = others.iter().any(|other| !other.is_null());
    Buffers { data, count, remote, local: !local.is_null(), others }
}

/// # Safety
///
/// As [`receive`].
unsafe extern "system" fn receive_ex(
    queue: RIO_RQ,
    data: *const RIO_BUF,
    count: u32,
    local: *const RIO_BUF,
    remote: *const RIO_BUF,
    control: *const RIO_BUF,
    flags_out: *const RIO_BUF,
    flags: u32,
    context: *const c_void,
) -> i32 {
    // SAFETY: by our contract.
    let buffers = unsafe { named(data, count, local, remote, [control, flags_out]) };
    let result = requests::request(Direction::Receive, queue, buffers, flags, context as u64);
    answer(result.map(|()| 1), 0)
}

/// # Safety
///
/// As [`receive`].
unsafe extern "system" fn send_ex(
    queue: RIO_RQ,
    data: *const RIO_BUF,
    count: u32,
    local: *const RIO_BUF,
    remote: *const RIO_BUF,
    control: *const RIO_BUF,
    flags_out: *const RIO_BUF,
    flags: u32,
    context: *const c_void,
) -> BOOL {
    // SAFETY: by our contract.
    let buffers = unsafe { named(data, count, local, remote, [control, flags_out]) };
    let result = requests::request(Direction::Send, queue, buffers, flags, context as u64);
    answer(result.map(|()| 1), 0)
}

/// # Safety
///
/// Null or a structure that says where packets go; the port stays open as long as the queue is.
unsafe extern "system" fn create_completions(
    size: u32,
    notification: *const RIO_NOTIFICATION_COMPLETION,
) -> RIO_CQ {
    // SAFETY: null or a structure, by our contract.
    answer(completions::create(size, unsafe { notification.as_ref() }), 0)
}

/// # Safety
///
/// None is needed: a wrong number is recorded. So in all that take nothing but numbers.
unsafe extern "system" fn close_completions(queue: RIO_CQ) {
    completions::close(queue);
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn resize_completions(queue: RIO_CQ, size: u32) -> BOOL {
    answer(completions::resize(queue, size).map(|()| 1), 0)
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn create_queue(
    socket: SOCKET,
    receives: u32,
    receive_buffers: u32,
    sends: u32,
    send_buffers: u32,
    receive_completions: RIO_CQ,
    send_completions: RIO_CQ,
    context: *const c_void,
) -> RIO_RQ {
    let result = requests::create(
        socket,
        [receives, sends],
        [receive_buffers, send_buffers],
        [receive_completions, send_completions],
        context as u64,
    );
    answer(result, 0)
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn resize_queue(queue: RIO_RQ, receives: u32, sends: u32) -> BOOL {
    answer(requests::resize(queue, [receives, sends]).map(|()| 1), 0)
}

/// # Safety
///
/// `array` has room for `size` results.
unsafe extern "system" fn dequeue(queue: RIO_CQ, array: *mut RIORESULT, size: u32) -> u32 {
    let results = match array.is_null() {
        true => &mut [],
        // SAFETY: room for so many, by our contract; they are plain numbers.
        false => unsafe { slice::from_raw_parts_mut(array, size as usize) },
    };
    completions::dequeue(queue, results)
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn notify(queue: RIO_CQ) -> i32 {
    completions::notify(queue)
}

/// # Safety
///
/// Memory of that length, until it is deregistered.
unsafe extern "system" fn register(data: PCSTR, len: u32) -> RIO_BUFFERID {
    if data.is_null() {
        return answer(Err(WSAEFAULT), INVALID_BUFFER);
    }
    if len == 0 {
        return answer(Err(record(Violation::Arguments, WSAEINVAL)), INVALID_BUFFER);
    }
    let mut world = world::lock();
    let number = world.next_number();
    world.buffers.insert(number, Buffer { at: data as usize, len, in_flight: Default::default() });
    number
}

/// # Safety
///
/// None is needed.
unsafe extern "system" fn deregister(buffer: RIO_BUFFERID) {
    let mut world = world::lock();
    match world.buffers.get(&buffer) {
        // Windows ignores it. It is a sign of a wrong account all the same.
        None => drop(record(Violation::UnknownBuffer, 0)),
        Some(it) if it.is_in_flight() => drop(record(Violation::DeregisteredInUse, 0)),
        Some(_) => drop(world.buffers.remove(&buffer)),
    }
}
