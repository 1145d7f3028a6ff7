//! Each request as calls that wait, for the threads of the blocking pool: what has no overlapped form.

use super::{
    StatBuf, access, code, errno,
    number::{Kind, Number},
    pipes,
};
use crate::op::Request;
use std::{
    ffi::{CStr, OsStr},
    fs, io,
    os::windows::{
        fs::OpenOptionsExt,
        io::{AsRawHandle, FromRawHandle, IntoRawHandle, OwnedHandle},
    },
    path::Path,
    ptr,
};
use windows_sys::Win32::{
    Foundation::{
        ERROR_CALL_NOT_IMPLEMENTED, ERROR_HANDLE_EOF, ERROR_INVALID_FUNCTION, ERROR_IO_PENDING,
        ERROR_NOT_SUPPORTED, GetLastError, HANDLE,
    },
    Networking::WinSock::WSABUF,
    Storage::FileSystem::{
        FILE_ALLOCATION_INFO, FILE_END_OF_FILE_INFO, FILE_FLAG_BACKUP_SEMANTICS,
        FILE_FLAG_NO_BUFFERING, FILE_FLAG_OPEN_REPARSE_POINT, FILE_FLAG_OVERLAPPED,
        FILE_STANDARD_INFO, FileAllocationInfo, FileEndOfFileInfo, FileStandardInfo,
        FlushFileBuffers, GetFileInformationByHandle, GetFileInformationByHandleEx, ReadFile,
        SetFileInformationByHandle, WriteFile,
    },
    System::{
        IO::{GetOverlappedResult, OVERLAPPED},
        Threading::CreateEventW,
    },
};

/// Carries a request out as far as one call does. A count, a number of a handle, or a negative error.
pub(crate) fn call(request: &mut Request<'_>) -> i32 {
    match request {
        Request::Nop | Request::Pass { .. } => 0,
        Request::Read { fd, into, at } | Request::Load { file: fd, into, at, .. } => {
            let part =
                WSABUF { len: super::most(into.len()) as u32, buf: into.as_mut_ptr().cast() };
            one_by_one(&[part], *at, |part, at| transfer(number(fd), part, at, ReadOrWrite::Read))
        }
        Request::Write { fd, from, at } => {
            let part =
                WSABUF { len: super::most(from.len()) as u32, buf: from.as_ptr().cast_mut() };
            one_by_one(&[part], *at, |part, at| transfer(number(fd), part, at, ReadOrWrite::Write))
        }
        Request::ReadVectored { fd, into, at } => one_by_one(into.vectors, *at, |part, at| {
            transfer(number(fd), part, at, ReadOrWrite::Read)
        }),
        Request::WriteVectored { fd, from, at } => one_by_one(from.vectors, *at, |part, at| {
            transfer(number(fd), part, at, ReadOrWrite::Write)
        }),
        Request::Sync { fd, data_only: _ } => {
            // SAFETY: an open handle, see `number`.
            answer(unsafe { FlushFileBuffers(number(fd).handle()) })
        }
        Request::Truncate { fd, len } => set_len(number(fd).handle(), *len),
        Request::Allocate { fd, offset, len } => allocate(number(fd).handle(), *offset, *len),
        Request::Stat { fd, out } => stat(number(fd).handle(), out),
        Request::StatPath { path, follow, out } => result(stat_path(path, *follow, out)),
        Request::Open { path, flags, mode } if *mode & access::PIPE != 0 => {
            pipes::open(text(path), *flags, *mode).unwrap_or_else(error)
        }
        Request::Open { path, flags, mode: _ } => open(path, *flags).unwrap_or_else(error),
        Request::Unlink { path, dir: false } => result(fs::remove_file(text(path))),
        Request::Unlink { path, dir: true } => result(fs::remove_dir(text(path))),
        Request::Rename { from, to } => result(fs::rename(text(from), text(to))),
        Request::MakeDir { path, mode: _ } => result(fs::create_dir(text(path))),
        Request::Close { fd } => number(fd).close().map_or_else(|code| -code, |()| 0),
        #[cfg(test)]
        Request::Stall { on, into } => {
            on.wait();
            into.fill(std::mem::MaybeUninit::new(7));
            into.len() as i32
        }
        Request::Recv { .. }
        | Request::RecvPooled { .. }
        | Request::RecvMessages { .. }
        | Request::RecvVectored { .. }
        | Request::RecvMessage { .. }
        | Request::Send { .. }
        | Request::SendZeroCopy { .. }
        | Request::SendMessage { .. }
        | Request::SendMessageZeroCopy { .. }
        | Request::Accept { .. }
        | Request::AcceptNext { .. }
        | Request::Connect { .. }
        | Request::Shutdown { .. }
        | Request::Fill { .. }
        | Request::Take { .. }
        | Request::Give { .. }
        | Request::Transmit { .. }
        | Request::Ready { .. }
        | Request::AwaitClient { .. } => unreachable!("sockets do not go to the pool"),
    }
}

