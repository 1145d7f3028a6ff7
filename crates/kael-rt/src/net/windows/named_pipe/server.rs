//! The server's end.
#![forbid(unsafe_code)]

use super::{NamedPipe, PipeMode, name};
use crate::{
    driver::Kind,
    error::Error,
    sys::{
        budgets::pipes::budget,
        errno,
        pipes::{self, MOST_INSTANCES, Shape},
    },
    task::context,
};
use std::{io, ops::Deref};

/// How the server's end of a pipe is made.
///
/// By itself: both directions, bytes, any number of instances, buffers of 64 KiB, and nobody from another computer. Who may
/// open it is what Windows grants by default: all to the system, to administrators and to the user who made it, and reading to everybody,
/// also without a name (see CreateNamedPipe, lpSecurityAttributes).
///
/// ```
/// use kael_rt::net::windows::named_pipe::{PipeMode, ServerOptions};
///
/// # kael_rt::block_on(async {
/// let server = ServerOptions::new()
///     .first_pipe_instance(true)
///     .max_instances(4)
///     .pipe_mode(PipeMode::Message)
///     .in_buffer_size(4096)
///     .out_buffer_size(4096)
///     .create(r"\\.\pipe\kael-doc-options")?;
/// assert_eq!(server.info()?.max_instances, Some(4));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// One direction alone, and for other computers, too:
///
/// ```
/// # use kael_rt::net::windows::named_pipe::ServerOptions;
/// # kael_rt::block_on(async {
/// let log = ServerOptions::new()
///     .access_outbound(false)
///     .access_inbound(true)
///     .reject_remote_clients(false)
///     .create(r"\\.\pipe\kael-doc-log")?;
/// # drop(log);
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct ServerOptions {
    shape: Shape,
    /// What was asked for, if it cannot be.
    instances: Option<usize>,
}

impl Default for ServerOptions {
    fn default() -> ServerOptions {
        ServerOptions::new()
    }
}

impl ServerOptions {
    /// As described above.
    pub fn new() -> ServerOptions {
        let shape = Shape {
            inbound: true,
            outbound: true,
            messages: false,
            first: false,
            reject_remote: true,
            instances: None,
            in_buffer: 64 * 1024,
            out_buffer: 64 * 1024,
        };
        ServerOptions { shape, instances: None }
    }

    /// Bytes or messages. All instances of a name must be of one kind: `PermissionDenied` otherwise.
    pub fn pipe_mode(&mut self, mode: PipeMode) -> &mut ServerOptions {
        self.shape.messages = mode == PipeMode::Message;
        self
    }

    /// Clients may write.
    pub fn access_inbound(&mut self, on: bool) -> &mut ServerOptions {
        self.shape.inbound = on;
        self
    }

    /// Clients may read.
    pub fn access_outbound(&mut self, on: bool) -> &mut ServerOptions {
        self.shape.outbound = on;
        self
    }

    /// There must be no instance yet: `PermissionDenied` otherwise. So nobody else has taken the name before.
    pub fn first_pipe_instance(&mut self, on: bool) -> &mut ServerOptions {
        self.shape.first = on;
        self
    }

    /// Clients of other computers are refused (PIPE_REJECT_REMOTE_CLIENTS). It is so unless told otherwise.
    pub fn reject_remote_clients(&mut self, on: bool) -> &mut ServerOptions {
        self.shape.reject_remote = on;
        self
    }

    /// The most instances of the name at once, 1 to 254. What the first of them says holds. Beyond it the error is `ResourceBusy`.
    pub fn max_instances(&mut self, instances: usize) -> &mut ServerOptions {
        self.instances = Some(instances);
        self
    }

    /// The size of the system's buffer for what clients write, in bytes. It is a hint: Windows rounds it, and may give more.
    pub fn in_buffer_size(&mut self, bytes: u32) -> &mut ServerOptions {
        self.shape.in_buffer = bytes;
        self
    }

    /// Likewise for what clients read.
    pub fn out_buffer_size(&mut self, bytes: u32) -> &mut ServerOptions {
        self.shape.out_buffer = bytes;
        self
    }

