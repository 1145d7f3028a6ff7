//! Named pipes: a file whose calls do not wait, with the gates of a stream. `state.rs` says what its answers mean.
//!
//! A pipe of bytes has its successes at once, as sockets have. One of messages does not: a read that finds a part of a message "fails"
//! with ERROR_MORE_DATA, a warning, of which Windows puts a packet into the port; it is not documented whether it leaves that out
//! for who skips successes. So all answers of such a pipe come through the port.

mod anonymous;
mod state;

use super::{
    super::{
        event::{Event, PART, Started},
        packet::{Answered, Packet},
    },
    Backend, SKIPS, access, code, errno,
    files::Called,
    most,
    number::{Kind, Number},
    number_of,
};
use crate::{
    driver::{Descriptor, NONE},
    op::Request,
};
use state::Read;
pub(crate) use state::{MOST_INSTANCES, Shape};
use std::{
    fs, io,
    os::windows::{
        fs::OpenOptionsExt,
        io::{AsRawHandle, FromRawHandle, IntoRawHandle, OwnedHandle},
    },
    path::Path,
    ptr::{self, NonNull},
};
use windows_sys::Win32::{
    Foundation::{ERROR_IO_PENDING, GENERIC_READ, GENERIC_WRITE, GetLastError, HANDLE},
    Networking::WinSock::WSABUF,
    Storage::FileSystem::{
        self, FILE_FLAG_OVERLAPPED, FILE_WRITE_ATTRIBUTES, ReadFile, SECURITY_IDENTIFICATION,
        WriteFile,
    },
    System::Pipes::{
        self, ConnectNamedPipe, CreateNamedPipeW, DisconnectNamedPipe, GetNamedPipeInfo,
        PIPE_READMODE_MESSAGE, SetNamedPipeHandleState,
    },
};

// `state.rs` has its own, so that any system can test it.
const _: () = {
    use windows_sys::Win32::Foundation;
    assert!(state::ERROR_BROKEN_PIPE as u32 == Foundation::ERROR_BROKEN_PIPE);
    assert!(state::ERROR_NO_DATA as u32 == Foundation::ERROR_NO_DATA);
    assert!(state::ERROR_MORE_DATA as u32 == Foundation::ERROR_MORE_DATA);
    assert!(state::ERROR_PIPE_CONNECTED as u32 == Foundation::ERROR_PIPE_CONNECTED);
    assert!(state::PIPE_ACCESS_INBOUND == FileSystem::PIPE_ACCESS_INBOUND);
    assert!(state::PIPE_ACCESS_OUTBOUND == FileSystem::PIPE_ACCESS_OUTBOUND);
    assert!(state::FILE_FLAG_OVERLAPPED == FileSystem::FILE_FLAG_OVERLAPPED);
    assert!(state::FILE_FLAG_FIRST_PIPE_INSTANCE == FileSystem::FILE_FLAG_FIRST_PIPE_INSTANCE);
    assert!(state::PIPE_READMODE_MESSAGE == Pipes::PIPE_READMODE_MESSAGE);
    assert!(state::PIPE_TYPE_MESSAGE == Pipes::PIPE_TYPE_MESSAGE);
    assert!(state::PIPE_REJECT_REMOTE_CLIENTS == Pipes::PIPE_REJECT_REMOTE_CLIENTS);
    assert!(state::PIPE_UNLIMITED_INSTANCES == Pipes::PIPE_UNLIMITED_INSTANCES);
};

/// A part of a descriptor's place: what is read are messages.
pub(super) const MESSAGES: u32 = 8;
/// Likewise: the program has been told of its client.
const SERVED: u32 = 16;

/// It is a pipe, and no socket.
#[inline]
pub(super) fn is_pipe(fd: &Descriptor) -> bool {
    number_of(fd).kind() != Kind::Socket
}

/// What a descriptor's place says before it has joined a port, and after.
pub(super) fn marks(fd: &Descriptor) -> u32 {
    if fd.place() == NONE { 0 } else { fd.place() }
}

/// Its reads are to keep messages apart.
pub(crate) fn has_messages(fd: &Descriptor) {
    fd.set_place(marks(fd) | MESSAGES);
}

/// The program is told of the client.
pub(crate) fn is_served(fd: &Descriptor) {
    fd.set_place(marks(fd) | SERVED);
}

