//! `kael serve` beside nginx, with wrk as the client: the server's CPU seconds per million requests.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::builds::{bench_root, runs};
use crate::echo::list;
use crate::options::Options;
use crate::process::{Figures, Server, free_port};
use crate::programs::{Program, Source};
use crate::results::Results;
use crate::{builds, programs};

/// A file of so many bytes, asked for over and over by so many connections.
struct Case {
    bytes: usize,
    conns: u32,
}

const CASES: [Case; 2] = [Case { bytes: 4096, conns: 64 }, Case { bytes: 1 << 20, conns: 16 }];

/// How long a server may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(10);

/// The cipher of both, which wrk's OpenSSL and rustls have, too.
const CIPHER: &str = "TLS_AES_128_GCM_SHA256";

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::http(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    // Each says something in its own way; that it can be started is what matters.
    for tool in ["nginx", "wrk", "openssl"] {
        if Command::new(tool).arg("-v").output().is_err() {
            return Err(format!(
                "missing here: {tool}\non Debian: apt-get install -y nginx wrk openssl"
            ));
        }
    }
    builds::build(&programs)?;
    let site = Site::new()?;
    let mut failures = 0;
    for case in &CASES {
        if !options.size.is_empty() && !options.size.contains(&(case.bytes as u32)) {
            continue;
        }
        let results = Results::interleave(programs.clone(), options.rounds, |program| {
            site.measure(program, case, options)
        });
        let over = if options.tls { format!(", TLS 1.3, {CIPHER}") } else { String::new() };
        results.print(
            &format!("HTTP: {} bytes, {} connections{over}", case.bytes, case.conns),
            ("server_cpu_per_m", "server CPU s per million"),
            &[("rps", "requests/s")],
        );
        failures += results.failures;
    }
    Ok(failures)
}

/// What is served: files of zeros, a certificate, and nginx's configuration.
struct Site {
    root: PathBuf,
}

impl Site {
    fn new() -> Result<Site, String> {
        let root = bench_root().join("target/http");
        let failed = |error: std::io::Error| format!("{}: {error}", root.display());
        fs::create_dir_all(root.join("www")).map_err(failed)?;
        for case in &CASES {
            fs::write(root.join("www").join(case.bytes.to_string()), vec![0; case.bytes])
                .map_err(failed)?;
        }
        let site = Site { root };
        let (certificate, key) = site.certificate();
        let made = certificate.exists()
            || runs(
                "openssl",
                &[
                    "req",
                    "-x509",
                    "-nodes",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:prime256v1",
                    "-days",
                    "3650",
                    "-subj",
                    "/CN=localhost",
                    "-keyout",
                    text(&key),
                    "-out",
                    text(&certificate),
                ],
            );
        if made { Ok(site) } else { Err("openssl made no certificate".to_owned()) }
    }

    fn certificate(&self) -> (PathBuf, PathBuf) {
        (self.root.join("certificate.pem"), self.root.join("key.pem"))
    }

    fn command(&self, program: &Program, port: u16, tls: bool) -> Result<Vec<String>, String> {
        let mut command = vec![program.path().display().to_string()];
        let (certificate, key) = self.certificate();
        if program.source == Source::Kael {
            let listen = format!("127.0.0.1:{port}");
            command.extend(
                ["serve", text(&self.root.join("www")), "--listen", &listen].map(str::to_owned),
            );
            if tls {
                command.extend(["--tls", text(&certificate), text(&key)].map(str::to_owned));
            }
            if program.variant.is_some() {
                command.extend(["--open-files", "0"].map(str::to_owned));
            }
            return Ok(command);
        }
        let file = self.root.join("nginx.conf");
        fs::write(&file, self.nginx(port, tls, program.variant.is_some()))
            .map_err(|error| format!("{}: {error}", file.display()))?;
        command.extend(["-p", text(&self.root), "-c", text(&file)].map(str::to_owned));
        Ok(command)
    }

    /// One process, no log, as `kael serve` has it by itself; files by sendfile(2).
    fn nginx(&self, port: u16, tls: bool, keeps_files: bool) -> String {
        let root = self.root.display();
        let (ssl, certificate) = match tls {
            false => ("", String::new()),
            true => (
                " ssl",
                format!(
                    "ssl_certificate {root}/certificate.pem; ssl_certificate_key {root}/key.pem;\n\
                     ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {CIPHER};"
                ),
            ),
        };
        let cache =
            if keeps_files { "open_file_cache max=256; open_file_cache_valid 1s;" } else { "" };
        format!(
            "master_process off; daemon off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/nginx.err;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; {cache}\n\
             server {{ listen 127.0.0.1:{port}{ssl} backlog=4096; root {root}/www; {certificate} }} }}\n"
        )
    }

    fn measure(
        &self,
        program: &Program,
        case: &Case,
        options: &Options,
    ) -> Result<Figures, String> {
        let port = free_port()?;
        let command = self.command(program, port, options.tls)?;
        let server = Server::start(&command, program.tuned, options.server_cpu)?;
        await_listener(port)?;
        let scheme = if options.tls { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{port}/{}", case.bytes);
        let (conns, secs) =
            (format!("-c{}", case.conns), format!("-d{}s", options.secs.max(1.0) as u64));
        let client = options.client_cpu.to_string();
        let before = cpu_seconds(server.pid())?;
        let output = Command::new("taskset")
            .args(["-c", &client, "wrk", "-t1", &conns, &secs, &url])
            .output()
            .map_err(|error| format!("wrk: {error}"))?;
        let cpu = cpu_seconds(server.pid())? - before;
        let told = String::from_utf8_lossy(&output.stdout);
        let (requests, rps) = figures_of_wrk(&told).ok_or_else(|| format!("wrk says: {told}"))?;
        Ok(Figures::from([
            ("server_cpu_per_m".to_owned(), cpu * 1e6 / requests),
            ("rps".to_owned(), rps),
        ]))
    }
}

/// Requests and requests a second, if all went well.
fn figures_of_wrk(told: &str) -> Option<(f64, f64)> {
    if told.contains("Non-2xx") || told.contains("Socket errors") {
        return None;
    }
    let lines = || told.lines().map(str::trim);
    let requests = lines().find_map(|line| line.split_once(" requests in ")?.0.parse().ok())?;
    let rps = lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse().ok())?;
    (requests > 0.0).then_some((requests, rps))
}

/// What all threads of a process have used, in seconds, from `/proc/PID/task/TID/schedstat`.
fn cpu_seconds(pid: u32) -> Result<f64, String> {
    let folder = format!("/proc/{pid}/task");
    let threads = fs::read_dir(&folder).map_err(|error| format!("{folder}: {error}"))?;
    let nanoseconds = threads.flatten().filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    Ok(nanoseconds.sum::<f64>() / 1e9)
}

fn await_listener(port: u16) -> Result<(), String> {
    let end = Instant::now() + START_LIMIT;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            // It may have come to nothing yet: a server of TLS takes this for a client that went away.
            Ok(mut stream) => return stream.flush().map_err(|error| error.to_string()),
            Err(error) if Instant::now() > end => {
                return Err(format!("it does not listen: {error}"));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// The folder is below the repository's; its path is text where Cargo works.
fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_run_without_errors() {
        let told =
            "Running 1s test\n  20976 requests in 1.10s, 8.48MB read\nRequests/sec:  19069.09\n";
        assert_eq!(figures_of_wrk(told), Some((20976.0, 19069.09)));
        assert_eq!(
            figures_of_wrk(&told.replace("Running", "  Non-2xx or 3xx responses: 5\nRunning")),
            None
        );
        assert_eq!(figures_of_wrk(""), None);
    }
}
