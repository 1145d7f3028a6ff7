//! The table of the tests' model, which is a library beside the program. Only with `--cfg kael_rio="model"`.

use core::ffi::{CStr, c_void};
use std::os::windows::ffi::OsStrExt;
use windows_sys::Win32::Networking::WinSock::RIO_EXTENSION_FUNCTION_TABLE;

unsafe extern "system" {
    fn LoadLibraryW(name: *const u16) -> *mut c_void;
    fn GetProcAddress(library: *mut c_void, name: *const u8) -> *const c_void;
}

const LIBRARY: &str = "rio_model.dll";
const TABLE: &CStr = c"kael_rio_model_table";

/// Fills the table, or says why not.
type Fill = unsafe extern "system" fn(*mut RIO_EXTENSION_FUNCTION_TABLE) -> i32;

pub(crate) fn load_model() -> Result<RIO_EXTENSION_FUNCTION_TABLE, i32> {
    let program = std::env::current_exe().expect("a program has a path");
    let path = program.with_file_name(LIBRARY);
    let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    // SAFETY: a path that ends with 0.
    let library = unsafe { LoadLibraryW(name.as_ptr()) };
    assert!(!library.is_null(), "{}: {}", path.display(), std::io::Error::last_os_error());
    // SAFETY: an open library, and a name that ends with 0.
    let fill = unsafe { GetProcAddress(library, TABLE.as_ptr().cast()) };
    assert!(!fill.is_null(), "{LIBRARY} has no table");
    // SAFETY: that is what the library exports by this name.
    let fill: Fill = unsafe { core::mem::transmute(fill) };
    let size = size_of::<RIO_EXTENSION_FUNCTION_TABLE>() as u32;
    let mut table = RIO_EXTENSION_FUNCTION_TABLE { cbSize: size, ..Default::default() };
    // SAFETY: a table that says its size.
    match unsafe { fill(&raw mut table) } {
        0 => Ok(table),
        code => Err(code),
    }
}
