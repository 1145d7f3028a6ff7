//! The operations of files. They are positional, so they need no order among themselves.
#![forbid(unsafe_code)]

use super::{Op, Request, Step, Traits, net::all};
use crate::{
    buf::{BufResult, IoBuf, IoBufMut, IoBufs, IoBufsMut},
    driver::{Completion, Fd, Kind, Scratch},
    error::Fault,
    fs::{File, Metadata},
};
use std::{ffi::CString, io};

/// Reading a file may be stopped: nothing is lost by it.
const READ: Traits = Traits { cancel_on_drop: true, ..Traits::PROMPT };

/// Reads at an offset: `read_at`.
pub struct ReadAt<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) at: u64,
}

impl<B: IoBufMut> Op for ReadAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = READ;

    #[inline(always)]
    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Read { fd: &self.fd, into: self.buf.as_uninit(), at: self.at }
    }

    #[inline(always)]
    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill(0, &mut self.buf), self.buf)
    }
}

/// Reads the buffer's length at an offset: `read_exact_at`.
pub struct ReadExactAt<B> {
    fd: Fd,
    buf: B,
    at: u64,
    filled: usize,
    want: usize,
}

impl<B: IoBufMut> ReadExactAt<B> {
    pub(crate) fn new(fd: Fd, buf: B, at: u64) -> ReadExactAt<B> {
        let want = buf.as_init().len();
        ReadExactAt { fd, buf, at, filled: 0, want }
    }
}

impl<B: IoBufMut> Op for ReadExactAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { steps: true, ..READ };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let into = self.buf.as_uninit().get_mut(self.filled..self.want).unwrap_or_default();
        Request::Read { fd: &self.fd, into, at: self.at + self.filled as u64 }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.filled += n.max(0) as usize;
        if n > 0 { Step::Again } else { Step::Done }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (all(&completion, self.filled, self.want, io::ErrorKind::UnexpectedEof), self.buf)
    }
}

/// Writes at an offset: `write_at`.
pub struct WriteAt<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) at: u64,
}

impl<B: IoBuf> Op for WriteAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits::PROMPT;

    #[inline(always)]
    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Write { fd: &self.fd, from: self.buf.as_init(), at: self.at }
    }

    #[inline(always)]
    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.buf)
    }
}

/// Writes a whole buffer at an offset: `write_all_at`.
pub struct WriteAllAt<B> {
    pub(crate) fd: Fd,
    pub(crate) buf: B,
    pub(crate) at: u64,
    pub(crate) written: usize,
}

impl<B: IoBuf> Op for WriteAllAt<B> {
    type Output = BufResult<usize, B>;
    const TRAITS: Traits = Traits { steps: true, ..Traits::PROMPT };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        let from = self.buf.as_init().get(self.written..).unwrap_or_default();
        Request::Write { fd: &self.fd, from, at: self.at + self.written as u64 }
    }

    fn advance(&mut self, completion: &Completion<'_>, _: bool) -> Step {
        let n = completion.result();
        self.written += n.max(0) as usize;
        if n > 0 { Step::Again } else { Step::Done }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let want = self.buf.as_init().len();
        (all(&completion, self.written, want, io::ErrorKind::WriteZero), self.buf)
    }
}

/// Reads into several buffers at an offset: `read_vectored_at`.
pub struct ReadVectoredAt<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
    pub(crate) at: u64,
}

impl<V: IoBufsMut> Op for ReadVectoredAt<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits { scratch: true, ..READ };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let into = scratch.vectors_mut(&mut self.bufs);
        Request::ReadVectored { fd: &self.fd, into, at: self.at }
    }

    fn complete(mut self, completion: Completion<'_>) -> Self::Output {
        (completion.fill_vectored(&mut self.bufs), self.bufs)
    }
}

/// Writes from several buffers at an offset: `write_vectored_at`.
pub struct WriteVectoredAt<V> {
    pub(crate) fd: Fd,
    pub(crate) bufs: V,
    pub(crate) at: u64,
}

impl<V: IoBufs> Op for WriteVectoredAt<V> {
    type Output = BufResult<usize, V>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        let from = scratch.vectors(&self.bufs);
        Request::WriteVectored { fd: &self.fd, from, at: self.at }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        (completion.count(), self.bufs)
    }
}

