//! Opening a path below a folder part by part: no part may be a link but those that are followed here, by hand, and that
//! never climb above the folder.

use super::{FLAGS, Links};
use rustix::fs::{Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;

/// Links that are followed for one path, as in Linux.
const MOST_LINKS: usize = 40;
/// Folders that lie in one another: each is held open meanwhile.
const MOST_DEPTH: usize = 64;

pub(super) fn open(folder: &OwnedFd, path: &str, links: Links) -> io::Result<OwnedFd> {
    // What is still to be done, last part first.
    let mut parts: Vec<Vec<u8>> = split(path.as_bytes()).collect();
    let mut folders: Vec<OwnedFd> = Vec::new();
    let mut followed = 0;
    while let Some(part) = parts.pop() {
        if part == b".." {
            // Only a link brings one.
            folders.pop().ok_or(Errno::XDEV)?;
            continue;
        }
        let here = folders.last().unwrap_or(folder);
        let is_last = parts.is_empty();
        let kind = if is_last { OFlags::empty() } else { OFlags::DIRECTORY };
        match openat(here, &part[..], FLAGS | OFlags::NOFOLLOW | kind, Mode::empty()) {
            Ok(fd) if is_last => return Ok(fd),
            Ok(_) if folders.len() == MOST_DEPTH => return Err(Errno::NAMETOOLONG.into()),
            Ok(fd) => folders.push(fd),
            Err(error @ (Errno::NOENT | Errno::ACCESS)) => return Err(error.into()),
            // Systems differ in how they say that it is a link; this says it everywhere.
            Err(error) => {
                let target = readlinkat(here, &part[..], Vec::new()).map_err(|_| error)?;
                followed += 1;
                if links == Links::Never || followed > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                if target.to_bytes().first() == Some(&b'/') {
                    return Err(Errno::XDEV.into());
                }
                parts.extend(split(target.to_bytes()));
            }
        }
    }
    let here = folders.last().unwrap_or(folder);
    Ok(openat(here, ".", FLAGS | OFlags::DIRECTORY, Mode::empty())?)
}

/// The parts of a path, last first, without those that lead nowhere.
fn split(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').rev();
    parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn read(folder: &OwnedFd, path: &str, links: Links) -> Result<String, Errno> {
        let fd = open(folder, path, links)
            .map_err(|error| Errno::from_io_error(&error).expect("it is the system's"))?;
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text).map_err(|_| Errno::ISDIR)?;
        Ok(text)
    }

    /// The same on every system, and by `openat2` where that is.
    #[test]
    fn links_are_followed_below_the_folder_only() {
        let place = std::env::temp_dir().join(format!("kael-walk-{}", std::process::id()));
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(place.join("root/a/b")).expect("it can be made");
        fs::write(place.join("root/file"), "inside").expect("it can be written");
        fs::write(place.join("secret"), "outside").expect("it can be written");
        for (target, link) in [
            ("../../file", "root/a/b/up"),
            ("../secret", "root/out"),
            ("a/b", "root/shortcut"),
            ("loop", "root/loop"),
            ("..", "root/parent"),
        ] {
            symlink(target, place.join(link)).expect("it can be made");
        }
        symlink(place.join("root/file"), place.join("root/absolute")).expect("it can be made");
        let folder: OwnedFd = File::open(place.join("root")).expect("it is there").into();
        for (path, links, expected) in [
            ("file", Links::Never, Ok("inside")),
            ("a/b/up", Links::Below, Ok("inside")),
            ("shortcut/up", Links::Below, Ok("inside")),
            ("a/b/up", Links::Never, Err(Errno::LOOP)),
            ("out", Links::Below, Err(Errno::XDEV)),
            ("parent/secret", Links::Below, Err(Errno::XDEV)),
            ("absolute", Links::Below, Err(Errno::XDEV)),
            ("loop", Links::Below, Err(Errno::LOOP)),
            ("file/x", Links::Below, Err(Errno::NOTDIR)),
            ("none", Links::Below, Err(Errno::NOENT)),
            ("a/b", Links::Below, Err(Errno::ISDIR)),
            (".", Links::Below, Err(Errno::ISDIR)),
        ] {
            assert_eq!(
                read(&folder, path, links).as_deref(),
                expected.as_ref().map(|text| *text),
                "{path}"
            );
            let found = super::super::system::find(&folder, path, links);
            assert_eq!(
                found.is_ok(),
                expected.is_ok() || expected == Err(Errno::ISDIR),
                "{path}: {found:?}"
            );
        }
        let _ = fs::remove_dir_all(&place);
    }
}
