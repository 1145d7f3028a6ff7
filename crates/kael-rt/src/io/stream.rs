//! The streams of this crate as readers and writers.
#![forbid(unsafe_code)]

use super::{AsyncRead, AsyncWrite, PipeReader, PipeWriter};
use crate::{
    buf::{BufResult, IoBuf, IoBufMut},
    net::{OwnedReadHalf, OwnedWriteHalf, TcpStream},
    op::close_stream,
};
use std::{future::Future, io, net::Shutdown};

impl AsyncRead for TcpStream {
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        TcpStream::read(self, buf)
    }
}

impl AsyncRead for &TcpStream {
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        TcpStream::read(self, buf)
    }
}

impl AsyncRead for OwnedReadHalf {
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        OwnedReadHalf::read(self, buf)
    }
}

impl AsyncWrite for TcpStream {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        TcpStream::write(self, buf)
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        TcpStream::shutdown(self, Shutdown::Write)
    }
}

impl AsyncWrite for &TcpStream {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        TcpStream::write(self, buf)
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        TcpStream::shutdown(self, Shutdown::Write)
    }
}

impl AsyncWrite for OwnedWriteHalf {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        OwnedWriteHalf::write(self, buf)
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        OwnedWriteHalf::shutdown(self)
    }
}

impl AsyncRead for PipeReader {
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        PipeReader::read(self, buf)
    }
}

impl AsyncRead for &PipeReader {
    fn read<B: IoBufMut>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        PipeReader::read(self, buf)
    }
}

/// The end that `shutdown` tells the reader of is a close: a pipe has no other.
impl AsyncWrite for PipeWriter {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        PipeWriter::write(self, buf)
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        close_stream(self.fd().clone())
    }
}

impl AsyncWrite for &PipeWriter {
    fn write<B: IoBuf>(&mut self, buf: B) -> impl Future<Output = BufResult<usize, B>> {
        PipeWriter::write(self, buf)
    }
    async fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn shutdown(&mut self) -> impl Future<Output = io::Result<()>> {
        close_stream(self.fd().clone())
    }
}
