//! What the attributes expand to, run against a runtime of this file that writes down what it is asked for.
#![forbid(unsafe_code)]

// The expansion says `::kael_rt`: for the length of this file that is the file itself.
extern crate self as kael_rt;

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

thread_local! { static ASKED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) } }

fn asked(what: String) {
    ASKED.with_borrow_mut(|asked| asked.push(what));
}

fn trace() -> Vec<String> {
    ASKED.take()
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    asked("block_on".into());
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("these tests wait for nothing"),
    }
}

pub mod runtime {
    use std::future::Future;
    use std::io;

    pub struct Builder(usize);
    pub struct Runtime(());

    impl Builder {
        #[expect(clippy::new_without_default, reason = "the real one has both")]
        pub fn new() -> Builder {
            Builder(1)
        }
        pub fn cores(self, cores: usize) -> Builder {
            super::asked(format!("cores {cores}"));
            Builder(cores)
        }
        pub fn start_paused(self, paused: bool) -> Builder {
            super::asked(format!("start_paused {paused}"));
            self
        }
        pub fn build(self) -> io::Result<Runtime> {
            if self.0 == 0 { Err(io::Error::other("no cores, no work")) } else { Ok(Runtime(())) }
        }
    }
    impl Runtime {
        pub fn block_on<F: Future>(&self, future: F) -> F::Output {
            super::block_on(future)
        }
    }
}

mod plain {
    /// Documented, and visible to the test below.
    #[kael_rt_macros::main]
    #[must_use]
    pub(crate) async fn main() -> u32 {
        std::future::ready(7).await
    }
}

#[test]
fn main_without_options_is_block_on() {
    assert_eq!(plain::main(), 7);
    assert_eq!(trace(), ["block_on"]);
}

#[kael_rt_macros::main()]
async fn failing() -> Result<(), Box<dyn std::error::Error>> {
    let _: u32 = "no number".parse()?;
    Ok(())
}

#[test]
fn question_marks_convert_to_the_declared_error() {
    assert!(failing().unwrap_err().to_string().contains("invalid digit"));
}

#[kael_rt_macros::main]
async fn early() -> io::Result<impl Sized + PartialEq<i32>> {
    if std::hint::black_box(true) {
        return Ok(1);
    }
    Err(io::ErrorKind::Other.into())
}

#[test]
fn early_returns_and_opaque_types_work() {
    assert!(early().unwrap() == 1);
}

const CORES: usize = 3;

#[kael_rt_macros::main(cores = CORES + 1, start_paused = false,)]
async fn with_options() {}

#[test]
fn options_are_the_builders_methods() {
    with_options();
    assert_eq!(trace(), ["cores 4", "start_paused false", "block_on"]);
}

#[kael_rt_macros::main(cores = 0)]
async fn cannot_start() {}

#[test]
#[should_panic(expected = "the Kael runtime cannot start: no cores, no work")]
fn a_runtime_that_cannot_be_built_says_why() {
    cannot_start();
}

#[kael_rt_macros::main]
async fn countdown() -> u32 {
    // Inside, the name means the async function, as it is written.
    let again: Pin<Box<dyn Future<Output = u32>>> = Box::pin(countdown());
    drop(again);
    0
}

#[test]
fn the_name_inside_is_the_async_function() {
    assert_eq!(countdown(), 0);
    assert_eq!(trace(), ["block_on"]);
}

#[kael_rt_macros::test]
async fn a_test_runs() {
    assert_eq!(trace(), ["block_on"]);
}

#[kael_rt_macros::test(start_paused)]
async fn a_paused_test_runs() -> io::Result<()> {
    assert_eq!(trace(), ["start_paused true", "block_on"]);
    Ok(())
}

#[kael_rt_macros::test]
#[should_panic(expected = "as asked")]
async fn other_attributes_of_tests_are_kept() {
    panic!("as asked");
}
