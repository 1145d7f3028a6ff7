//! What a program that loads the library calls.

use crate::violations::{KINDS, count, total};
use windows_sys::Win32::Networking::WinSock::{RIO_EXTENSION_FUNCTION_TABLE, WSAEFAULT};

/// Fills the table. 0, or WSAEFAULT when `cbSize` is not the table's size.
///
/// # Safety
///
/// `table` is null or points at a table.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn kael_rio_model_table(
    table: *mut RIO_EXTENSION_FUNCTION_TABLE,
) -> i32 {
    // SAFETY: null or a table, by our contract.
    let Some(table) = (unsafe { table.as_mut() }) else {
        return WSAEFAULT;
    };
    if table.cbSize as usize != size_of::<RIO_EXTENSION_FUNCTION_TABLE>() {
        return WSAEFAULT;
    }
    *table = crate::table();
    0
}

/// How often a kind of violation has happened: its number in `Violation`, or anything else for all together.
#[unsafe(no_mangle)]
pub extern "system" fn kael_rio_model_violations(kind: u32) -> u64 {
    KINDS.get(kind as usize).map_or_else(total, |&kind| count(kind))
}

/// The seed of completion queues that this thread will make.
#[unsafe(no_mangle)]
pub extern "system" fn kael_rio_model_seed(seed: u64) {
    crate::seed(Some(seed));
}

/// Completions of either direction are held back until there are so many; 0: none is.
#[unsafe(no_mangle)]
pub extern "system" fn kael_rio_model_gather(completions: u32) {
    crate::gather(completions as usize);
}
