//! The command line.

use crate::workload::EchoCase;

pub(crate) const USAGE: &str = "\
usage: runner SECTION [OPTIONS]

sections
  echo          TCP echo: server CPU per million requests, rate, latency
  proxy         TCP proxy: proxy CPU for each GiB
  http          file server: server CPU per million requests, beside nginx
  files         random 4 KiB reads: CPU per million, allocations
  micro         spawn, yield, wake, timers, sockets and threads inside one core
  syscalls      system calls and context switches of the echo server for each request
  instructions  user-mode instructions of the echo server for each request (callgrind)

options
  --rounds N        rounds; every program runs once in each (5; syscalls 3, instructions 1)
  --secs S          length of one measured window (0.6; files 0.4; http 2, whole seconds)
  --only A,B        only these programs, by their keys
  --skip A,B        all but these programs
  --gib N           proxy: GiB of a run (1)
  --tls             http: over TLS
  --conns N,N       echo, syscalls, instructions: connections
  --size N,N        echo, syscalls, instructions: bytes of a request; http: of the file (4096, 1048576)
  --depth N,N       requests or reads in flight, per connection or in all
  --mode M          files: buffered or direct
  --file-mib N      files: size of the data file (256)
  --groups A,B      micro: spawn, yield, channel, timer, sleeps, socket, thread
  --counter C       syscalls: perf or strace (perf where it works)
  --top N           instructions: the N functions with most of them, for each program
  --cpus A,B        CPU of the server and CPU of the client (0,1)
  --list            the keys of the section's programs

The first run builds everything, which takes minutes.";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Section {
    Echo,
    Proxy,
    Http,
    Files,
    Micro,
    Syscalls,
    Instructions,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Counter {
    Perf,
    Strace,
}

pub(crate) struct Options {
    pub(crate) section: Section,
    pub(crate) rounds: usize,
    pub(crate) secs: f64,
    pub(crate) only: Vec<String>,
    pub(crate) skip: Vec<String>,
    /// Empty: the section's own cases.
    pub(crate) conns: Vec<u32>,
    pub(crate) size: Vec<u32>,
    pub(crate) depth: Vec<u32>,
    pub(crate) mode: Option<String>,
    pub(crate) file_mib: u64,
    pub(crate) gib: u64,
    pub(crate) tls: bool,
    pub(crate) groups: Vec<String>,
    pub(crate) counter: Option<Counter>,
    pub(crate) top: usize,
    pub(crate) server_cpu: usize,
    pub(crate) client_cpu: usize,
    pub(crate) list: bool,
}

impl Options {
    pub(crate) fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
        let (section, rounds, secs) = match args.next().as_deref() {
            Some("echo") => (Section::Echo, 5, 0.6),
            Some("proxy") => (Section::Proxy, 5, 0.0),
            Some("http") => (Section::Http, 5, 2.0),
            Some("files") => (Section::Files, 5, 0.4),
            Some("micro") => (Section::Micro, 5, 0.0),
            Some("syscalls") => (Section::Syscalls, 3, 0.6),
            Some("instructions") => (Section::Instructions, 1, 1.0),
            Some(other) => return Err(format!("no section {other}")),
            None => return Err("a section is missing".to_owned()),
        };
        let mut options = Options {
            section,
            rounds,
            secs,
            only: Vec::new(),
            skip: Vec::new(),
            conns: Vec::new(),
            size: Vec::new(),
            depth: Vec::new(),
            mode: None,
            file_mib: 256,
            gib: 1,
            tls: false,
            groups: Vec::new(),
            counter: None,
            top: 0,
            server_cpu: 0,
            client_cpu: 1,
            list: false,
        };
        while let Some(name) = args.next() {
            match name.as_str() {
                "--list" => options.list = true,
                "--tls" => options.tls = true,
                _ => {
                    let value = args.next().ok_or_else(|| format!("{name} takes a value"))?;
                    options.set(&name, &value)?;
                }
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "--rounds" => self.rounds = number(name, value)?,
            "--secs" => self.secs = number(name, value)?,
            "--only" => self.only = words(value),
            "--skip" => self.skip = words(value),
            "--conns" => self.conns = numbers(name, value)?,
            "--size" => self.size = numbers(name, value)?,
            "--depth" => self.depth = numbers(name, value)?,
            "--mode" => self.mode = Some(value.to_owned()),
            "--file-mib" => self.file_mib = number(name, value)?,
            "--gib" => self.gib = number(name, value)?,
            "--groups" => self.groups = words(value),
            "--top" => self.top = number(name, value)?,
            "--counter" => {
                self.counter = match value {
                    "perf" => Some(Counter::Perf),
                    "strace" => Some(Counter::Strace),
                    _ => return Err(format!("{name} is perf or strace, not {value}")),
                }
            }
            "--cpus" => match numbers(name, value)?[..] {
                [server, client] => (self.server_cpu, self.client_cpu) = (server, client),
                _ => return Err(format!("{name} takes two numbers")),
            },
            _ => return Err(format!("no option {name}")),
        }
        match self.rounds {
            0 => Err("--rounds is at least 1".to_owned()),
            _ => Ok(()),
        }
    }

    /// The product of what was asked for, or the section's own cases.
    pub(crate) fn echo_cases(&self, own: &[EchoCase]) -> Vec<EchoCase> {
        if self.conns.is_empty() && self.size.is_empty() && self.depth.is_empty() {
            return own.to_vec();
        }
        let or =
            |given: &[u32], default| if given.is_empty() { vec![default] } else { given.to_vec() };
        let mut cases = Vec::new();
        for &conns in &or(&self.conns, 64) {
            for &size in &or(&self.size, 64) {
                for &depth in &or(&self.depth, 1) {
                    cases.push(EchoCase { conns, size, depth });
                }
            }
        }
        cases
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} takes a number, not {value}"))
}

fn numbers<T: std::str::FromStr>(name: &str, value: &str) -> Result<Vec<T>, String> {
    value.split(',').map(|each| number(name, each)).collect()
}

fn words(value: &str) -> Vec<String> {
    value.split(',').map(str::to_owned).collect()
}
