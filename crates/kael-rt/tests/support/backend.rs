//! What tests must know of the backend that they run on.
#![allow(dead_code, reason = "each test program uses a part of it")]

/// The system says what is ready, and the calls are ours: what can be done is done at the first poll. Elsewhere it is handed
/// to the kernel, and done at the next turn. (Windows is asked as it is called: what it can do at once, it has done then.)
pub(crate) const READINESS: bool = cfg!(any(
    kael_backend = "epoll",
    kael_backend = "kqueue",
    not(any(target_os = "linux", kael_backend = "sim"))
));

/// A send that could keep its buffer is one that copies it.
pub(crate) const COPIES: bool = cfg!(kael_rio = "model") || READINESS && !cfg!(windows);
