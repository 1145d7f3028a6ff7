//! Files by their path: whole reads and writes, and the changes of directories.
#![forbid(unsafe_code)]

use super::File;
use crate::{
    budget::budget,
    buf::IoBuf,
    op::{Change, Changing, KernelPath, Operation, StatPath},
};
use std::{ffi::CString, io, path::Path};

/// (The bytes are those of the path on Unix; on Windows they are the standard library's own form of it.)
pub(super) fn kernel_path(path: &Path) -> KernelPath {
    CString::new(path.as_os_str().as_encoded_bytes())
}

/// Reads a whole file.
///
/// ```
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-read-{}", std::process::id()));
/// kael_rt::fs::write(&path, "text").await?;
/// assert_eq!(kael_rt::fs::read(&path).await?, b"text");
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_read)]
pub async fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let file = File::open(path).await?;
    // One byte more than the length shows the end without growing.
    let len = usize::try_from(file.metadata().await?.len()).unwrap_or(0);
    let mut buf = Vec::with_capacity(len + 1);
    loop {
        let end = buf.len();
        if end == buf.capacity() {
            buf.reserve(64 * 1024);
        }
        let (result, part) = file.read_at(buf.slice(end..), end as u64).await;
        buf = part.into_inner();
        if result? == 0 {
            return Ok(buf);
        }
    }
}

/// Reads a whole file that is UTF-8.
///
/// ```
/// # kael_rt::block_on(async {
/// assert!(kael_rt::fs::read_to_string("/proc/version").await?.contains("Linux"));
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_read_to_string)]
pub async fn read_to_string(path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = read(path).await?;
    String::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// Makes the buffer's bytes the whole content of a file, which is made if there is none.
///
/// ```
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-write-{}", std::process::id()));
/// kael_rt::fs::write(&path, vec![1, 2, 3]).await?;
/// assert_eq!(kael_rt::fs::metadata(&path).await?.len(), 3);
/// # kael_rt::fs::remove_file(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_write)]
pub async fn write(path: impl AsRef<Path>, buf: impl IoBuf) -> io::Result<()> {
    let file = File::create(path).await?;
    file.write_all_at(buf, 0).await.0?;
    file.close().await
}

/// What is at a path, through symbolic links. See stat(2).
///
/// ```
/// # kael_rt::block_on(async {
/// assert!(kael_rt::fs::metadata("/proc").await?.is_dir());
/// assert!(kael_rt::fs::metadata("/no/such/file").await.is_err());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_metadata)]
pub fn metadata(path: impl AsRef<Path>) -> Operation<StatPath> {
    Operation::new(StatPath { path: kernel_path(path.as_ref()), follow: true })
}

/// What is at a path, which may be a symbolic link itself. See lstat(2).
///
/// ```
/// # kael_rt::block_on(async {
/// assert!(kael_rt::fs::symlink_metadata("/proc/self").await?.is_symlink());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_symlink_metadata)]
pub fn symlink_metadata(path: impl AsRef<Path>) -> Operation<StatPath> {
    Operation::new(StatPath { path: kernel_path(path.as_ref()), follow: false })
}

/// Removes a name of a file. See unlink(2).
///
/// ```
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-remove-{}", std::process::id()));
/// kael_rt::fs::write(&path, "").await?;
/// kael_rt::fs::remove_file(&path).await?;
/// assert!(kael_rt::fs::remove_file(&path).await.is_err());
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_write)]
pub fn remove_file(path: impl AsRef<Path>) -> Operation<Change> {
    let path = kernel_path(path.as_ref());
    Operation::new(Change { what: Changing::Unlink { path, dir: false } })
}

/// Removes an empty directory. See rmdir(2).
///
/// ```
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-rmdir-{}", std::process::id()));
/// kael_rt::fs::create_dir(&path).await?;
/// kael_rt::fs::remove_dir(&path).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_directory)]
pub fn remove_dir(path: impl AsRef<Path>) -> Operation<Change> {
    let path = kernel_path(path.as_ref());
    Operation::new(Change { what: Changing::Unlink { path, dir: true } })
}

/// Gives a file another name, in place of what had it. See rename(2).
///
/// ```
/// # kael_rt::block_on(async {
/// # let path = std::env::temp_dir().join(format!("kael-doc-rename-{}", std::process::id()));
/// kael_rt::fs::write(&path, "x").await?;
/// let other = path.with_extension("moved");
/// kael_rt::fs::rename(&path, &other).await?;
/// kael_rt::fs::remove_file(&other).await?;
/// # Ok::<_, std::io::Error>(())
/// # }).unwrap();
/// ```
///
#[doc = budget!(path_rename)]
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Operation<Change> {
    let (from, to) = (kernel_path(from.as_ref()), kernel_path(to.as_ref()));
    Operation::new(Change { what: Changing::Rename { from, to } })
}

/// Makes a directory, with mode 0o777 less the umask. See mkdir(2).
///
/// ```
/// # kael_rt::block_on(async {
/// assert!(kael_rt::fs::create_dir("/proc/new").await.is_err());
/// # });
/// ```
///
#[doc = budget!(path_directory)]
pub fn create_dir(path: impl AsRef<Path>) -> Operation<Change> {
    let path = kernel_path(path.as_ref());
    Operation::new(Change { what: Changing::MakeDir { path, mode: 0o777 } })
}
