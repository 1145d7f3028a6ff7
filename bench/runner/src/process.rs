//! Servers and clients as child processes, each bound to its CPU.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use crate::builds::bench_root;
use crate::programs::Program;
use crate::workload::EchoCase;

/// What a program printed as `name=value`.
pub(crate) type Figures = BTreeMap<String, f64>;

/// A run that takes longer than this is ended and counts as failed.
const TIME_LIMIT_SECS: u32 = 120;

const WARM_UP_SECS: f64 = 0.2;

/// A child that is killed at the end of its scope.
pub(crate) struct Server(Child);

impl Server {
    /// Starts `command` on this CPU. taskset becomes the program, so that the child's id is the program's.
    pub(crate) fn start(command: &[String], tuned: bool, cpu: usize) -> Result<Server, String> {
        let mut child = Command::new("taskset");
        child
            .arg("-c")
            .arg(cpu.to_string())
            .args(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        set_tuned(&mut child, tuned);
        child.spawn().map(Server).map_err(|error| format!("{}: {error}", command[0]))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program to its end on these CPUs and reads the figures that it prints.
pub(crate) fn figures(command: &[String], tuned: bool, cpus: &str) -> Result<Figures, String> {
    let mut child = Command::new("timeout");
    child.args(["-k", "1", &TIME_LIMIT_SECS.to_string(), "taskset", "-c", cpus]).args(command);
    child.stdin(Stdio::null());
    set_tuned(&mut child, tuned);
    let output = child.output().map_err(|error| format!("{}: {error}", command[0]))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} ({})", errors.trim(), output.status));
    }
    match parse(&String::from_utf8_lossy(&output.stdout)) {
        figures if figures.is_empty() => Err("it printed no figures".to_owned()),
        figures => Ok(figures),
    }
}

fn set_tuned(command: &mut Command, tuned: bool) {
    match tuned {
        true => command.env("PEER_TUNED", "1"),
        false => command.env_remove("PEER_TUNED"),
    };
}

fn parse(text: &str) -> Figures {
    let pairs = text.split_whitespace().filter_map(|word| word.split_once('='));
    pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
}

/// The command of the load client. The client waits until the server listens.
pub(crate) fn load_command(port: u16, case: EchoCase, secs: f64, server: u32) -> Vec<String> {
    vec![
        bench_root().join("c/bin/load").display().to_string(),
        port.to_string(),
        case.conns.to_string(),
        case.size.to_string(),
        case.depth.to_string(),
        secs.to_string(),
        WARM_UP_SECS.to_string(),
        server.to_string(),
    ]
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(|error| format!("no free port: {error}"))?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}

/// The program's echo server on a port of its own.
pub(crate) fn start_echo(program: &Program, cpu: usize) -> Result<(Server, u16), String> {
    let port = free_port()?;
    Ok((Server::start(&program.echo_command(port), program.tuned, cpu)?, port))
}
