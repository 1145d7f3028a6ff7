//! What this process holds: descriptors and memory.
#![allow(dead_code, unused_imports, reason = "each test program uses a part of it")]

pub(crate) use system::{open, resident};

#[cfg(unix)]
mod system {
    use std::fs::{read_dir, read_link, read_to_string};

    /// The numbers of the open descriptors.
    pub(crate) fn open() -> Vec<i32> {
        let listed = read_dir("/proc/self/fd").expect("proc is mounted");
        let name = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
        let mut numbers: Vec<i32> = listed.map(|entry| name(entry.unwrap()).unwrap()).collect();
        numbers.sort_unstable();
        // The highest may be the listing's own; whether a number is open is asked once more.
        numbers.retain(|number| read_link(format!("/proc/self/fd/{number}")).is_ok());
        numbers
    }

    /// Resident memory in bytes.
    pub(crate) fn resident() -> usize {
        let statm = read_to_string("/proc/self/statm").expect("proc is mounted");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap() * 4096
    }
}

#[cfg(windows)]
mod system {
    use std::net::UdpSocket;
    use windows_sys::Win32::{
        Foundation::{STATUS_INFO_LENGTH_MISMATCH, STATUS_SUCCESS},
        System::{
            ProcessStatus::{K32GetProcessMemoryInfo, PROCESS_MEMORY_COUNTERS},
            Threading::GetCurrentProcess,
        },
    };

    /// An entry of the list of all handles of the system.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Entry {
        object: usize,
        process: usize,
        handle: usize,
        access: u32,
        trace: u16,
        kind: u16,
        attributes: u32,
        reserved: u32,
    }

    /// All of them, with whose they are. (GetProcessHandleCount would do, but Wine 8 always answers 0.)
    const ALL_HANDLES: i32 = 64;

    #[link(name = "ntdll")]
    unsafe extern "system" {
        fn NtQuerySystemInformation(what: i32, room: *mut Entry, len: u32, needs: *mut u32) -> i32;
    }

    /// The numbers of the open handles.
    pub(crate) fn open() -> Vec<i32> {
        // What the system's libraries make with the first socket, of the process and of a thread, stays as long as those.
        thread_local! {
            static LIBRARIES: () = drop(UdpSocket::bind("127.0.0.1:0").unwrap());
        }
        LIBRARIES.with(|_| {});
        let me = std::process::id() as usize;
        let mine = list().into_iter().filter(|entry| entry.process == me);
        let mut numbers: Vec<i32> = mine.map(|entry| entry.handle as i32).collect();
        numbers.sort_unstable();
        numbers
    }

    fn list() -> Vec<Entry> {
        let mut room = vec![Entry::default(); 4096];
        loop {
            let (len, mut needs) = (size_of_val(&room[..]) as u32, 0);
            // SAFETY: room of that length.
            let status = unsafe {
                NtQuerySystemInformation(ALL_HANDLES, room.as_mut_ptr(), len, &mut needs)
            };
            match status {
                STATUS_SUCCESS => break,
                STATUS_INFO_LENGTH_MISMATCH => room.resize(2 * room.len(), Entry::default()),
                status => panic!("the list of handles: {status:x}"),
            }
        }
        // Two words come first, their number and one that is reserved.
        let n = room[0].object;
        // SAFETY: the system has filled so many entries, which begin there and are made of integers.
        unsafe {
            let first = room.as_ptr().cast::<usize>().add(2).cast::<Entry>();
            (0..n).map(|i| first.add(i).read()).collect()
        }
    }

    /// Resident memory in bytes.
    pub(crate) fn resident() -> usize {
        let mut counters = PROCESS_MEMORY_COUNTERS::default();
        let len = size_of_val(&counters) as u32;
        // SAFETY: this process, and room of that length.
        assert_ne!(unsafe { K32GetProcessMemoryInfo(GetCurrentProcess(), &mut counters, len) }, 0);
        counters.WorkingSetSize
    }
}
