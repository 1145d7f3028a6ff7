//! The options of `kael serve`: every limit is one, with its default in the help.

use super::log::Format;
use super::root::Links;
use crate::cores::Cores;
use crate::seconds;
use std::path::PathBuf;
use std::time::Duration;

/// Serve the files of a folder over HTTP/1.1, until SIGINT or SIGTERM
///
/// GET, HEAD and OPTIONS; ranges, conditional requests, keep-alive and pipelining; compressed files that lie beside a file
/// (`page.html.br`, `page.html.gz`) go to clients that take them. A path never leads out of the folder. At the signal
/// nothing more is accepted and requests under way may end within --drain; a second signal ends the process at once. SIGHUP
/// reads the certificate again and opens the log file anew. Exit status: 0, 1 if it cannot serve, 2 for bad use.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The folder
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// The address to listen at; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(super) listen: String,
    #[command(flatten)]
    pub(super) cores: Cores,
    /// Speak TLS (1.2 and 1.3): files in PEM format with the chain of certificates, and with its private key
    #[arg(long, num_args = 2, value_names = ["CERT", "KEY"])]
    pub(super) tls: Option<Vec<PathBuf>>,
    /// List folders that have no index.html
    #[arg(long)]
    pub(super) list: bool,
    /// Which symbolic links are followed
    #[arg(long, value_name = "WHICH", value_enum, default_value_t = Links::Below)]
    pub(super) links: Links,
    /// Files that stay open for a second after they were opened, whoever asks for them. One that was moved, replaced while it has
    /// another name, or hidden by a link or a permission on its way, may be served for that second; what was changed, replaced
    /// or removed otherwise is not. 0: none
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(..=16_000))]
    pub(super) open_files: u32,
    /// Log each request: --log common or --log combined
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub(super) log: Option<Format>,
    /// The file that the log is appended to, instead of standard error
    #[arg(long, value_name = "FILE", requires = "log")]
    pub(super) log_file: Option<PathBuf>,
    /// Serve counters in the text format of Prometheus at this path, for example /metrics, to whoever asks
    #[arg(long, value_name = "PATH", value_parser = absolute)]
    pub(super) metrics: Option<String>,
    /// Bytes of a request's head; a longer one is answered with 431, or 414 if it is the target
    #[arg(long, value_name = "BYTES", default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(256..=1_048_576))]
    pub(super) header_bytes: u32,
    /// Bytes of a request's body, which is read and ignored; a longer one is answered with 413
    #[arg(long, value_name = "BYTES", default_value_t = 65_536)]
    pub(super) body_bytes: u64,
    /// Seconds that a request's head may take from its first byte on, a body likewise; then the answer is 408
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds::parse)]
    pub(super) header_timeout: Duration,
    /// Seconds that a connection may wait for its next request
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds::parse)]
    pub(super) idle_timeout: Duration,
    /// Seconds within which a client must take 32 KiB of an answer
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds::parse)]
    pub(super) write_timeout: Duration,
    /// Connections at a time; each takes at most 28 KiB and twice --header-bytes while it waits for its client, and 64 KiB more
    /// (with TLS 130 KiB beside) while it is answered. For a further one, that which has waited longest for a whole request's head is ended (of
    /// the same core, if there are several). Fewer if there are not two descriptors for each
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=16_000))]
    pub(super) max_connections: u32,
    /// Connections at a time from one address (of IPv6: from one /64); further ones are closed. Without it, no such limit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_per_address: Option<u32>,
    /// Seconds that requests have to end after the signal
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds::parse)]
    pub(super) drain: Duration,
}

fn absolute(path: &str) -> Result<String, String> {
    match super::path::Path::parse(path) {
        Ok(parsed) if path.starts_with('/') && !parsed.relative.is_empty() => Ok(parsed.relative),
        _ => Err("it is not a path like /metrics".to_owned()),
    }
}
