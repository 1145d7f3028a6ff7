//! How a file is opened.
#![forbid(unsafe_code)]

use super::path::kernel_path;
use crate::{
    op::{Open, Operation},
    sys::{O_DIRECT, access},
};
use std::{io, path::Path};

/// How a file is opened: the options of [`std::fs::OpenOptions`], and direct I/O.
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::fs::OpenOptions;
/// # let path = std::env::temp_dir().join(format!("kael-doc-options-{}", std::process::id()));
/// let log = OpenOptions::new().append(true).create(true).mode(0o600).open(&path).await?;
/// log.write_all_at("one line\n", 0).await.0?;
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
/// A file that one program only may make, and that a later run empties:
///
/// ```
/// # kael_rt::block_on(async {
/// use kael_rt::fs::OpenOptions;
/// # let path = std::env::temp_dir().join(format!("kael-doc-lock-{}", std::process::id()));
/// let lock = OpenOptions::new().write(true).create_new(true).open(&path).await?;
/// lock.write_all_at("owner: 1\n", 0).await.0?;
/// let second = OpenOptions::new().write(true).create_new(true).open(&path).await;
/// assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
/// let again = OpenOptions::new().read(true).write(true).truncate(true).open(&path).await?;
/// assert_eq!(again.metadata().await?.len(), 0);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    direct: bool,
    mode: u32,
    custom_flags: i32,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions::new()
    }
}

impl OpenOptions {
    /// Nothing chosen; mode 0o666 less the umask for files that are made.
    pub fn new() -> OpenOptions {
        OpenOptions {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            direct: false,
            mode: 0o666,
            custom_flags: 0,
        }
    }

    /// For reading.
    pub fn read(&mut self, on: bool) -> &mut OpenOptions {
        self.read = on;
        self
    }

    /// For writing.
    pub fn write(&mut self, on: bool) -> &mut OpenOptions {
        self.write = on;
        self
    }

    /// For writing at the end, wherever a write says. (Linux appends whatever the offset.)
    pub fn append(&mut self, on: bool) -> &mut OpenOptions {
        self.append = on;
        self
    }

    /// Empties the file.
    pub fn truncate(&mut self, on: bool) -> &mut OpenOptions {
        self.truncate = on;
        self
    }

    /// Makes the file if there is none.
    pub fn create(&mut self, on: bool) -> &mut OpenOptions {
        self.create = on;
        self
    }

    /// Makes the file; fails if there is one.
    pub fn create_new(&mut self, on: bool) -> &mut OpenOptions {
        self.create_new = on;
        self
    }

    /// Past the page cache (O_DIRECT; `FILE_FLAG_NO_BUFFERING` on Windows, `F_NOCACHE` on macOS): memory, offsets and
    /// lengths must be aligned, usually to 512 or 4096 bytes. What the file wants is asked when it is opened, with one call more
    /// (on Linux), and kept: [`File::direct_alignment`](super::File::direct_alignment).
    ///
    /// Not every file system has it: then opening is an error of kind `InvalidInput` that says so, and
    /// [`Error::os_error`](crate::Error::os_error) has what the system said. See open(2).
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// # let path = std::env::temp_dir().join(format!("kael-doc-direct-{}", std::process::id()));
    /// # kael_rt::fs::write(&path, vec![7; 8192]).await?;
    /// use kael_rt::fs::OpenOptions;
    /// use std::io::ErrorKind;
    /// match OpenOptions::new().read(true).direct(true).open(&path).await {
    ///     Ok(file) => println!("{:?}", file.metadata().await?.direct_alignment()),
    ///     Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidInput, "no direct I/O here"),
    /// }
    /// # kael_rt::fs::remove_file(&path).await?;
    /// # Ok::<_, std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn direct(&mut self, on: bool) -> &mut OpenOptions {
        self.direct = on;
        self
    }

    /// The rights of a file that is made, before the umask.
    pub fn mode(&mut self, mode: u32) -> &mut OpenOptions {
        self.mode = mode;
        self
    }

    /// Further flags of open(2).
    ///
    /// ```
    /// # kael_rt::block_on(async {
    /// use kael_rt::fs::OpenOptions;
    /// // "/proc/self" is a symbolic link, which O_NOFOLLOW refuses.
    /// let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open("/proc/self").await;
    /// assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::ELOOP));
    /// # });
    /// ```
    pub fn custom_flags(&mut self, flags: i32) -> &mut OpenOptions {
        self.custom_flags = flags;
        self
    }

    /// Opens the file at `path`. Combinations that make no sense are `InvalidInput`, as in the
    /// standard library. See open(2).
    ///
    /// Dropping the future closes what it opened.
    pub fn open(&self, path: impl AsRef<Path>) -> Operation<Open> {
        let path = kernel_path(path.as_ref());
        Operation::new(Open { path, flags: self.flags(), mode: self.mode })
    }

    fn flags(&self) -> io::Result<i32> {
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let access = match (self.read, self.write, self.append) {
            (true, false, false) => access::O_RDONLY,
            (false, true, false) => access::O_WRONLY,
            (true, true, false) => access::O_RDWR,
            (false, _, true) => access::O_WRONLY | access::O_APPEND,
            (true, _, true) => access::O_RDWR | access::O_APPEND,
            (false, false, false) => return Err(invalid()),
        };
        let writes = self.write || self.append;
        if (self.truncate && (!self.write || self.append) && !self.create_new)
            || ((self.create || self.create_new) && !writes)
        {
            return Err(invalid());
        }
        let creation = match (self.create, self.truncate, self.create_new) {
            (_, _, true) => access::O_CREAT | access::O_EXCL,
            (true, true, false) => access::O_CREAT | access::O_TRUNC,
            (true, false, false) => access::O_CREAT,
            (false, true, false) => access::O_TRUNC,
            (false, false, false) => 0,
        };
        let direct = if self.direct { O_DIRECT } else { 0 };
        Ok(access | creation | direct | (self.custom_flags & !access::O_ACCMODE))
    }
}
