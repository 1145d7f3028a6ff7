//! The archive from which a kernel unpacks its first file system: cpio, in its form "newc". See the kernel's document
//! "initramfs buffer format", <https://docs.kernel.org/driver-api/early-userspace/buffer-format.html>.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_755;

pub(super) struct Archive<W> {
    out: W,
    entries: u32,
    written: BTreeSet<String>,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> Archive<W> {
        Archive { out, entries: 0, written: BTreeSet::new() }
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.written.contains(name(path))
    }

    /// A folder, and those above it, unless they are there.
    pub(super) fn folder(&mut self, path: &Path) -> io::Result<()> {
        if name(path).is_empty() || self.has(path) {
            return Ok(());
        }
        if let Some(above) = path.parent() {
            self.folder(above)?;
        }
        self.entry(name(path), FOLDER, &[])?;
        self.written.insert(name(path).to_owned());
        Ok(())
    }

    /// A file that anybody may read and run, with the folders above it.
    pub(super) fn file(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        if let Some(above) = path.parent() {
            self.folder(above)?;
        }
        self.entry(name(path), FILE, bytes)?;
        self.written.insert(name(path).to_owned());
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn entry(&mut self, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        self.entries += 1;
        let size = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let name_size = name.len() as u32 + 1;
        // inode, mode, user, group, links, time, size, four device numbers, size of the name, no checksum.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        self.out.write_all(b"070701")?;
        for field in fields {
            write!(self.out, "{field:08x}")?;
        }
        self.padded(format!("{name}\0").as_bytes(), HEAD)?;
        self.padded(bytes, 0)
    }

    /// Name and contents end at multiples of four, counted from the entry's beginning.
    fn padded(&mut self, bytes: &[u8], before: usize) -> io::Result<()> {
        self.out.write_all(bytes)?;
        let odd = (before + bytes.len()) % 4;
        self.out.write_all(&[0; 4][..(4 - odd) % 4])
    }
}

const HEAD: usize = 6 + 13 * 8;

/// Names in the archive are relative to its root.
fn name(path: &Path) -> &str {
    path.to_str().expect("paths of the guest are text").trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_folders_come_once_and_first() {
        let mut archive = Archive::new(Vec::new());
        archive.file(Path::new("/a/b/one"), b"12345").unwrap();
        archive.file(Path::new("/a/two"), b"").unwrap();
        let bytes = archive.finish().unwrap();
        let starts: Vec<usize> =
            bytes.windows(6).enumerate().filter(|(_, w)| *w == b"070701").map(|(i, _)| i).collect();
        assert!(starts.iter().all(|start| start % 4 == 0), "{starts:?}");
        let names: Vec<&str> = starts
            .iter()
            .map(|start| {
                let name = &bytes[start + HEAD..];
                let end = name.iter().position(|byte| *byte == 0).unwrap();
                std::str::from_utf8(&name[..end]).unwrap()
            })
            .collect();
        assert_eq!(names, ["a", "a/b", "a/b/one", "a/two", "TRAILER!!!"]);
    }
}