impl Backend {
    /// The server's end of a pipe, which waits for nobody yet. 1 call, which does not wait. `name` ends with 0.
    pub(crate) fn create_pipe(&mut self, name: &[u16], shape: &Shape) -> io::Result<i32> {
        assert_eq!(name.last(), Some(&0), "a name has an end");
        self.calls += 1;
        // SAFETY: a string with its end. Without attributes no child inherits the handle.
        let handle = unsafe {
            CreateNamedPipeW(
                name.as_ptr(),
                shape.open_mode(),
                shape.pipe_mode(),
                shape.most_instances(),
                shape.out_buffer,
                shape.in_buffer,
                0,
                ptr::null(),
            )
        };
        if handle == windows_sys::Win32::Foundation::INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, and nobody else's.
        own(unsafe { OwnedHandle::from_raw_handle(handle) })
    }

    /// Puts the client out. What it has not read is gone, and what is under way ends.
    pub(crate) fn disconnect_pipe(&mut self, fd: &Descriptor) -> io::Result<()> {
        self.calls += 1;
        // SAFETY: an open handle: its descriptor is held.
        if unsafe { DisconnectNamedPipe(number_of(fd).handle()) } == 0 {
            return Err(io::Error::from_raw_os_error(code::last_error()));
        }
        fd.set_place(marks(fd) & !SERVED);
        Ok(())
    }

    /// Flags, size of the buffer for what goes out, of the one for what comes in, and the most instances.
    pub(crate) fn pipe_info(&mut self, fd: &Descriptor) -> io::Result<[u32; 4]> {
        self.calls += 1;
        let [mut flags, mut out, mut inward, mut most] = [0; 4];
        // SAFETY: an open handle, and room for four numbers.
        let done = unsafe {
            GetNamedPipeInfo(number_of(fd).handle(), &mut flags, &mut out, &mut inward, &mut most)
        };
        if done == 0 {
            return Err(io::Error::from_raw_os_error(code::last_error()));
        }
        Ok([flags, out, inward, most])
    }

    pub(super) fn start_on_pipe(
        &mut self,
        packet: &mut Packet,
        request: Request<'static>,
    ) -> Started {
        let fd = request.fd().expect("a request about a pipe");
        let number = number_of(fd);
        let place = match self.join(fd) {
            Ok(place) => place,
            Err(code) => return Started::Done(-code),
        };
        packet.prepare(packet.user, Answered::Count, number, 0);
        packet.skips = place & SKIPS != 0;
        packet.pending = true;
        match request {
            Request::Recv { into, .. } => {
                let part = WSABUF { len: most(into.len()) as u32, buf: into.as_mut_ptr().cast() };
                self.read_pipe_into(packet, part)
            }
            // Pipes have no call for several buffers, and who gives several is content with a part.
            Request::RecvVectored { message, .. } => {
                self.read_pipe_into(packet, first(message.vectors))
            }
            Request::Send { fd, from, .. } => {
                let part = WSABUF { len: most(from.len()) as u32, buf: from.as_ptr().cast_mut() };
                self.write_pipe(packet, fd, part)
            }
            Request::SendMessage { fd, message, .. } => {
                self.write_pipe(packet, fd, first(message.vectors))
            }
            Request::AwaitClient { .. } => {
                self.calls += 1;
                let overlapped = &raw mut packet.overlapped;
                // SAFETY: as above.
                let done = unsafe { ConnectNamedPipe(number.handle(), overlapped) };
                let called = match outcome(done, packet) {
                    Called::Failed(code) => state::connected(code, place & SERVED != 0)
                        .map_or_else(Called::Failed, |()| Called::Moved(0)),
                    called => called,
                };
                self.called(packet, called)
            }
            // Its public types have no such methods.
            _ => {
                packet.pending = false;
                Started::Done(-errno::EINVAL)
            }
        }
    }

    fn read_pipe_into(&mut self, packet: &mut Packet, part: WSABUF) -> Started {
        if part.len == 0 {
            packet.pending = false;
            return Started::Done(0);
        }
        (packet.memory, packet.room) = (part.buf, part.len);
        self.read_pipe(packet).unwrap_or(Started::Queued)
    }

    fn write_pipe(&mut self, packet: &mut Packet, fd: &Descriptor, part: WSABUF) -> Started {
        packet.written = Some(NonNull::from(fd));
        self.calls += 1;
        let (handle, overlapped) = (packet.number.handle(), &raw mut packet.overlapped);
        // SAFETY: an open handle; the memory is the operation's, of that length, and both it and the OVERLAPPED stay where they
        // are until the packet has come.
        let done = unsafe { WriteFile(handle, part.buf, part.len, ptr::null_mut(), overlapped) };
        let called = outcome(done, packet);
        self.called(packet, called)
    }

