//! The programs of each section: their keys, names, and where each comes from.

use std::path::PathBuf;

use crate::builds;
use crate::options::Options;

/// What a program is in the comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// What the ratios are to.
    Floor,
    /// Shown, and compared to by nobody.
    Other,
    /// A Rust runtime; the best of them is compared to.
    Peer,
    Ours,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// `c/NAME.c`
    C(&'static str),
    /// The package of this workspace.
    Package(&'static str),
    /// The example of the library.
    Example(&'static str),
    /// The same, built for epoll.
    OnEpoll(&'static str),
    /// The program `kael`.
    Kael,
    /// A program that is installed.
    Installed(&'static str),
}

impl Source {
    /// The library's backend, if it is not the platform's own.
    pub(crate) fn backend(self) -> Option<&'static str> {
        matches!(self, Source::OnEpoll(_)).then_some("epoll")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) key: &'static str,
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) source: Source,
    /// With the flags that the peer's documentation offers beyond its defaults.
    pub(crate) tuned: bool,
    /// The mode of a C program or the variant of a reader.
    pub(crate) variant: Option<&'static str>,
    /// The groups of the micro suite, or the modes of the files, that it cannot run.
    pub(crate) lacks: &'static [&'static str],
    /// Runs only when `--only` names it.
    pub(crate) when_named: bool,
}

const fn program(key: &'static str, name: &'static str, role: Role, source: Source) -> Program {
    Program { key, name, role, source, tuned: false, variant: None, lacks: &[], when_named: false }
}

impl Program {
    const fn tuned(mut self) -> Program {
        self.tuned = true;
        self
    }

    const fn variant(mut self, variant: &'static str) -> Program {
        self.variant = Some(variant);
        self
    }

    const fn lacks(mut self, lacks: &'static [&'static str]) -> Program {
        self.lacks = lacks;
        self
    }

    const fn when_named(mut self) -> Program {
        self.when_named = true;
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self.source {
            Source::C(name) => builds::bench_root().join("c/bin").join(name),
            Source::Package(name) => builds::bench_root().join("target/release").join(name),
            Source::Example(name) | Source::OnEpoll(name) => {
                let backend = self.source.backend();
                builds::examples_target(backend).join("release/examples").join(name)
            }
            Source::Kael => builds::library_root().join("target/release/kael"),
            Source::Installed(name) => PathBuf::from(name),
        }
    }

    /// The command of its echo server on this port.
    pub(crate) fn echo_command(&self, port: u16) -> Vec<String> {
        let mut command = vec![self.path().display().to_string()];
        match self.source {
            Source::C(_) => {
                command.push(port.to_string());
                command.extend(self.variant.map(str::to_owned));
            }
            Source::Package(_) => command.extend(["echo".to_owned(), port.to_string()]),
            Source::Example(_) | Source::OnEpoll(_) => command.push(format!("127.0.0.1:{port}")),
            Source::Kael | Source::Installed(_) => unreachable!("it is in no section of echo"),
        }
        command
    }

    /// The command of its proxy from the one port to the other.
    pub(crate) fn proxy_command(&self, port: u16, target: u16) -> Vec<String> {
        let mut command = vec![self.path().display().to_string()];
        match self.source {
            Source::Kael => {
                let address = |port| format!("127.0.0.1:{port}");
                command.extend(["proxy".to_owned(), address(port), address(target)]);
            }
            Source::Package(_) => {
                command.extend(["proxy".to_owned(), port.to_string(), target.to_string()]);
            }
            _ => command.extend([port.to_string(), target.to_string()]),
        }
        command.extend(self.variant.map(str::to_owned));
        command
    }
}

use Role::{Floor, Other, Ours, Peer};
use Source::{C, Example, Installed, Kael, OnEpoll, Package};

/// The floors are what the ratios of the echo tables are to: two of io_uring, one of readiness.
pub(crate) fn echo() -> Vec<Program> {
    vec![
        program("c-oneshot", "C io_uring oneshot", Floor, C("echo_uring")).variant("oneshot"),
        program("c-multi", "C io_uring multishot", Floor, C("echo_uring")).variant("multi"),
        program("c-multi-4096", "C io_uring multishot, 4096 buffers", Floor, C("echo_uring"))
            .variant("multi-4096")
            .when_named(),
        program("c-gather", "C io_uring multishot, one send of what waits", Other, C("echo_uring"))
            .variant("gather")
            .when_named(),
        program("c-bundle", "the same, received in bundles", Other, C("echo_uring"))
            .variant("bundle")
            .when_named(),
        program("c-link", "C io_uring send linked to receive", Other, C("echo_uring"))
            .variant("link"),
        program("c-epoll", "C epoll", Floor, C("echo_epoll")),
        program("tokio", "tokio", Peer, Package("p-tokio")),
        program("monoio", "monoio", Peer, Package("p-monoio")),
        program("monoio-tuned", "monoio tuned", Peer, Package("p-monoio")).tuned(),
        program("compio", "compio", Peer, Package("p-compio")),
        program("compio-tuned", "compio tuned", Peer, Package("p-compio")).tuned(),
        program("glommio", "glommio", Peer, Package("p-glommio")),
        program("tokio-uring", "tokio-uring", Peer, Package("p-tokio-uring")),
        program("smol", "smol", Peer, Package("p-smol")),
        program("kael", "kael", Ours, Example("echo")),
        // To be compared with C epoll.
        program("kael-epoll", "kael on epoll", Other, OnEpoll("echo")).when_named(),
        // The same few lines in the way of the peers' programs, to see what the example does otherwise.
        program("kael-plain", "kael, in p-kael", Other, Package("p-kael")).when_named(),
    ]
}

