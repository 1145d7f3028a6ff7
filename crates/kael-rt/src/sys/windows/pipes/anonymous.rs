//! A pipe between two handles of this process: a named pipe of one instance, which a third could not open, under a name that
//! nobody else has. (CreatePipe makes handles whose calls wait.)

use super::{
    super::{Backend, access, errno, number::Number},
    Shape, open,
};
use std::{
    hash::{BuildHasher, RandomState},
    io,
    path::Path,
    process,
};

/// How much the system holds of what was written and not read.
const CAPACITY: u32 = 64 * 1024;
/// Names that are tried. One is taken only by who guesses it.
const TRIES: u32 = 16;

const SHAPE: Shape = Shape {
    inbound: true,
    outbound: false,
    messages: false,
    first: true,
    reject_remote: true,
    instances: Some(1),
    in_buffer: CAPACITY,
    out_buffer: 0,
};

impl Backend {
    /// A pipe: to be read from, to be written to. 2 calls, which do not wait.
    pub(crate) fn pipe(&mut self) -> io::Result<[i32; 2]> {
        let mut tries = 0;
        loop {
            tries += 1;
            let random = RandomState::new().hash_one(tries);
            let name = format!(r"\\.\pipe\kael-anonymous-{}-{random:016x}", process::id());
            let mut text = Vec::with_capacity(name.len() + 1);
            text.extend(name.encode_utf16().chain([0]));
            let read = match self.create_pipe(&text, &SHAPE) {
                // Somebody has a pipe of that name.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied && tries < TRIES => {
                    continue;
                }
                read => read?,
            };
            self.calls += 1;
            match open(Path::new(&name), access::O_WRONLY, 0) {
                Ok(write) => return Ok([read, write]),
                Err(error) => {
                    self.calls += 1;
                    let _ = Number::from_driver(read).close();
                    // Somebody was faster than we.
                    if error.raw_os_error() != Some(errno::PIPE_BUSY) || tries == TRIES {
                        return Err(error);
                    }
                }
            }
        }
    }
}
