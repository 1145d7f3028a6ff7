//! The model as a library that a program loads.

#![cfg(windows)]

use rio_model::Violation;
use std::os::windows::ffi::OsStrExt;
use windows_sys::Win32::Networking::WinSock::RIO_EXTENSION_FUNCTION_TABLE;
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};

#[test]
fn a_program_that_loads_the_library_gets_the_table_and_the_counts() {
    // Beside this program, where cargo puts it.
    let path = std::env::current_exe().unwrap().with_file_name("rio_model.dll");
    let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: a path that ends with 0, of a library without a main function of its own.
    let library = unsafe { LoadLibraryW(path.as_ptr()) };
    assert!(!library.is_null(), "{}", std::io::Error::last_os_error());
    // SAFETY: an open library and names that end with 0.
    let [table, violations] = [c"kael_rio_model_table", c"kael_rio_model_violations"]
        .map(|name| unsafe { GetProcAddress(library, name.as_ptr().cast()) }.unwrap());
    // SAFETY: that is what the library exports by this name.
    let fill: unsafe extern "system" fn(*mut RIO_EXTENSION_FUNCTION_TABLE) -> i32 =
        unsafe { std::mem::transmute(table) };
    // SAFETY: as above.
    let count: extern "system" fn(u32) -> u64 = unsafe { std::mem::transmute(violations) };

    let mut table = RIO_EXTENSION_FUNCTION_TABLE::default();
    // SAFETY: a table, and none.
    assert_eq!(unsafe { (fill(&raw mut table), fill(std::ptr::null_mut())) }, (10014, 10014));
    table.cbSize = size_of_val(&table) as u32;
    // SAFETY: a table.
    assert_eq!(unsafe { fill(&raw mut table) }, 0);
    assert_eq!(table.cbSize as usize, size_of_val(&table));
    assert!(table.RIOReceiveEx.is_some() && table.RIOResizeRequestQueue.is_some());

    // SAFETY: a number, of no buffer.
    unsafe { table.RIODeregisterBuffer.unwrap()(5) };
    assert_eq!((count(Violation::UnknownBuffer as u32), count(u32::MAX)), (1, 1));
    // What is linked into this program is another model.
    assert_eq!(rio_model::total(), 0);
}
