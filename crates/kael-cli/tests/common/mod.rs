//! What the tests of the program share: running it, its echo server, folders of their own.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_kael");

/// Runs `kael` with arguments separated by spaces.
pub(crate) fn kael(arguments: &str) -> Output {
    Command::new(PROGRAM).args(arguments.split_whitespace()).output().expect("the program starts")
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The program succeeded; otherwise its own words say why not.
#[track_caller]
pub(crate) fn expect_success(output: &Output) {
    assert!(output.status.success(), "{}\n{}\n{}", output.status, stdout(output), stderr(output));
}

/// What `kael analyze` said of its measurements: exit status 0 and nothing on stderr, or 1 and the rows on it.
/// Returns whether all is within its budget.
#[track_caller]
pub(crate) fn judged(output: &Output) -> bool {
    let said = stderr(output);
    match output.status.code() {
        Some(0) => assert_eq!(said, ""),
        Some(1) => assert!(said.contains(" in flight: "), "{said}"),
        _ => panic!("{}: {said}", output.status),
    }
    output.status.success()
}

/// An empty folder, removed at the end.
pub(crate) struct Folder(pub PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target's folder can be written");
        Folder(path)
    }

    pub(crate) fn is_empty(&self) -> bool {
        fs::read_dir(&self.0).expect("the folder is there").next().is_none()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running `kael echo`.
pub(crate) struct Server {
    child: Child,
    words: BufReader<ChildStderr>,
    pub addr: SocketAddr,
}

impl Server {
    /// Starts it, on a free port.
    pub(crate) fn start() -> Server {
        Server::of(Command::new(PROGRAM).args(["echo", "--listen", "127.0.0.1:0"]))
    }

    /// Starts it with at most so many descriptors.
    pub(crate) fn with_descriptors(limit: u32) -> Server {
        let line = format!(r#"ulimit -n {limit} && exec "$0" echo --listen 127.0.0.1:0"#);
        Server::of(Command::new("sh").args(["-c", &line, PROGRAM]))
    }

    fn of(command: &mut Command) -> Server {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut words = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        words.read_line(&mut line).expect("the server speaks");
        let addr = line.trim().strip_prefix("listening on ").and_then(|addr| addr.parse().ok());
        let addr = addr.unwrap_or_else(|| panic!("instead of its address the server says: {line}"));
        Server { child, words, addr }
    }

    /// Waits for its next line.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.words.read_line(&mut line).expect("the server speaks");
        line
    }

    pub(crate) fn open_descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(path).expect("the server runs").count()
    }

    /// Processor time in clock ticks (hundredths of a second).
    pub(crate) fn ticks(&self) -> u64 {
        let text =
            fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the server runs");
        // After the name in parentheses: state is field 3, user and system time are 14 and 15. See proc_pid_stat(5).
        let (_, fields) = text.rsplit_once(')').expect("the name ends");
        let number = |n: usize| -> u64 {
            let field = fields.split_whitespace().nth(n - 3).expect("the field is there");
            field.parse().expect("it is a number")
        };
        number(14) + number(15)
    }

    /// Ends it by SIGINT, expects that it ends well, and returns what it still said.
    pub(crate) fn interrupt(mut self) -> String {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
        let mut rest = String::new();
        self.words.read_to_string(&mut rest).expect("the server's words are text");
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "{status}: {rest}");
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `interrupt` it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
