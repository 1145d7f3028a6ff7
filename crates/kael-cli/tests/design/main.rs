//! `kael analyze --target`: designs for a need without running anything. `needs` has what is recommended for which need,
//! `report` the form of what is printed, `refused` what is no need.

mod needs;
mod refused;
mod report;

use serde_json::Value;
use std::process::{Command, Output};

/// Runs it for a target, operations (or all) and a need (or none), with further arguments.
fn run(target: &str, ops: &str, need: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kael"));
    command.args(["analyze", "--target", target]);
    for (option, value) in [("--ops", ops), ("--need", need)] {
        if !value.is_empty() {
            command.args([option, value]);
        }
    }
    command.args(arguments).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn design(target: &str, ops: &str, need: &str) -> Value {
    let output = run(target, ops, need, &["--format", "json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)))
}

/// The names of the rules that hold, in the report's order.
#[track_caller]
fn rules(target: &str, ops: &str, need: &str) -> Vec<String> {
    let design = design(target, ops, need);
    let choices = design["recommended_approach"].as_array().expect("the choices");
    choices.iter().map(|choice| choice["rule"].as_str().expect("its name").to_owned()).collect()
}
