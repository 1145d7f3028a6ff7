//! The ring's table of files: whatever becomes of a file's place, the file itself is reached, and no other.

use super::super::{Backend, abi::*};
use super::faults::{self, Fault};
use super::{TempPath, in_time, kernel_has, pair};
use crate::fs::File;
use crate::net::UdpSocket;
use crate::task::context;
use crate::time::{Duration, sleep};

fn with_backend<R>(f: impl FnOnce(&mut Backend) -> R) -> R {
    let done = context::with("a test", |core| core.driver.control(|backend| Ok(f(backend))));
    done.expect("the driver is there")
}

fn has_table() -> bool {
    kernel_has(OP_READV_FIXED, "the table of files")
}

async fn bytes_of(file: &File) -> Vec<u8> {
    let (n, bytes) = file.read_at(Vec::with_capacity(16), 0).await;
    n.expect("the file can be read");
    bytes
}

#[test]
fn r10_a_file_whose_place_was_refused_is_read_by_its_number() {
    if !has_table() {
        return;
    }
    in_time(|| {
        crate::block_on(async {
            let path = TempPath::holding("place-refused", b"refused");
            faults::meet(OP_FILES_UPDATE, Fault::Answer(-libc::ENOMEM), 1);
            let file = File::open(&path.0).await.unwrap();
            assert_eq!(faults::hits(), 1, "the file was to have a place");
            for _ in 0..3 {
                assert_eq!(bytes_of(&file).await, b"refused");
            }
            file.close().await.unwrap();
        });
    });
}

#[test]
fn r17_a_file_without_a_place_is_not_read_at_the_place_of_another() {
    if !has_table() {
        return;
    }
    in_time(|| {
        crate::block_on(async {
            let (one, two) =
                (TempPath::holding("place", b"one"), TempPath::holding("none", b"two"));
            let first = File::open(&one.0).await.unwrap();
            assert_eq!(bytes_of(&first).await, b"one");
            with_backend(|backend| {
                assert!(backend.files.is_ready(0), "the first file has the first place");
                backend.files.fill();
            });
            let second = File::open(&two.0).await.unwrap();
            for _ in 0..3 {
                assert_eq!(bytes_of(&second).await, b"two");
                assert_eq!(bytes_of(&first).await, b"one");
            }
            second.close().await.unwrap();
            assert_eq!(bytes_of(&first).await, b"one");
        });
    });
}

#[test]
fn r07_places_are_free_again_after_their_files() {
    if !has_table() {
        return;
    }
    in_time(|| {
        crate::block_on(async {
            let path = TempPath::holding("places", b"many");
            let free = with_backend(|backend| backend.files.free_places());
            for round in 0..free * 2 {
                let file = File::open(&path.0).await.unwrap();
                match round % 3 {
                    0 => drop(file),
                    1 => file.close().await.unwrap(),
                    _ => drop(file.into_std().unwrap()),
                }
            }
            // What was queued last is answered with this.
            crate::fs::metadata(&path.0).await.unwrap();
            crate::yield_now().await;
            assert_eq!(with_backend(|backend| backend.files.free_places()), free);
        });
    });
}

/// Sockets are named by their places as files are, and leave them as files do.
#[test]
fn r07_a_socket_has_its_place_while_it_lives() {
    if !has_table() {
        return;
    }
    in_time(|| {
        crate::block_on(async {
            let free = || with_backend(|backend| backend.files.free_places());
            let before = free();
            for round in 0..30 {
                let (a, b) = pair().await;
                let c = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                for _ in 0..2 {
                    a.write_all("there").await.0.unwrap();
                    assert_eq!(b.read_exact(vec![0; 5]).await.1, b"there");
                    b.write_all("back").await.0.unwrap();
                    assert_eq!(a.read_exact(vec![0; 4]).await.1, b"back");
                }
                assert_eq!(before - free(), 3, "sockets have no places");
                match round % 3 {
                    0 => drop((a, b)),
                    1 => {
                        a.close().await.unwrap();
                        b.close().await.unwrap();
                    }
                    _ => drop((a.into_std().unwrap(), b.into_std().unwrap())),
                }
                drop(c);
                sleep(Duration::from_millis(1)).await;
                assert_eq!(free(), before, "in round {round}");
            }
        });
    });
}
