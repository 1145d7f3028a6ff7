//! Files that are none, as Windows tells them apart. (Elsewhere: bad_input.rs.)

#![cfg(windows)]

#[path = "support/errno.rs"]
mod errno;
mod rig;

use kael_rt::fs::{self, File};
use rig::{TempFile, open_descriptors, within_limit};
use std::io;
use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_PATH_NOT_FOUND};

fn code<T>(result: io::Result<T>) -> Option<i32> {
    result.err().expect("an error").raw_os_error()
}

#[test]
fn files_that_are_none() {
    within_limit(|| {
        let temp = TempFile::new("bad-files", b"01234567");
        let before = open_descriptors();
        kael_rt::block_on(async {
            let folder = std::env::temp_dir();
            let missing = folder.join("no-such-file");
            assert_eq!(code(File::open(&missing).await), Some(errno::ENOENT));
            assert_eq!(code(fs::metadata(&missing).await), Some(errno::ENOENT));
            let under_a_file = File::open(temp.0.join("x")).await;
            assert_eq!(code(under_a_file), Some(ERROR_PATH_NOT_FOUND as i32));
            // A directory is no file.
            assert_eq!(code(File::create(&folder).await), Some(ERROR_ACCESS_DENIED as i32));
            assert_eq!(code(File::open(&folder).await), Some(ERROR_ACCESS_DENIED as i32));

            let file = File::open(&temp.0).await.unwrap();
            let (result, _) = file.write_at("x", 0).await;
            assert_eq!(code(result), Some(ERROR_ACCESS_DENIED as i32), "it is for reading");
            assert_eq!(file.read_at(vec![0; 8], 0).await.1, b"01234567");
        });
        // Threads of the pool let go a moment later.
        while open_descriptors() != before {
            std::thread::yield_now();
        }
    });
}
