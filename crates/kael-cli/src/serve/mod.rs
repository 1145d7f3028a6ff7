//! `kael serve`: the files of a folder over HTTP/1.1, until a signal ends it.
//!
//! ```text
//!   mod          set-up, accepting, signals        connection   the requests of one connection, and its limits
//!   request path range coding conditions date      reading what a client says: no I/O, nothing that can panic
//!   root         opening what lies below the folder, and nothing else
//!   open_files   what was opened a moment ago
//!   respond facts head listing body                the answer
//!   wire tls     bytes in and out                  log metrics  what is told of it
//!   waiting      who makes room for another
//! ```
//!
//! [`Shared`] is what any number of cores share; a [`Core`] has what is one core's own.

mod body;
mod coding;
mod conditions;
mod connection;
mod date;
mod facts;
mod head;
mod listing;
mod log;
mod metrics;
mod open_files;
mod options;
mod path;
mod range;
mod request;
mod respond;
mod root;
mod tls;
mod waiting;
mod wire;

pub(crate) use options::Options;

use crate::admission::Admission;
use crate::before::before;
use crate::fail::{Fail, doing};
use crate::{interrupt, limits};
use kael_rt::CancelToken;
use kael_rt::buf::BufferPool;
use kael_rt::net::TcpListener;
use kael_rt::time::sleep;
use log::Log;
use metrics::Metrics;
use open_files::{Entry, OpenFiles};
use root::Root;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;
use tls::Certificate;
use waiting::Waiting;
use wire::{IN_BYTES, OUT_BYTES, Pools};

/// What all cores share.
struct Shared {
    options: Options,
    root: Root,
    certificate: Option<Certificate>,
    log: Option<Log>,
    metrics: Metrics,
    admission: Arc<Admission>,
}

/// What one core has.
struct Core {
    shared: Arc<Shared>,
    pools: Pools,
    files: Rc<OpenFiles>,
    waiting: Waiting,
    /// Cancelled by the signal: connections end after the request that is under way.
    stop: CancelToken,
    /// The date of answers, and its second.
    date: RefCell<(u64, String)>,
}

impl Core {
    /// Seconds since 1970.
    fn now(&self) -> u64 {
        date::seconds(SystemTime::now())
    }

    /// What a path leads to.
    async fn find(&self, path: &str) -> io::Result<Entry> {
        self.files.find(&self.shared.root, path).await
    }

    fn with_date<T>(&self, f: impl FnOnce(&str) -> T) -> T {
        let now = self.now();
        let mut date = self.date.borrow_mut();
        if date.0 != now || date.1.is_empty() {
            *date = (now, date::format(now));
        }
        f(&date.1)
    }
}

pub(crate) fn run(mut options: Options) -> Result<(), Fail> {
    let bad_use = |error: io::Error| Fail::Use(error.to_string());
    let root = Root::open(&options.folder, options.links)
        .map_err(doing(options.folder.display()))
        .map_err(bad_use)?;
    let certificate = match options.tls.as_deref() {
        Some([chain, key]) => Some(Certificate::load(chain, key).map_err(bad_use)?),
        _ => None,
    };
    let (log, log_thread) = match options.log {
        Some(format) => {
            let (log, thread) = Log::start(format, options.log_file.clone()).map_err(bad_use)?;
            (Some(log), Some(thread))
        }
        None => (None, None),
    };
    let kept = u64::from(options.open_files);
    options.max_connections = limits::connections(options.max_connections, kept)?;
    let per_address = options.max_per_address.map_or(usize::MAX, |most| most as usize);
    let admission = Admission::new(options.max_connections as usize, per_address);
    let metrics = Metrics::default();
    let shared = Arc::new(Shared { options, root, certificate, log, metrics, admission });
    let stop = CancelToken::new();
    let (stopped, reloaded) = (stop.clone(), shared.clone());
    interrupt::on_signal_or_reload(move |_| stopped.cancel(), move || reload(&reloaded))?;
    let (cores, listen) = (shared.options.cores, shared.options.listen.clone());
    let of_all = shared.clone();
    let served = cores
        .serve(&listen, move |core, listener| serve(core, listener, of_all.clone(), stop.clone()));
    if let Some(log) = &shared.log {
        log.end();
    }
    if let Some(thread) = log_thread {
        // Its panic has been printed where it happened.
        let _ = thread.join();
    }
    let open = served?.into_iter().max().unwrap_or(0);
    let metrics = &shared.metrics;
    eprintln!(
        "served {} requests on {} connections, {} bytes; {} refused by the limit per address, {} ended for another, {} broken, \
         {} without TLS, {} files became shorter, {} open at the end, {} times nothing could be accepted",
        metrics.answers(),
        metrics.accepted.get(),
        metrics.sent.get(),
        metrics.refused.get(),
        metrics.displaced.get(),
        metrics.broken.get(),
        metrics.handshakes_failed.get(),
        metrics.truncated.get(),
        open,
        metrics.starved.get()
    );
    Ok(())
}

/// SIGHUP, on the thread of signals: reading the files may take its time.
fn reload(shared: &Shared) {
    if let (Some(certificate), Some([chain, key])) =
        (&shared.certificate, shared.options.tls.as_deref())
    {
        match certificate.reload(chain, key) {
            Ok(()) => eprintln!("the certificate was read again"),
            Err(error) => eprintln!("kael: the old certificate stays in use: {error}"),
        }
    }
    if let Some(log) = &shared.log {
        log.reopen();
    }
}

/// One core's part of it: it has everything of its own but [`Shared`]. Returns how many connections had not ended in time.
async fn serve(
    number: usize,
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: CancelToken,
) -> io::Result<usize> {
    let most = shared.options.max_connections as usize;
    // What is not used is no memory.
    let pool = |count, bytes| BufferPool::builder(count, bytes).registered(false).build();
    let pools =
        Pools { inward: pool(most.max(64), IN_BYTES)?, outward: pool(2 * most, OUT_BYTES)? };
    let date = RefCell::new((0, String::new()));
    let files = OpenFiles::new(shared.options.open_files as usize);
    let waiting = Waiting::default();
    let core =
        Rc::new(Core { shared: shared.clone(), pools, files, waiting, stop: stop.clone(), date });
    let metrics = &shared.metrics;
    let connected = |stream, peer, permit| {
        metrics.accepted.count();
        core.waiting.enough();
        match permit {
            Some(permit) => {
                drop(kael_rt::spawn(connection::serve(core.clone(), stream, peer, permit)));
            }
            None => drop(metrics.refused.count()),
        }
    };
    let starved = |error: &io::Error| {
        if metrics.starved.count() == 0 {
            eprintln!(
                "no descriptors are left, connections wait: {error} (further times are only counted)"
            );
        }
    };
    let full = || {
        if metrics.displaced.count() == 0 {
            eprintln!(
                "{most} connections are open: for each further one, that which has waited longest for a request is ended \
                 (further times are only counted)"
            );
        }
        core.waiting.displace();
    };
    shared.admission.accept(listener, &stop, connected, starved, Some(full)).await;
    if number == 0 {
        eprintln!("ending, with {} connections open", shared.admission.open());
    }
    before(shared.admission.empty(), sleep(shared.options.drain)).await;
    Ok(shared.admission.open())
}
