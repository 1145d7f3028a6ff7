//! [`send`]: the bytes of a file go to a client.

use super::range::Part;
use super::wire::Wire;
use kael_rt::fs::File;
use std::io;

/// Parts of no more bytes are copied behind their head, and both go out by one call. Larger ones are not copied, which
/// takes some calls more.
const COPIED_BYTES: u64 = 24 * 1024;

/// Sends a part of a file, behind what the wire holds already. Returns how many bytes that were.
///
/// A file that has become shorter gives `UnexpectedEof`: the client was told a length, so the connection must end.
pub(super) async fn send(file: &File, part: Part, wire: &mut Wire) -> io::Result<u64> {
    if wire.is_plain() && part.len() > COPIED_BYTES {
        wire.send_file(file, part).await?;
        return Ok(part.len());
    }
    let mut at = part.start;
    while at < part.end {
        let n = wire.fill_from(file, at, part.end - at).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += n;
    }
    Ok(part.len())
}
