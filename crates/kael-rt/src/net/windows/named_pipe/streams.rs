//! Pipes as readers and writers: by reference, `&*server`. Were the two ends that themselves, the traits' methods would hide those of [`NamedPipe`],
//! and `flush` would wait for nobody.
//!
//! `flush` waits for nobody, since each write is the system's when it is over; `shutdown` waits for the writes, and ends
//! nothing: a pipe has no end of one direction.
#![forbid(unsafe_code)]

use super::NamedPipe;
use crate::{
    buf::{BufResult, IoBuf, IoBufMut},
    io::{AsyncRead, AsyncWrite},
};
use std::{future::Future, io};

impl AsyncRead for &NamedPipe {
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        NamedPipe::read(self, buf)
    }
}

impl AsyncWrite for &NamedPipe {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        NamedPipe::write(self, buf)
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        self.writes()
    }
}
