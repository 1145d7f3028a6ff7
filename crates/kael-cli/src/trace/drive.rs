//! [`Client`]: a command that drives the traced program and says how many requests it made.

use super::ptrace::{ChildSignal, Tid};
use crate::fail::doing;
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

/// It is waited for together with the traced threads, and so not through `std::process::Child`.
pub(super) struct Client {
    pub(super) process: Tid,
    output: JoinHandle<io::Result<Vec<u8>>>,
}

impl Client {
    /// Runs a line of the shell. It is not traced; what it prints is kept, and its errors are seen.
    pub(super) fn start(line: &str, children: &ChildSignal) -> io::Result<Client> {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child =
            children.released(|| shell.spawn())?.map_err(doing("sh, which runs the client"))?;
        let mut words = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let output = thread::Builder::new().name("client".to_owned()).spawn(move || {
            let mut text = Vec::new();
            words.read_to_end(&mut text).map(|_| text)
        })?;
        Ok(Client { process: child.id().cast_signed(), output })
    }

    /// What it printed, once it has ended.
    pub(super) fn text(self) -> io::Result<String> {
        let text = self.output.join().map_err(|_| io::Error::other("the client's reader"))??;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The requests that a client says it made: the sum of all `N requests in`, `N messages in`, `N requests completed in`,
/// which is how wrk, `kael load` and redis-benchmark say it.
pub(super) fn requests(text: &str) -> Option<u64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let numbers = words.windows(3).filter_map(|words| match words {
        [number, "requests" | "messages", "in" | "completed"] => number.parse::<u64>().ok(),
        _ => None,
    });
    numbers.reduce(u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::requests;

    #[test]
    fn clients_say_how_many_requests_they_made() {
        let wrk = "  2 threads and 64 connections\n  120340 requests in 5.10s, 97.54MB read\nRequests/sec:  23599.31";
        assert_eq!(requests(wrk), Some(120_340));
        let kael =
            "1 connections, 64 bytes, depth 1, closed loop\n61234 messages in 5.0 s: 12247/s";
        assert_eq!(requests(kael), Some(61_234));
        let redis = "====== SET ======\n  1000 requests completed in 0.05 seconds\n====== GET ======\n  2000 requests completed in 0.06 seconds";
        assert_eq!(requests(redis), Some(3_000));
        assert_eq!(requests("many requests in all"), None);
        assert_eq!(requests(""), None);
    }
}
