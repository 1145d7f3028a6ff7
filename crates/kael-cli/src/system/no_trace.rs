//! Where programs cannot be traced: there is no ptrace(2) of Linux, or nobody has said how its calls are named here.

use crate::against::{self, Form};
use crate::fail::Fail;
use crate::page::Page;
use crate::result::Analysis;
use serde_json::Value;
use std::convert::Infallible;
use std::ffi::OsString;
use std::time::Duration;

/// A program to be traced; only on Linux.
#[derive(clap::Args)]
pub(crate) struct Program {
    /// Trace this running process; only on Linux
    #[arg(long, value_name = "PID", conflicts_with_all = ["command", "target"])]
    pid: Option<u32>,
    /// A program to start and trace; only on Linux
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "target")]
    command: Vec<OsString>,
}

impl Program {
    pub(crate) fn is_given(&self) -> bool {
        self.pid.is_some() || !self.command.is_empty()
    }
}

/// There is none.
pub(crate) struct Report(Infallible);

impl Report {
    pub(crate) fn failure(&self) -> Option<&'static str> {
        match self.0 {}
    }
}

impl Analysis for Report {
    const FORM: &'static Form = &against::PROGRAM;

    fn markdown(&self) -> String {
        match self.0 {}
    }

    fn json(&self) -> Value {
        match self.0 {}
    }

    fn page(&self, _earlier: Option<&Value>) -> Page {
        match self.0 {}
    }
}

pub(crate) fn run(_program: &Program, _limit: Option<Duration>) -> Result<Report, Fail> {
    Err(Fail::Use("a program can be traced on Linux only, on x86-64 and aarch64".to_owned()))
}
