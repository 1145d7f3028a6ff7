//! The model as the library has loaded it: another one than what is linked into a test.

use std::os::windows::ffi::OsStrExt;
use windows_sys::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};

/// One of which the system does not know what it takes.
type Function = unsafe extern "system" fn() -> isize;

#[derive(Clone, Copy)]
pub(crate) struct Model {
    violations: extern "system" fn(u32) -> u64,
    seed: extern "system" fn(u64),
    gather: extern "system" fn(u32),
}

impl Model {
    pub(crate) fn get() -> Model {
        // Beside this program, where cargo puts it.
        let path = std::env::current_exe().unwrap().with_file_name("rio_model.dll");
        let path: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: a path that ends with 0, of a library without a main function of its own.
        let library = unsafe { LoadLibraryW(path.as_ptr()) };
        assert!(!library.is_null(), "{}", std::io::Error::last_os_error());
        // SAFETY: an open library and names that end with 0.
        let [violations, seed, gather] =
            [c"kael_rio_model_violations", c"kael_rio_model_seed", c"kael_rio_model_gather"]
                .map(|name| unsafe { GetProcAddress(library, name.as_ptr().cast()) }.unwrap());
        // SAFETY: that is what the library exports by these names.
        unsafe {
            Model {
                violations: std::mem::transmute::<Function, extern "system" fn(u32) -> u64>(
                    violations,
                ),
                seed: std::mem::transmute::<Function, extern "system" fn(u64)>(seed),
                gather: std::mem::transmute::<Function, extern "system" fn(u32)>(gather),
            }
        }
    }

    /// Violations of all kinds.
    pub(crate) fn total(&self) -> u64 {
        (self.violations)(u32::MAX)
    }

    /// The seed of runtimes that this thread will make.
    pub(crate) fn seed(&self, seed: u64) {
        (self.seed)(seed);
    }

    /// Completions are held back until there are so many; 0: none is.
    pub(crate) fn gather(&self, completions: u32) {
        (self.gather)(completions);
    }
}