pub(crate) fn proxy() -> Vec<Program> {
    vec![
        program("c-splice", "C splice, pipes of 1 MiB", Floor, C("splice_proxy")),
        program("c-copy", "C recv and send, 256 KiB", Other, C("splice_proxy")).variant("copy"),
        program("tokio", "tokio copy_bidirectional", Peer, Package("p-tokio")),
        program("tokio-256k", "tokio, buffers of 256 KiB", Peer, Package("p-tokio"))
            .variant("256k"),
        program("monoio", "monoio copy", Peer, Package("p-monoio")),
        program("monoio-splice", "monoio zero_copy", Peer, Package("p-monoio")).variant("splice"),
        program("compio", "compio read and write", Peer, Package("p-compio")).tuned(),
        program("compio-256k", "compio, buffers of 256 KiB", Peer, Package("p-compio"))
            .variant("256k")
            .tuned(),
        program("kael", "kael proxy", Ours, Kael),
    ]
}

pub(crate) fn http() -> Vec<Program> {
    vec![
        program("nginx", "nginx", Floor, Installed("nginx")),
        program("nginx-cache", "nginx, open_file_cache", Floor, Installed("nginx"))
            .variant("cache"),
        program("kael", "kael serve", Ours, Kael),
        program("kael-opens", "kael serve --open-files 0", Other, Kael).variant("opens"),
    ]
}

pub(crate) fn files() -> Vec<Program> {
    vec![
        program("c-fixed", "C io_uring, registered buffers", Floor, C("fread_uring"))
            .variant("fixed"),
        program("c-plain", "C io_uring, plain buffers", Floor, C("fread_uring")).variant("plain"),
        program("c-number", "C io_uring, nothing registered", Other, C("fread_uring"))
            .variant("number"),
        program("c-pread", "C pread threads", Other, C("fread_pread")),
        program("tokio", "tokio spawn_blocking", Peer, Package("p-tokio")),
        // Its own buffer is not aligned as O_DIRECT wants it.
        program("tokio-seek", "tokio::fs seek and read", Peer, Package("p-tokio"))
            .variant("seek")
            .lacks(&["direct"]),
        program("monoio", "monoio", Peer, Package("p-monoio")),
        program("monoio-tuned", "monoio tuned", Peer, Package("p-monoio")).tuned(),
        program("compio", "compio", Peer, Package("p-compio")),
        program("compio-tuned", "compio tuned", Peer, Package("p-compio")).tuned(),
        program("glommio", "glommio", Peer, Package("p-glommio")),
        program("tokio-uring", "tokio-uring", Peer, Package("p-tokio-uring")),
        program(
            "tokio-uring-fixed",
            "tokio-uring, registered buffers",
            Peer,
            Package("p-tokio-uring"),
        )
        .variant("fixed"),
        program("smol", "smol (blocking)", Peer, Package("p-smol")),
        program("kael", "kael", Ours, Package("p-kael")),
    ]
}

pub(crate) fn micro() -> Vec<Program> {
    vec![
        program("floor", "minimal executor", Floor, Package("p-floor"))
            .lacks(&["timer", "sleeps", "socket", "thread"]),
        program("tokio", "tokio", Peer, Package("p-tokio")),
        // Waking it from another thread needs a feature that slows everything else down.
        program("monoio", "monoio", Peer, Package("p-monoio")).lacks(&["thread"]),
        program("compio", "compio", Peer, Package("p-compio")),
        program("compio-tuned", "compio tuned", Peer, Package("p-compio")).tuned(),
        program("glommio", "glommio", Peer, Package("p-glommio")),
        program("tokio-uring", "tokio-uring", Peer, Package("p-tokio-uring")),
        program("smol", "smol", Peer, Package("p-smol")),
        program("kael", "kael", Ours, Package("p-kael")),
    ]
}

/// What `--only` and `--skip` leave of the programs.
pub(crate) fn select(programs: Vec<Program>, options: &Options) -> Result<Vec<Program>, String> {
    let keys: Vec<&str> = programs.iter().map(|program| program.key).collect();
    if let Some(unknown) =
        options.only.iter().chain(&options.skip).find(|key| !keys.contains(&key.as_str()))
    {
        return Err(format!(
            "no program {unknown} in this section; there are: {}",
            keys.join(", ")
        ));
    }
    let is_in = |list: &[String], key: &str| list.iter().any(|each| each == key);
    let selected = programs.into_iter().filter(|program| {
        let wanted = if options.only.is_empty() {
            !program.when_named
        } else {
            is_in(&options.only, program.key)
        };
        // A list shows all that can be named.
        (wanted || options.list) && !is_in(&options.skip, program.key)
    });
    Ok(selected.collect())
}
