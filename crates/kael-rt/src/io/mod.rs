//! Reading and writing in general, with buffers that are lent by value.
//!
//! [`AsyncRead`] and [`AsyncWrite`] are for code that works on any stream. Where the type is
//! known, its own methods are better: `TcpStream::read_exact` is one operation that loses nothing
//! when dropped, while the one here is a loop of reads, and dropping it drops what it has read.
#![forbid(unsafe_code)]

mod read;
mod split;
mod stream;
mod write;

pub use read::{AsyncRead, AsyncReadExt};
pub use split::{ReadHalf, WriteHalf, split};
pub use write::{AsyncWrite, AsyncWriteExt, copy};