    /// Asks for bytes. `None`: it is to be asked again, with the next turn.
    fn read_pipe(&mut self, packet: &mut Packet) -> Option<Started> {
        packet.prepare_again();
        self.calls += 1;
        let (handle, memory, room) = (packet.number.handle(), packet.memory, packet.room);
        let overlapped = &raw mut packet.overlapped;
        // SAFETY: as in `start_on_pipe`.
        let done = unsafe { ReadFile(handle, memory, room, ptr::null_mut(), overlapped) };
        let (code, n) = match outcome(done, packet) {
            // A warning: its packet comes.
            Called::Later | Called::Failed(state::ERROR_MORE_DATA) => {
                return Some(self.called(packet, Called::Later));
            }
            Called::Moved(n) => (0, n),
            Called::Failed(code) => (code, 0),
        };
        packet.pending = false;
        match state::read(code, n) {
            Read::Nothing => {
                self.again.push(NonNull::from(packet));
                None
            }
            Read::Bytes(n) => Some(Started::Done(n as i32)),
            Read::Part(_) => unreachable!("it comes through the port"),
            Read::End => Some(Started::Done(0)),
            Read::Failed(code) => Some(Started::Done(-code)),
        }
    }

    /// A read that had brought nothing is asked again.
    pub(super) fn read_pipe_again(&mut self, packet: &mut Packet) {
        if let Some(Started::Done(result)) = self.read_pipe(packet) {
            self.finish(packet.user, result, 0);
        }
    }

    /// A read is over: with an error, or with so many bytes.
    pub(super) fn pipe_was_read(&mut self, packet: &mut Packet, code: i32, n: u32) {
        match state::read(code, n) {
            Read::Nothing if packet.stopped => self.finish(packet.user, -errno::ECANCELED, 0),
            Read::Nothing => self.again.push(NonNull::from(packet)),
            Read::Bytes(n) => self.finish(packet.user, n as i32, 0),
            Read::Part(n) => {
                self.own.push_back(Event { user: packet.user, result: n as i32, flags: PART });
            }
            Read::End => self.finish(packet.user, 0, 0),
            Read::Failed(code) => self.finish(packet.user, -code, 0),
        }
    }
}

/// The first of several buffers that is not empty.
fn first(vectors: &[WSABUF]) -> WSABUF {
    let none = WSABUF { len: 0, buf: ptr::null_mut() };
    vectors.iter().copied().find(|part| part.len > 0).unwrap_or(none)
}

/// What a call about a pipe says.
fn outcome(done: i32, packet: &Packet) -> Called {
    match done {
        // SAFETY: a number of this thread's.
        0 => match unsafe { GetLastError() } {
            ERROR_IO_PENDING => Called::Later,
            _ => Called::Failed(code::last_error()),
        },
        _ if packet.skips => Called::Moved(packet.overlapped.InternalHigh as u32),
        _ => Called::Later,
    }
}

/// Ends the use of a pipe whose bytes would be lost: the server puts the client out. (A client has no such call; its
/// own side says so to the program.)
pub(super) fn shut_down(number: Number) {
    // SAFETY: an open handle: its descriptor is held.
    unsafe { DisconnectNamedPipe(number.handle()) };
}

/// Opens the client's end. The server may learn who the client is, and not act for it. It may wait for another computer.
pub(super) fn open(path: &Path, flags: i32, mode: u32) -> io::Result<i32> {
    let messages = mode & access::MESSAGES != 0;
    let rights = match flags & access::O_ACCMODE {
        // Without the second one the mode could not be set.
        access::O_RDONLY => GENERIC_READ | FILE_WRITE_ATTRIBUTES,
        access::O_WRONLY => GENERIC_WRITE,
        _ => GENERIC_READ | GENERIC_WRITE,
    };
    let pipe = fs::OpenOptions::new()
        .access_mode(rights)
        .share_mode(0)
        .custom_flags(FILE_FLAG_OVERLAPPED)
        // The standard library adds SECURITY_SQOS_PRESENT.
        .security_qos_flags(SECURITY_IDENTIFICATION)
        .open(path)?;
    if messages {
        let mode = PIPE_READMODE_MESSAGE;
        // SAFETY: an open handle, and a number.
        let done = unsafe {
            SetNamedPipeHandleState(pipe.as_raw_handle() as HANDLE, &mode, ptr::null(), ptr::null())
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
    }
    own(pipe.into())
}

fn own(handle: OwnedHandle) -> io::Result<i32> {
    let number = Number::of_handle(handle.as_raw_handle() as HANDLE, Kind::File)
        .ok_or(io::ErrorKind::Unsupported)?;
    let _ = handle.into_raw_handle();
    Ok(number.for_driver())
}
