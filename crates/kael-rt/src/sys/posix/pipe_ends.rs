//! The ends of a pipe as the standard library knows them on Unix: by their descriptors.

use super::{borrowed, number_of};
use crate::{
    driver::Kind,
    io::{PipeReader, PipeWriter},
    task::context,
};
use std::{
    io,
    os::fd::{BorrowedFd, FromRawFd, OwnedFd},
};

impl PipeReader {
    /// The end of a pipe that the standard library has, as one of this runtime: of [`std::io::pipe`], or what a child writes
    /// (by its `OwnedFd`). It is set not to block, and so it is for others who have the same end.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::io::PipeReader;
    /// # if cfg!(kael_backend = "sim") { return Ok(()); }
    /// use std::{io::Write, os::fd::OwnedFd};
    /// let (reader, mut writer) = std::io::pipe()?;
    /// std::thread::spawn(move || writer.write_all(b"from a thread"));
    /// let reader = PipeReader::from_std(reader)?;
    /// assert_eq!(reader.read_exact(vec![0; 13]).await.1, b"from a thread");
    /// // It blocks again.
    /// let _std: std::io::PipeReader = reader.into_std().expect("nothing is under way");
    /// # drop::<OwnedFd>(_std.into());
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// 1 system call, which does not wait.
    pub fn from_std(end: std::io::PipeReader) -> io::Result<PipeReader> {
        let (end, driver) =
            (end.into(), context::with("PipeReader::from_std", |core| core.driver.clone()));
        driver.control(|backend| backend.take_over_pipe(&end))?;
        Ok(PipeReader::from_fd(driver.adopt(number_of(end), Kind::Pipe, false)))
    }

    /// The end as one of the standard library, which blocks; given back while an operation on it is under way, or left
    /// something behind, which a read gives.
    pub fn into_std(self) -> Result<std::io::PipeReader, PipeReader> {
        let number = self.into_fd().into_number().map_err(PipeReader::from_fd)?;
        // SAFETY: the number was ours alone, and the node has forgotten it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) }.into())
    }

    /// The descriptor, for calls that Kael does not have. It stays this type's own. No system call.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # if cfg!(kael_backend = "sim") { return Ok(()); }
    /// use std::os::fd::AsRawFd;
    /// let (reader, _writer) = kael_rt::io::pipe()?;
    /// assert!(reader.try_as_fd()?.as_raw_fd() > 2);
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn try_as_fd(&self) -> io::Result<BorrowedFd<'_>> {
        borrowed(self.fd())
    }
}

impl PipeWriter {
    /// As [`PipeReader::from_std`], of the end that is written: of [`std::io::pipe`], or what a child reads.
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::io::PipeWriter;
    /// # if cfg!(kael_backend = "sim") { return Ok(()); }
    /// use std::process::{Command, Stdio};
    /// let (input, writer) = std::io::pipe()?;
    /// let writer = PipeWriter::from_std(writer)?;
    /// let child = Command::new("cat").stdin(input).stdout(Stdio::piped()).spawn()?;
    /// writer.write_all("through a child").await.0?;
    /// writer.close().await?;
    /// assert_eq!(child.wait_with_output()?.stdout, b"through a child");
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    ///
    /// 1 system call, which does not wait.
    pub fn from_std(end: std::io::PipeWriter) -> io::Result<PipeWriter> {
        let (end, driver) =
            (end.into(), context::with("PipeWriter::from_std", |core| core.driver.clone()));
        driver.control(|backend| backend.take_over_pipe(&end))?;
        Ok(PipeWriter::from_fd(driver.adopt(number_of(end), Kind::Pipe, false)))
    }

    /// The end as one of the standard library, which blocks; given back while an operation on it is under way.
    pub fn into_std(self) -> Result<std::io::PipeWriter, PipeWriter> {
        let number = self.into_fd().into_number().map_err(PipeWriter::from_fd)?;
        // SAFETY: the number was ours alone, and the node has forgotten it.
        Ok(unsafe { OwnedFd::from_raw_fd(number) }.into())
    }

    /// The descriptor, for calls that Kael does not have. It stays this type's own. No system call.
    pub fn try_as_fd(&self) -> io::Result<BorrowedFd<'_>> {
        borrowed(self.fd())
    }
}