/// Brings a file to its device: `sync_all`, `sync_data`.
pub struct Sync {
    pub(crate) fd: Fd,
    pub(crate) data_only: bool,
}

impl Op for Sync {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Sync { fd: &self.fd, data_only: self.data_only }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Cuts or extends a file: `set_len`.
pub struct SetLen {
    pub(crate) fd: Fd,
    pub(crate) len: u64,
}

impl Op for SetLen {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Truncate { fd: &self.fd, len: self.len }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Makes room on the device: `allocate`.
pub struct Allocate {
    pub(crate) fd: Fd,
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

impl Op for Allocate {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Allocate { fd: &self.fd, offset: self.offset, len: self.len }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()
    }
}

/// Asks what a file is: `metadata`.
pub struct Stat {
    pub(crate) fd: Fd,
}

impl Op for Stat {
    type Output = io::Result<Metadata>;
    const TRAITS: Traits = Traits { scratch: true, ..Traits::PROMPT };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        Request::Stat { fd: &self.fd, out: scratch.stat_mut() }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        completion.unit()?;
        Ok(Metadata::new(completion.stat()))
    }
}

/// A path for the kernel, or why it is none (it holds a NUL).
pub(crate) type KernelPath = Result<CString, std::ffi::NulError>;

/// Opens a file: `open`, `create`.
pub struct Open {
    pub(crate) path: KernelPath,
    pub(crate) flags: io::Result<i32>,
    pub(crate) mode: u32,
}

impl Op for Open {
    type Output = io::Result<File>;
    const TRAITS: Traits = Traits { gives_more: true, ..READ };

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match (&self.path, &self.flags) {
            (Ok(path), Ok(flags)) => Request::Open { path, flags: *flags, mode: self.mode },
            _ => Request::Nop,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        self.path?;
        self.flags?;
        Ok(File::from_fd(completion.into_fd(Kind::File)?))
    }
}

/// Asks what is at a path: `metadata`, `symlink_metadata`.
pub struct StatPath {
    pub(crate) path: KernelPath,
    pub(crate) follow: bool,
}

impl Op for StatPath {
    type Output = io::Result<Metadata>;
    const TRAITS: Traits = Traits { scratch: true, ..Traits::PROMPT };

    fn request<'a>(&'a mut self, scratch: &'a mut Scratch) -> Request<'a> {
        match &self.path {
            Ok(path) => Request::StatPath { path, follow: self.follow, out: scratch.stat_mut() },
            Err(_) => Request::Nop,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        self.path?;
        completion.unit()?;
        Ok(Metadata::new(completion.stat()))
    }
}

/// Changes a directory: `remove_file`, `remove_dir`, `rename`, `create_dir`.
pub struct Change {
    pub(crate) what: Changing,
}

pub(crate) enum Changing {
    Unlink { path: KernelPath, dir: bool },
    Rename { from: KernelPath, to: KernelPath },
    MakeDir { path: KernelPath, mode: u32 },
}

impl Op for Change {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        match &self.what {
            Changing::Unlink { path: Ok(path), dir } => Request::Unlink { path, dir: *dir },
            Changing::Rename { from: Ok(from), to: Ok(to) } => Request::Rename { from, to },
            Changing::MakeDir { path: Ok(path), mode } => Request::MakeDir { path, mode: *mode },
            _ => Request::Nop,
        }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        match self.what {
            Changing::Unlink { path, .. } | Changing::MakeDir { path, .. } => drop(path?),
            Changing::Rename { from, to } => drop((from?, to?)),
        }
        completion.unit()
    }
}

/// Closes a file or a quiet socket and says how that went: `close`.
pub(crate) struct Close {
    pub(crate) fd: Fd,
}

impl Op for Close {
    type Output = io::Result<()>;
    const TRAITS: Traits = Traits::PROMPT;

    fn request<'a>(&'a mut self, _: &'a mut Scratch) -> Request<'a> {
        Request::Close { fd: &self.fd }
    }

    fn complete(self, completion: Completion<'_>) -> Self::Output {
        let result = completion.unit();
        let code = completion.result();
        if !Fault::is(code) && code != -libc::ECANCELED {
            // Whatever else the kernel says, the number is no longer ours: see close(2). Only a
            // close that was cancelled has not begun.
            self.fd.forget_number();
        }
        result
    }
}