    /// Makes an instance of the pipe `name`, which begins with `\\.\pipe\`. A client may open it at once, also before it is waited for. See
    /// CreateNamedPipe.
    ///
    /// `InvalidInput`: the name or the number of instances cannot be, or clients may neither read nor write. `ResourceBusy`: there are
    /// as many instances as there may be. `PermissionDenied`: the name is another's, or is not to be
    /// shared. 1 call into the system, which does not wait.
    pub fn create(&self, name: impl AsRef<str>) -> io::Result<NamedPipeServer> {
        let name = name.as_ref();
        let invalid = |text| Err(Error::pipe(io::ErrorKind::InvalidInput, text));
        if let Err(text) = name::check_own(name) {
            return invalid(text);
        }
        if !self.shape.inbound && !self.shape.outbound {
            return invalid(format!("clients of `{name}` could neither read nor write"));
        }
        let mut shape = self.shape.clone();
        if let Some(asked) = self.instances {
            shape.instances = match u8::try_from(asked) {
                Ok(n @ 1..=MOST_INSTANCES) => Some(n),
                _ => {
                    return invalid(format!(
                        "a pipe has 1 to {MOST_INSTANCES} instances, or any number, and not {asked}"
                    ));
                }
            };
        }
        let driver = context::with("ServerOptions::create", |core| core.driver.clone());
        let mut wide = Vec::with_capacity(name.len() + 1);
        wide.extend(name.encode_utf16());
        wide.push(0);
        let created = driver.control(|backend| backend.create_pipe(&wide, &shape));
        let number = created.map_err(|error| match error.raw_os_error() {
            Some(errno::PIPE_BUSY) => Error::pipe(
                io::ErrorKind::ResourceBusy,
                match shape.instances {
                    Some(most) => format!("`{name}` has its max_instances({most}) already"),
                    None => format!("`{name}` has as many instances as its first one allows"),
                },
            ),
            _ => error,
        })?;
        let fd = driver.adopt(number, Kind::Stream, false);
        if shape.messages {
            pipes::has_messages(&fd);
        }
        Ok(NamedPipeServer { pipe: NamedPipe::from_fd(fd) })
    }
}

/// The server's end of a pipe: made by [`ServerOptions`], used as a [`NamedPipe`], for one client after the other.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::net::windows::named_pipe::ServerOptions;
/// # use kael_rt::net::windows::named_pipe::ClientOptions;
/// let server = ServerOptions::new().create(r"\\.\pipe\kael-doc-welcome")?;
/// # let clients = kael_rt::spawn(async {
/// #     let mut welcome = 0;
/// #     while welcome < 2 {
/// #         if let Ok(client) = ClientOptions::new().open(r"\\.\pipe\kael-doc-welcome").await {
/// #             welcome += u32::from(client.read_exact(vec![0; 7]).await.1 == b"welcome");
/// #         }
/// #     }
/// # });
/// for _ in 0..2 {
///     server.connect().await?;
///     server.write_all("welcome").await.0?;
///     // It is to have read that before it is put out.
///     server.flush().await?;
///     server.disconnect().await?;
/// }
/// # clients.await.unwrap();
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct NamedPipeServer {
    pipe: NamedPipe,
}

impl NamedPipeServer {
    /// Waits for a client; at once if one is there already. See ConnectNamedPipe.
    ///
    /// It has the reading side meanwhile: reads wait for it. A second call without [`disconnect`](Self::disconnect) is over at once
    /// while the client is there, and `BrokenPipe` when it is gone.
    ///
    /// Dropping it loses no client: one that came all the same is the next call's, also if it has gone since.
    ///
    #[doc = budget!(pipe_connect)]
    pub async fn connect(&self) -> io::Result<()> {
        self.pipe.connect().await
    }

    /// Puts the client out, so that the next one may be waited for. What it has not read is lost ([`flush`](NamedPipe::flush) waits
    /// for that), and so is what it wrote and nobody read. What dropped futures had under way ends with it. See DisconnectNamedPipe.
    ///
    /// `ResourceBusy`: a read, a write or a flush is still awaited elsewhere. `NotConnected`: nobody was there.
    ///
    /// Dropping it does not bring the client back; the next `connect` sweeps away what is left.
    ///
    #[doc = budget!(pipe_disconnect)]
    pub async fn disconnect(&self) -> io::Result<()> {
        self.pipe.disconnect().await
    }

    /// Finishes what was written, ends this instance, and says how that went. What the client has not read it can still read.
    /// Reads that are still awaited end with an error of kind `NotConnected`. Dropping the future closes it, as dropping
    /// the pipe does.
    ///
    #[doc = budget!(pipe_close)]
    pub async fn close(self) -> io::Result<()> {
        self.pipe.close().await
    }
}

impl Deref for NamedPipeServer {
    type Target = NamedPipe;
    fn deref(&self) -> &NamedPipe {
        &self.pipe
    }
}
