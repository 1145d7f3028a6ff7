//! Files that a user names, read as text, up to a bound.

use crate::fail::Fail;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The text of a file. A file that is longer cannot be what was meant.
pub(crate) fn read(path: &Path, longest_bytes: u64) -> Result<String, Fail> {
    read_up_to(path, longest_bytes)
        .map_err(|error| Fail::Use(format!("{}: {error}", path.display())))
}

fn read_up_to(path: &Path, longest_bytes: u64) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(longest_bytes + 1).read_to_string(&mut text)?;
    if read as u64 > longest_bytes {
        return Err(io::Error::other(format!("it is longer than {} MiB", longest_bytes >> 20)));
    }
    Ok(text)
}
