//! [`Fail`]: why a command ends without success, and with which exit status.

use std::fmt;
use std::io;
use std::process::ExitCode;

#[derive(Debug)]
pub(crate) enum Fail {
    /// The work was done and the result is not good, or it could not be done. Status 1.
    Work(String),
    /// What was asked for makes no sense. Status 2.
    Use(String),
}

impl Fail {
    pub(crate) fn status(&self) -> ExitCode {
        match self {
            Fail::Work(_) => ExitCode::from(1),
            Fail::Use(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fail::Work(text) | Fail::Use(text) => f.write_str(text),
        }
    }
}

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Fail {
        Fail::Work(error.to_string())
    }
}

/// Puts what was being done before an error's own text; its kind stays.
pub(crate) fn doing(what: impl fmt::Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}
