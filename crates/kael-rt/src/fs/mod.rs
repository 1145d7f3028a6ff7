//! Files: positional reads and writes, options, metadata, and the changes of directories.
//!
//! A file has no position of its own here: each read and write names its offset, so any number of
//! them may be under way together.
#![forbid(unsafe_code)]

mod file;
mod metadata;
mod options;
mod path;
mod read_stream;

pub use file::File;
pub use metadata::{DirectAlignment, Metadata};
pub use options::OpenOptions;
pub use path::{
    create_dir, metadata, read, read_to_string, remove_dir, remove_file, rename, symlink_metadata,
    write,
};
pub use read_stream::ReadStream;
