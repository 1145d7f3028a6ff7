//! A lane that runs beside the others, as a process of its own at the lowest priority. What it says is shown in its turn.

use crate::{process, workspace};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};

/// So much of what it said, if it failed.
const LINES: usize = 60;

pub(crate) struct Beside {
    pub(crate) lane: &'static str,
    child: Child,
    log: PathBuf,
}

impl Beside {
    pub(crate) fn start(lane: &'static str) -> Result<Beside, String> {
        let log = workspace::root().join(format!("target/lane-{lane}.log"));
        let start = || {
            fs::create_dir_all(workspace::root().join("target"))?;
            let file = File::create(&log)?;
            let mut command = Command::new("nice");
            command.args(["-n", "19"]).arg(std::env::current_exe()?).args(["ci", "--lane", lane]);
            command.stdout(file.try_clone()?).stderr(file).spawn()
        };
        let child = start().map_err(|error| format!("the lane {lane} beside others: {error}"))?;
        Ok(Beside { lane, child, log })
    }

    /// Waits for its end, and prints what it has said. `Err`: what explains its failure.
    pub(crate) fn end(mut self) -> Result<(), String> {
        let status = self.child.wait().map_err(|error| format!("waiting for it: {error}"))?;
        let said = fs::read(&self.log)
            .map(|said| String::from_utf8_lossy(&said).into_owned())
            .map_err(|error| format!("{}: {error}", self.log.display()))?;
        println!("{}", said.trim());
        match status.success() {
            true => Ok(()),
            false => Err(format!("{status}\n{}", process::last_lines(&said, LINES))),
        }
    }
}

impl Drop for Beside {
    /// Where all else has failed, it is not left behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
