//! `cargo xtask bench`: hands over to the runner in `bench/`, a workspace of its own, so that nothing of the peers is
//! ever in the product's dependency tree.

use crate::workspace;

pub(crate) fn main(arguments: &[String]) -> Result<(), String> {
    let mut runner = workspace::cargo(&["run", "--release", "--manifest-path", "bench/Cargo.toml"]);
    runner.args(["-p", "runner", "--"]).args(arguments);
    // Not through `process::run`: the user may stop a long measurement, and the runner then stops its servers.
    let status =
        runner.status().map_err(|error| format!("the runner could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("the runner ended with {status}")) }
}
