//! How a file is asked for. They are our own numbers, where no flag or attribute of CreateFile is that may be asked for.

pub(crate) const O_RDONLY: i32 = 0;
pub(crate) const O_WRONLY: i32 = 0x200;
pub(crate) const O_RDWR: i32 = 0x400;
pub(crate) const O_ACCMODE: i32 = O_WRONLY | O_RDWR;
pub(crate) const O_APPEND: i32 = 0x800;
pub(crate) const O_CREAT: i32 = 0x2000;
pub(crate) const O_EXCL: i32 = 0x8000;
pub(crate) const O_TRUNC: i32 = 0x1_0000;
/// All of these.
pub(crate) const OURS: i32 = O_ACCMODE | O_APPEND | O_CREAT | O_EXCL | O_TRUNC;
/// Of the rights of a file that is made, which do not come here: what is opened is the client's end of a named pipe.
pub(crate) const PIPE: u32 = 0x8000_0000;
/// Likewise, and it is read message by message.
pub(crate) const MESSAGES: u32 = 0x4000_0000;
/// `FILE_FLAG_NO_BUFFERING`.
pub(crate) const O_DIRECT: i32 = 0x2000_0000;
