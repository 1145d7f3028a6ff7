//! Reading and writing in general, with buffers that are lent by value.
//!
//! [`AsyncRead`] and [`AsyncWrite`] are for code that works on any stream. Where the type is
//! known, its own methods are better: `TcpStream::read_exact` is one operation that loses nothing
//! when dropped, while the one here is a loop of reads, and dropping it drops what it has read.
#![forbid(unsafe_code)]

mod bidirectional;
mod pipe;
mod read;
mod send_file;
mod split;
mod stream;
mod write;

pub use bidirectional::{Progress, copy_bidirectional, copy_bidirectional_with};
pub use pipe::{PipeReader, PipeWriter, pipe};
pub use read::{AsyncRead, AsyncReadExt};
pub use send_file::send_file;
pub use split::{ReadHalf, WriteHalf, split};
pub use write::{AsyncWrite, AsyncWriteExt, copy};
