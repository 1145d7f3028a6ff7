//! What the tests of the program share: running it, its echo server, folders of their own.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod http;
pub(crate) mod review;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::thread;

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

/// An echo server in this process, whose calls belong to no program under test. Serves two runs, one after the other.
pub(crate) fn two_echoes() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming().take(2) {
            let mut stream = stream.expect("somebody connects");
            let mut message = [0; 64];
            // Until the client ends.
            while stream.read_exact(&mut message).is_ok() {
                stream.write_all(&message).expect("the client waits for it");
            }
        }
    });
    addr
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

/// A running `kael echo`, `proxy` or `serve`.
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

    /// Starts another command that listens, with arguments separated by spaces.
    pub(crate) fn of_command(arguments: &str) -> Server {
        Server::of(Command::new(PROGRAM).args(arguments.split_whitespace()))
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

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn open_descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        fs::read_dir(path).expect("the server runs").count()
    }

    /// Memory that it has in use.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the server runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it is told");
        let kib = line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number");
        kib * 1024
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

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Sets how many descriptors it may have from now on.
    pub(crate) fn limit_descriptors(&self, limit: u64) {
        let id = Pid::from_child(&self.child);
        let limit = Rlimit { current: Some(limit), maximum: prlimit_of(id).maximum };
        prlimit(Some(id), Resource::Nofile, limit).expect("it is ours");
    }

    /// Ends it by SIGINT, expects that it ends well, and returns what it still said.
    pub(crate) fn interrupt(self) -> String {
        self.signal(Signal::INT);
        self.ended()
    }

    /// Expects that it ends well, and returns what it still said.
    pub(crate) fn ended(mut self) -> String {
        let mut rest = String::new();
        self.words.read_to_string(&mut rest).expect("the server's words are text");
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "{status}: {rest}");
        rest
    }
}

fn prlimit_of(id: Pid) -> Rlimit {
    let limits = fs::read_to_string(format!("/proc/{}/limits", id.as_raw_pid())).expect("it runs");
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(4)).expect("the limit is listed");
    Rlimit { current: None, maximum: hard.parse().ok() }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After `interrupt` it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
