//! [`Runtime`]: the runtimes that the rules know, and what each has instead of a blocking call.

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Runtime {
    Kael,
    Monoio,
    Compio,
    TokioUring,
    Tokio,
    Smol,
    AsyncStd,
    /// None that is known.
    Other,
}

/// By the name of a crate in code. Those come first that are often used beside others.
const CRATES: &[(&str, Runtime)] = &[
    ("kael_rt", Runtime::Kael),
    ("monoio", Runtime::Monoio),
    ("compio", Runtime::Compio),
    ("tokio_uring", Runtime::TokioUring),
    ("tokio", Runtime::Tokio),
    ("smol", Runtime::Smol),
    ("async_net", Runtime::Smol),
    ("async_fs", Runtime::Smol),
    ("async_std", Runtime::AsyncStd),
];

impl Runtime {
    pub(crate) fn of_crate(name: &str) -> Option<Runtime> {
        CRATES.iter().find(|(known, _)| *known == name).map(|(_, runtime)| *runtime)
    }

    /// The one that a file or a package uses, by the crates that it names.
    pub(crate) fn of<'a>(crates: impl Iterator<Item = &'a str> + Clone) -> Option<Runtime> {
        let known = CRATES.iter().find(|(known, _)| crates.clone().any(|name| name == *known));
        known.map(|(_, runtime)| *runtime)
    }

    /// Its operations own their buffers and give them back.
    pub(crate) fn owns_buffers(self) -> bool {
        matches!(self, Runtime::Kael | Runtime::Monoio | Runtime::Compio | Runtime::TokioUring)
    }

    /// Buffers can be made known to the kernel once, by an interface of the runtime.
    pub(crate) fn registers_buffers(self) -> Option<&'static str> {
        match self {
            Runtime::Kael => Some("take them from a `kael_rt::buf::BufferPool`"),
            Runtime::TokioUring => Some(
                "register them with `tokio_uring::buf::fixed::FixedBufRegistry`, and use `read_fixed`",
            ),
            _ => None,
        }
    }

    /// How it runs what can only block.
    pub(crate) fn on_a_thread(self) -> &'static str {
        match self {
            Runtime::Kael => "`kael_rt::spawn_blocking`",
            Runtime::Monoio => "`monoio::spawn_blocking`",
            Runtime::Compio => "`compio::runtime::spawn_blocking`",
            Runtime::TokioUring | Runtime::Tokio => "`tokio::task::spawn_blocking`",
            Runtime::Smol => "`smol::unblock`",
            Runtime::AsyncStd => "`async_std::task::spawn_blocking`",
            Runtime::Other => "the runtime's pool of threads for blocking work",
        }
    }

    pub(crate) fn files(self) -> String {
        let own = match self {
            Runtime::Kael => "`kael_rt::fs`",
            Runtime::Monoio => "`monoio::fs`",
            Runtime::Compio => "`compio::fs`",
            Runtime::TokioUring => "`tokio_uring::fs`",
            Runtime::Tokio => "`tokio::fs`",
            Runtime::Smol => "`smol::fs`",
            Runtime::AsyncStd => "`async_std::fs`",
            Runtime::Other => "the runtime's own files",
        };
        format!("use {own}, or {} for several steps at once", self.on_a_thread())
    }

    pub(crate) fn sockets(self) -> String {
        let own = match self {
            Runtime::Kael => "`kael_rt::net`",
            Runtime::Monoio => "`monoio::net`",
            Runtime::Compio => "`compio::net`",
            Runtime::TokioUring => "`tokio_uring::net`",
            Runtime::Tokio => "`tokio::net`",
            Runtime::Smol => "`smol::net`",
            Runtime::AsyncStd => "`async_std::net`",
            Runtime::Other => "the runtime's own sockets",
        };
        format!("use {own}")
    }

    pub(crate) fn sleep(self) -> &'static str {
        match self {
            Runtime::Kael => "use `kael_rt::time::sleep(..).await`",
            Runtime::Monoio => "use `monoio::time::sleep(..).await`",
            Runtime::Compio => "use `compio::time::sleep(..).await`",
            Runtime::TokioUring | Runtime::Tokio => "use `tokio::time::sleep(..).await`",
            Runtime::Smol => "use `smol::Timer::after(..).await`",
            Runtime::AsyncStd => "use `async_std::task::sleep(..).await`",
            Runtime::Other => "use the runtime's timer",
        }
    }

    pub(crate) fn processes(self) -> String {
        match self {
            Runtime::Compio => "use `compio::process`".to_owned(),
            Runtime::Tokio | Runtime::TokioUring => "use `tokio::process`".to_owned(),
            Runtime::Smol => "use `smol::process`".to_owned(),
            Runtime::AsyncStd => "use `async_std::process`".to_owned(),
            Runtime::Kael | Runtime::Monoio | Runtime::Other => {
                format!("wait for it in {}", self.on_a_thread())
            }
        }
    }

    pub(crate) fn names(self) -> String {
        match self {
            Runtime::Tokio | Runtime::TokioUring => "use `tokio::net::lookup_host`".to_owned(),
            Runtime::Smol => "use `smol::net::resolve`".to_owned(),
            Runtime::AsyncStd => "use the trait `async_std::net::ToSocketAddrs`".to_owned(),
            _ => format!("look it up in {}", self.on_a_thread()),
        }
    }

    /// What passes bytes on without a loop of the program's own.
    pub(crate) fn copies(self) -> &'static str {
        match self {
            Runtime::Kael => {
                "use `kael_rt::io::send_file` or `kael_rt::io::copy_bidirectional`: on Linux the bytes are not copied"
            }
            Runtime::Monoio => "use `monoio::io::zero_copy`, which is splice(2) on Linux",
            Runtime::Compio => "use `compio::io::copy`",
            Runtime::Tokio => {
                "use `tokio::io::copy`, or `copy_bidirectional` for both ways; sendfile(2) or splice(2) spare the copy on Linux"
            }
            Runtime::Smol => {
                "use `smol::io::copy`; sendfile(2) or splice(2) spare the copy on Linux"
            }
            Runtime::AsyncStd => "use `async_std::io::copy`",
            Runtime::TokioUring | Runtime::Other => {
                "use `std::io::copy` on a thread of its own, which is copy_file_range(2), sendfile(2) or splice(2) on Linux"
            }
        }
    }
}
