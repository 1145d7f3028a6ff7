//! The backend under faults, through the public API. The plan of faults belongs to a thread, and so does a runtime: the
//! tests may run side by side.

mod accepting;
mod enter;
mod files;
mod fixed;
mod forged;
mod measured;
mod messages;
mod polled;
mod pooled;
mod resized;
mod restricted;
mod results;
mod submission;
mod zero_copy;

use super::{abi::*, faults, syscall};
use crate::{
    driver::DriverCounters,
    fs::File,
    net::{TcpListener, TcpStream},
    task::context,
};
use std::{
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    panic::resume_unwind,
    path::PathBuf,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::Duration,
};

/// Runs `test` on a thread of its own, for a generous time at most.
fn in_time(test: impl FnOnce() + Send + 'static) {
    let limit = Duration::from_secs(150);
    let (done, end) = channel();
    let thread = thread::spawn(move || {
        test();
        faults::clear();
        let _ = done.send(());
    });
    if end.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        panic!("the test's time limit of {limit:?} has passed");
    }
    if let Err(panic) = thread.join() {
        resume_unwind(panic);
    }
}

fn is_full() -> bool {
    std::env::var_os("KAEL_FULL").is_some()
}

/// The processor is emulated, and twenty times slower.
fn is_emulated() -> bool {
    std::env::var_os("KAEL_EMULATED").is_some()
}

fn counters() -> DriverCounters {
    context::with("a test", |core| core.driver.counters())
}

/// Whether this kernel's rings have the operation. A test that leaves something out for want of it says so.
fn kernel_has(opcode: u8, name: &str) -> bool {
    let ring = syscall::setup(1, &mut Params::default()).expect("the kernel makes a ring");
    // SAFETY: the kernel just made it for us.
    let ring = unsafe { OwnedFd::from_raw_fd(ring as i32) };
    // struct io_uring_probe: 16 bytes, then 8 bytes an operation, whose third is its flags.
    let mut probe = [0u8; 16 + 8 * 256];
    let (number, at) = (ring.as_raw_fd() as u32, probe.as_mut_ptr() as usize);
    // SAFETY: the probe has room for 256 operations.
    unsafe { syscall::register(number, REGISTER_PROBE, at, 256) }.expect("the kernel can probe");
    let has = probe[16 + 8 * usize::from(opcode) + 2] & 1 != 0;
    if !has {
        println!("not checked: {name}, which this kernel's rings do not have");
    }
    has
}

/// Both ends of a connection.
async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let one = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (other, _) = listener.accept().await.unwrap();
    (one, other)
}

/// A path of its own; what is there goes with the value.
struct TempPath(PathBuf);

impl TempPath {
    fn new(name: &str) -> TempPath {
        TempPath(std::env::temp_dir().join(format!("kael-uring-{name}-{}", std::process::id())))
    }

    fn holding(name: &str, bytes: &[u8]) -> TempPath {
        let path = TempPath::new(name);
        std::fs::write(&path.0, bytes).expect("the folder for temporary files can be written");
        path
    }

    async fn open(&self) -> File {
        File::options().read(true).write(true).open(&self.0).await.unwrap()
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
