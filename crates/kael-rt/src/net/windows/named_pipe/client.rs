//! The client's end.
#![forbid(unsafe_code)]

use super::{NamedPipe, PipeMode, name, operations::OpenPipe};
use crate::{
    error::Error,
    op::Operation,
    sys::{access, budgets::pipes::budget},
};
use std::{ffi::CString, io, ops::Deref};

/// How the client's end of a pipe is opened: by itself for reading and writing, and as bytes.
///
/// The server learns who the client is, and cannot act in its name (SECURITY_IDENTIFICATION).
///
/// While all instances are taken, the error is `ResourceBusy`. The next one may be free in a moment, or another client may be quicker:
///
/// ```
/// use kael_rt::{net::windows::named_pipe::{ClientOptions, NamedPipeClient}, time};
/// use std::{io::ErrorKind, time::Duration};
///
/// /// As soon as an instance is free. (With `time::timeout` around it: or not at all.)
/// async fn open(name: &str) -> std::io::Result<NamedPipeClient> {
///     loop {
///         match ClientOptions::new().open(name).await {
///             Err(error) if error.kind() == ErrorKind::ResourceBusy => {
///                 time::sleep(Duration::from_millis(50)).await;
///             }
///             opened => return opened,
///         }
///     }
/// }
/// # kael_rt::block_on(async {
/// # use kael_rt::net::windows::named_pipe::ServerOptions;
/// let server = ServerOptions::new().create(r"\\.\pipe\kael-doc-busy")?;
/// let first = open(r"\\.\pipe\kael-doc-busy").await?;
/// let second = kael_rt::spawn(open(r"\\.\pipe\kael-doc-busy"));
/// drop(first);
/// server.connect().await?;
/// server.disconnect().await?;
/// server.connect().await?;
/// second.await.unwrap()?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// Message by message, and only to be read:
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::windows::named_pipe::{ClientOptions, PipeMode};
/// # use kael_rt::net::windows::named_pipe::ServerOptions;
/// # let mut options = ServerOptions::new();
/// # let server = options.pipe_mode(PipeMode::Message).create(r"\\.\pipe\kael-doc-events")?;
/// # let writer = kael_rt::spawn(async move { server.connect().await?; server.write_all("event").await.0 });
/// let events = ClientOptions::new()
///     .read(true)
///     .write(false)
///     .pipe_mode(PipeMode::Message)
///     .open(r"\\.\pipe\kael-doc-events")
///     .await?;
/// let (part, message) = events.read_message(Vec::with_capacity(4096)).await;
/// assert_eq!(part?.len, message.len());
/// # writer.await.unwrap()?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ClientOptions {
    read: bool,
    write: bool,
    mode: PipeMode,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions::new()
    }
}

impl ClientOptions {
    /// As described above.
    pub fn new() -> ClientOptions {
        ClientOptions { read: true, write: true, mode: PipeMode::Byte }
    }

    /// It is read.
    pub fn read(&mut self, on: bool) -> &mut ClientOptions {
        self.read = on;
        self
    }

    /// It is written.
    pub fn write(&mut self, on: bool) -> &mut ClientOptions {
        self.write = on;
        self
    }

    /// How it is read: messages can be read as bytes, but not the other way round (`InvalidInput`).
    pub fn pipe_mode(&mut self, mode: PipeMode) -> &mut ClientOptions {
        self.mode = mode;
        self
    }

    /// Opens the pipe `name`: `\\.\pipe\NAME`, or `\\SERVER\pipe\NAME` on another computer. A thread of the pool does that, since another
    /// computer may take its time. See CreateFile.
    ///
    /// `NotFound`: nobody has made such a pipe. `ResourceBusy`: all its instances are taken; see above. `PermissionDenied`: it is not for
    /// this user, or not for that direction. `InvalidInput`: the name cannot be one.
    ///
    /// Dropping the future closes what it opened.
    ///
    #[doc = budget!(pipe_open)]
    pub async fn open(&self, name: impl AsRef<str>) -> io::Result<NamedPipeClient> {
        let name = name.as_ref();
        let invalid = |text| Error::pipe(io::ErrorKind::InvalidInput, text);
        name::check_any(name).map_err(invalid)?;
        let access = match (self.read, self.write) {
            (true, true) => access::O_RDWR,
            (true, false) => access::O_RDONLY,
            (false, true) => access::O_WRONLY,
            (false, false) => {
                return Err(invalid(format!("`{name}` would be neither read nor written")));
            }
        };
        let path = CString::new(name);
        let messages = self.mode == PipeMode::Message;
        Operation::new(OpenPipe { path, access, messages }).await
    }
}

/// The client's end of a pipe: opened by [`ClientOptions`], used as a [`NamedPipe`].
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::windows::named_pipe::ClientOptions;
/// # use kael_rt::net::windows::named_pipe::ServerOptions;
/// # let server = ServerOptions::new().create(r"\\.\pipe\kael-doc-question")?;
/// # let server = kael_rt::spawn(async move {
/// #     server.connect().await?;
/// #     let (n, question) = server.read(Vec::with_capacity(64)).await;
/// #     n?;
/// #     server.write_all(question).await.0?;
/// #     server.close().await
/// # });
/// let client = ClientOptions::new().open(r"\\.\pipe\kael-doc-question").await?;
/// client.write_all("a question").await.0?;
/// let (result, answer) = client.read(Vec::with_capacity(4096)).await;
/// println!("{} bytes: {answer:?}", result?);
/// client.close().await?;
/// # server.await.unwrap()?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct NamedPipeClient {
    pipe: NamedPipe,
}

impl NamedPipeClient {
    pub(super) fn new(pipe: NamedPipe) -> NamedPipeClient {
        NamedPipeClient { pipe }
    }

    /// Finishes what was written, closes this end, and says how that went. What the server has not read it can still read.
    /// Reads that are still awaited end with an error of kind `NotConnected`. Dropping the future closes it, as dropping
    /// the pipe does.
    ///
    #[doc = budget!(pipe_close)]
    pub async fn close(self) -> io::Result<()> {
        self.pipe.close().await
    }
}

impl Deref for NamedPipeClient {
    type Target = NamedPipe;
    fn deref(&self) -> &NamedPipe {
        &self.pipe
    }
}
