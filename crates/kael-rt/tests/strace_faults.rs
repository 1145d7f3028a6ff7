//! The kernel's errors as strace(1) injects them into a process of its own: set-up that fails says so in one sentence,
//! and errors of io_uring_enter(2) lose nothing. Without strace these tests pass with a note, unless
//! KAEL_REQUIRE_STRACE is set.

// Its subject is the set-up of a ring.
#![cfg(all(
    target_os = "linux",
    not(any(kael_backend = "sim", kael_backend = "epoll", kael_backend = "kqueue"))
))]

mod rig;

use kael_rt::fs::File;
use rig::{pair, within_limit};
use std::process::{Command, Stdio};

/// Runs the test `name` of this program again under strace, with one injection. `None`: there is no strace.
fn under_strace(name: &str, inject: &str) -> Option<String> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=io_uring_setup,io_uring_enter", "-e", "signal=none"]);
    command.args(["-o", "/dev/null", "-e", &format!("inject={inject}")]);
    command.arg(std::env::current_exe().expect("a test has a path"));
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    command.env("KAEL_UNDER_STRACE", "1").env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    match command.output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned()
                + &String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "with {inject}: {}\n{text}", output.status);
            Some(text)
        }
        Err(error) => {
            assert!(std::env::var_os("KAEL_REQUIRE_STRACE").is_none(), "strace: {error}");
            println!("not run: strace: {error}");
            None
        }
    }
}

fn is_under_strace() -> bool {
    std::env::var_os("KAEL_UNDER_STRACE").is_some()
}

#[test]
fn strace_r08_enter_fails_at_any_call() {
    const NAME: &str = "strace_r08_enter_fails_at_any_call";
    if is_under_strace() {
        return within_limit(|| {
            kael_rt::block_on(async {
                let (a, b) = pair().await;
                let file = File::open("/dev/zero").await.unwrap();
                for round in 0..40u64 {
                    let bytes = round.to_le_bytes();
                    assert_eq!(a.write_all(bytes.to_vec()).await.0.unwrap(), 8);
                    assert_eq!(b.read_exact(vec![1; 8]).await.1, bytes);
                    assert_eq!(file.read_at(vec![1; 8], 0).await.1, [0; 8]);
                }
            });
        });
    }
    for errno in ["EINTR", "EAGAIN", "EBUSY", "ENOMEM"] {
        for when in ["1", "2", "7", "40", "3+5"] {
            let inject = format!("io_uring_enter:error={errno}:when={when}");
            if under_strace(NAME, &inject).is_none() {
                return;
            }
        }
    }
}

#[test]
fn strace_r09_set_up_that_fails_says_what_to_do() {
    const NAME: &str = "strace_r09_set_up_that_fails_says_what_to_do";
    if is_under_strace() {
        let error = kael_rt::runtime::Builder::new().build().unwrap_err();
        assert!(kael_rt::Error::of(&error).is_some_and(kael_rt::Error::is_setup), "{error}");
        println!("said: {error}");
        return;
    }
    let remedies = [
        ("EPERM", "allow io_uring_setup"),
        ("ENOSYS", "kael_backend=\"epoll\""),
        ("ENOMEM", "ulimit -l"),
        ("EMFILE", "ulimit -n"),
        ("ENFILE", "fs.file-max"),
        ("EINVAL", "Linux 6.1 or newer"),
    ];
    for (errno, remedy) in remedies {
        let Some(text) = under_strace(NAME, &format!("io_uring_setup:error={errno}")) else {
            return;
        };
        let said = text.lines().find(|line| line.contains("said: ")).unwrap_or("nothing");
        assert!(said.contains(remedy), "{errno}: {said}");
    }
}
