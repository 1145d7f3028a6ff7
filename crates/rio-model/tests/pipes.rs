//! What the answers of a named pipe mean, and what one is made with: plain data, so these tests run on any system.

// The files are the library's; what only its calls use is not used here.
#![allow(dead_code)]

#[path = "../../kael-rt/src/net/windows/named_pipe/name.rs"]
mod name;
#[path = "../../kael-rt/src/sys/windows/pipes/state.rs"]
mod state;

use state::{Read, Shape, connected, read};

const BROKEN: i32 = 109;
const CLOSING: i32 = 232;
const MORE: i32 = 234;
const CONNECTED: i32 = 535;
const LISTENING: i32 = 536;

#[test]
fn w05_a_client_of_whom_nobody_was_told_is_handed_over_also_when_it_has_gone() {
    for served in [false, true] {
        assert_eq!(connected(0, served), Ok(()));
        // It came before it was waited for, or while a wait was dropped.
        assert_eq!(connected(CONNECTED, served), Ok(()));
        assert_eq!(connected(LISTENING, served), Err(LISTENING));
    }
    assert_eq!(connected(CLOSING, false), Ok(()), "what it wrote can be read");
    assert_eq!(connected(CLOSING, true), Err(CLOSING), "nobody is handed over twice");
}

#[test]
fn w06_a_part_of_a_message_is_no_error_and_nothing_is_no_end() {
    assert_eq!(read(0, 7), Read::Bytes(7));
    assert_eq!(read(MORE, 7), Read::Part(7));
    assert_eq!(read(0, 0), Read::Nothing);
    assert_eq!(read(BROKEN, 0), Read::End);
    assert_eq!(read(233, 0), Read::Failed(233));
}

fn shape() -> Shape {
    Shape {
        inbound: true,
        outbound: true,
        messages: false,
        first: false,
        reject_remote: true,
        instances: None,
        in_buffer: 0,
        out_buffer: 0,
    }
}

/// The numbers are those of Microsoft's documentation of CreateNamedPipe.
#[test]
fn a_pipe_is_asked_for_as_it_was_described() {
    let plain = shape();
    assert_eq!((plain.open_mode(), plain.pipe_mode()), (0x4000_0003, 8));
    assert_eq!(plain.most_instances(), 255);
    let open = Shape { reject_remote: false, instances: Some(254), ..shape() };
    assert_eq!((open.pipe_mode(), open.most_instances()), (0, 254));
    let messages = Shape { messages: true, first: true, outbound: false, ..shape() };
    assert_eq!((messages.open_mode(), messages.pipe_mode()), (0x4008_0001, 8 | 4 | 2));
    let outward = Shape { inbound: false, ..shape() };
    assert_eq!(outward.open_mode(), 0x4000_0002);
}

#[test]
fn names_are_those_of_pipes() {
    let longest = format!(r"\\.\pipe\{}", "é".repeat(247));
    for good in [r"\\.\pipe\a", r"\\.\PIPE\a\b", r"\\.\pipe\ü x", &longest] {
        assert_eq!(name::check_own(good), Ok(()), "{good}");
        assert_eq!(name::check_any(good), Ok(()), "{good}");
    }
    assert_eq!(name::check_any(r"\\server\Pipe\a"), Ok(()));
    let too_long = format!("{longest}x");
    for bad in ["", "a", r"\\.\pipe", r"\\.\pipe\", r"\\.\pipes\a", r"\.\pipe\a", "é\\.\\pipe\\a"]
    {
        assert!(name::check_own(bad).is_err() && name::check_any(bad).is_err(), "{bad}");
    }
    assert!(name::check_own(r"\\server\pipe\a").is_err());
    assert!(name::check_any(r"\\\pipe\a").is_err());
    assert!(name::check_any("\\\\.\\pipe\\a\0").is_err());
    assert!(name::check_own(&too_long).unwrap_err().contains("this one 257"));
}