/// (The handle is open as long as the operation in its slot holds the descriptor.)
fn number(fd: &crate::driver::Descriptor) -> Number {
    Number::from_driver(fd.number())
}

/// The path that the standard library made these bytes of.
fn text(path: &CStr) -> &Path {
    // SAFETY: `fs::path::kernel_path` made the string of such bytes, whole.
    Path::new(unsafe { OsStr::from_encoded_bytes_unchecked(path.to_bytes()) })
}

fn answer(ok: i32) -> i32 {
    if ok != 0 { 0 } else { -code::last_error() }
}

fn error(error: io::Error) -> i32 {
    -error.raw_os_error().unwrap_or(match error.kind() {
        io::ErrorKind::InvalidInput => errno::EINVAL,
        _ => errno::EIO,
    })
}

fn result(result: io::Result<()>) -> i32 {
    result.map_or_else(error, |()| 0)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadOrWrite {
    Read,
    Write,
}

/// Part after part, until one is not moved whole: files have no call for several that need not be pages.
fn one_by_one(parts: &[WSABUF], at: u64, mut each: impl FnMut(&WSABUF, u64) -> i32) -> i32 {
    let mut moved = 0;
    for part in parts.iter().filter(|part| part.len > 0) {
        match each(part, at + moved as u64) {
            code @ ..0 => return if moved > 0 { moved } else { code },
            n => {
                moved += n;
                if (n as u32) < part.len {
                    break;
                }
            }
        }
    }
    moved
}

/// Moves one part and waits for it, whether or not the handle's calls do.
fn transfer(number: Number, part: &WSABUF, at: u64, way: ReadOrWrite) -> i32 {
    // SAFETY: makes an event of our own.
    let event = unsafe { CreateEventW(ptr::null(), 1, 0, ptr::null()) };
    if event.is_null() {
        return -code::last_error();
    }
    // SAFETY: just made.
    let event = unsafe { OwnedHandle::from_raw_handle(event) };
    let mut overlapped = OVERLAPPED::default();
    overlapped.Anonymous.Anonymous.Offset = at as u32;
    overlapped.Anonymous.Anonymous.OffsetHigh = (at >> 32) as u32;
    // With its lowest bit set the event says that no port shall hear of it.
    overlapped.hEvent = (event.as_raw_handle() as usize | 1) as HANDLE;
    let handle = number.handle();
    // SAFETY: the memory is the request's, of that length, and the structure stays until the call is over (below).
    let done = unsafe {
        match way {
            ReadOrWrite::Read => {
                ReadFile(handle, part.buf, part.len, ptr::null_mut(), &mut overlapped)
            }
            ReadOrWrite::Write => {
                WriteFile(handle, part.buf, part.len, ptr::null_mut(), &mut overlapped)
            }
        }
    };
    // SAFETY: a number of this thread's.
    if done == 0 && unsafe { GetLastError() } != ERROR_IO_PENDING {
        return ended();
    }
    let mut n = 0;
    // SAFETY: the structure of the call above, for which this waits.
    match unsafe { GetOverlappedResult(handle, &overlapped, &mut n, 1) } {
        0 => ended(),
        _ => n as i32,
    }
}

/// An error, or that the file has ended.
fn ended() -> i32 {
    match code::last_error() {
        code if code == ERROR_HANDLE_EOF as i32 => 0,
        code => -code,
    }
}

fn set_len(handle: HANDLE, len: u64) -> i32 {
    let Ok(len) = i64::try_from(len) else { return -errno::EINVAL };
    let info = FILE_END_OF_FILE_INFO { EndOfFile: len };
    // SAFETY: a structure by its address and size.
    answer(unsafe {
        SetFileInformationByHandle(
            handle,
            FileEndOfFileInfo,
            (&raw const info).cast(),
            size_of_val(&info) as u32,
        )
    })
}

/// Room on the device, and a file that is at least so long.
fn allocate(handle: HANDLE, offset: u64, len: u64) -> i32 {
    let Some(end) = offset.checked_add(len).and_then(|end| i64::try_from(end).ok()) else {
        return -errno::EINVAL;
    };
    let mut now = FILE_STANDARD_INFO::default();
    // SAFETY: room for the answer, by its address and size.
    let asked = unsafe {
        GetFileInformationByHandleEx(
            handle,
            FileStandardInfo,
            (&raw mut now).cast(),
            size_of_val(&now) as u32,
        )
    };
    if asked == 0 {
        return -code::last_error();
    }
    if now.AllocationSize < end {
        let info = FILE_ALLOCATION_INFO { AllocationSize: end };
        // SAFETY: a structure by its address and size.
        let done = unsafe {
            SetFileInformationByHandle(
                handle,
                FileAllocationInfo,
                (&raw const info).cast(),
                size_of_val(&info) as u32,
            )
        };
        // Not every file system keeps room (and Wine 8 has no such call); then the length has to do.
        const CANNOT: [u32; 3] =
            [ERROR_NOT_SUPPORTED, ERROR_INVALID_FUNCTION, ERROR_CALL_NOT_IMPLEMENTED];
        // SAFETY: a number of this thread's.
        if done == 0 && !CANNOT.contains(&unsafe { GetLastError() }) {
            return -code::last_error();
        }
    }
    if now.EndOfFile < end { set_len(handle, end as u64) } else { 0 }
}

fn stat(handle: HANDLE, out: &mut StatBuf) -> i32 {
    // SAFETY: room for the answer.
    answer(unsafe { GetFileInformationByHandle(handle, &mut out.0) })
}

fn stat_path(path: &CStr, follow: bool, out: &mut StatBuf) -> io::Result<()> {
    let link = if follow { 0 } else { FILE_FLAG_OPEN_REPARSE_POINT };
    // No access at all: that is enough to ask. The flag is for directories.
    let file = fs::OpenOptions::new()
        .access_mode(0)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | link)
        .open(text(path))?;
    match stat(file.as_raw_handle() as HANDLE, out) {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(-code)),
    }
}

/// Opens for calls that do not wait. No child inherits it.
fn open(path: &CStr, flags: i32) -> io::Result<i32> {
    let has = |flag: i32| flags & flag != 0;
    let direct = flags as u32 & FILE_FLAG_NO_BUFFERING != 0;
    let file = fs::OpenOptions::new()
        .read(!has(access::O_WRONLY))
        .write(has(access::O_ACCMODE) && !has(access::O_APPEND))
        .append(has(access::O_APPEND))
        .truncate(has(access::O_TRUNC))
        .create(has(access::O_CREAT))
        .create_new(has(access::O_EXCL))
        .custom_flags((flags & !access::OURS) as u32 | FILE_FLAG_OVERLAPPED)
        .open(text(path))?;
    let kind = if direct { Kind::Direct } else { Kind::File };
    let handle = file.into_raw_handle();
    // SAFETY: the handle that was just given up.
    let owned = unsafe { OwnedHandle::from_raw_handle(handle) };
    let number = Number::of_handle(owned.as_raw_handle() as HANDLE, kind)
        .ok_or(io::ErrorKind::Unsupported)?;
    let _ = owned.into_raw_handle();
    Ok(number.for_driver())
}
