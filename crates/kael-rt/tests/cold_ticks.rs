//! Whether files that are not in memory hold up the core that sends them: a measurement, run by name.

#![cfg(target_os = "linux")] // Nobody else drops pages when asked to.
#![cfg(not(kael_backend = "sim"))] // Its subject is what the system does with files.

mod rig;

use kael_rt::fs::File;
use kael_rt::io::send_file;
use kael_rt::net::TcpListener;
use kael_rt::time::{Duration, Instant, sleep_until};
use std::cell::Cell;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const TICK: Duration = Duration::from_millis(1);

/// `KAEL_COLD_MIB` in files of 32 MiB (1,024 if it is not set), four of them at a time, are sent to four readers while a task of
/// the same core wakes each millisecond. A tick is missed when it comes a millisecond late or later, not counting what the thread
/// was ready to run and had no processor. Warm and cold in turns.
///
/// `KAEL_COLD_FOLDER` is where the files are made, and `KAEL_COLD_SEEN_AT` where the same folder is seen through another file
/// system: `bindfs --read-rate=20M -o attr_timeout=0 FOLDER SEEN_AT` makes a slow one of a program.
#[test]
#[ignore = "a measurement: cargo test --release -p kael-rt --test cold_ticks -- --ignored --nocapture"]
fn ticks_while_cold_files_are_sent() {
    let folder =
        std::env::var_os("KAEL_COLD_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let seen_at =
        std::env::var_os("KAEL_COLD_SEEN_AT").map_or_else(|| folder.clone(), PathBuf::from);
    let mib = std::env::var("KAEL_COLD_MIB").map_or(1024, |mib| mib.parse().expect("a number"));
    let files = Files::make(&folder, &seen_at, (mib / 32usize).max(4));
    for round in 1..=3 {
        for is_cold in [false, true] {
            if is_cold {
                files.forget();
            } else {
                files.touch();
            }
            let ticks = kael_rt::block_on(send_all(&files.seen));
            println!("round {round}, {}: {ticks}", if is_cold { "cold" } else { "warm" });
        }
    }
}

struct Files {
    made: Vec<PathBuf>,
    seen: Vec<PathBuf>,
}

impl Files {
    fn make(folder: &Path, seen_at: &Path, count: usize) -> Files {
        let names = (0..count).map(|n| format!("kael-cold-{}-{n}", std::process::id()));
        let (made, seen) = names.map(|name| (folder.join(&name), seen_at.join(name))).unzip();
        let files = Files { made, seen };
        for (n, path) in files.made.iter().enumerate() {
            let bytes = vec![n as u8; 32 << 20];
            std::fs::write(path, bytes).expect("the folder can be written");
            std::fs::File::open(path).and_then(|file| file.sync_all()).expect("it is there");
        }
        files
    }

    /// In both file systems.
    fn forget(&self) {
        for path in self.seen.iter().chain(&self.made) {
            let file = std::fs::File::open(path).expect("it is there");
            // SAFETY: advice changes no contents.
            unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
        }
    }

    fn touch(&self) {
        let mut room = vec![0; 1 << 20];
        for path in &self.seen {
            let mut file = std::fs::File::open(path).expect("it is there");
            while file.read(&mut room).expect("it can be read") > 0 {}
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        for path in &self.made {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[derive(Default)]
struct Ticks {
    all: Cell<u32>,
    missed: Cell<u32>,
    /// Late, and the host had taken a processor meanwhile.
    stolen: Cell<u32>,
    latest: Cell<Duration>,
    is_over: Cell<bool>,
}

async fn send_all(paths: &[PathBuf]) -> String {
    let ticks = Rc::new(Ticks::default());
    let ticker = kael_rt::spawn(tick(ticks.clone()));
    let start = Instant::now();
    let senders: Vec<_> = (0..4)
        .map(|n| kael_rt::spawn(send_some(paths.iter().skip(n).step_by(4).cloned().collect())))
        .collect();
    for sender in senders {
        sender.await.expect("it is sent");
    }
    let took = start.elapsed();
    ticks.is_over.set(true);
    ticker.await.expect("it ends");
    let (all, missed) = (ticks.all.get(), ticks.missed.get());
    format!(
        "{missed} of {all} ticks missed, {:.2} of 1,000; the latest by {:.1?}; {} late while the host took a processor; {took:.2?}",
        f64::from(missed) * 1000.0 / f64::from(all),
        ticks.latest.get(),
        ticks.stolen.get()
    )
}

/// A late tick is judged at the next one, when what the host has taken is in the system's account.
async fn tick(ticks: Rc<Ticks>) {
    let account = std::fs::File::open("/proc/thread-self/schedstat").expect("the kernel keeps it");
    let mut late_before = Duration::ZERO;
    let mut stolen_before = stolen();
    let mut stolen_last = stolen_before;
    while !ticks.is_over.get() {
        let waited = without_processor(&account);
        let due = Instant::now() + TICK;
        sleep_until(due).await;
        let late = Instant::now().saturating_duration_since(due);
        let late = late.saturating_sub(without_processor(&account) - waited);
        let stolen_now = stolen();
        ticks.count(late_before, stolen_now > stolen_before);
        // What was taken during this tick may be told with the next.
        (late_before, stolen_before) = (late, std::mem::replace(&mut stolen_last, stolen_now));
    }
}

impl Ticks {
    fn count(&self, late: Duration, is_stolen: bool) {
        let add = |count: &Cell<u32>| count.set(count.get() + 1);
        add(&self.all);
        match late >= TICK {
            true if is_stolen => add(&self.stolen),
            true => {
                add(&self.missed);
                self.latest.set(self.latest.get().max(late));
            }
            false => {}
        }
    }
}

/// How long this thread has waited for a processor, so far: the second field of schedstat, in nanoseconds; see
/// the kernel's Documentation/scheduler/sched-stats.rst.
fn without_processor(account: &std::fs::File) -> Duration {
    let mut text = [0; 80];
    let n = account.read_at(&mut text, 0).expect("it can be read");
    let text = std::str::from_utf8(&text[..n]).expect("it is text");
    let waited = text.split_whitespace().nth(1).and_then(|field| field.parse().ok());
    Duration::from_nanos(waited.expect("it is a number"))
}

/// What a host has taken of this machine's processors, in hundredths of a second; see proc_stat(5).
fn stolen() -> u64 {
    let text = std::fs::read_to_string("/proc/stat").expect("it can be read");
    let steal = text.split_whitespace().nth(8).and_then(|field| field.parse().ok());
    steal.expect("it is a number")
}

async fn send_some(paths: Vec<PathBuf>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let reader = std::thread::spawn(move || {
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        let (mut room, mut total) = (vec![0; 1 << 20], 0);
        loop {
            match stream.read(&mut room).unwrap() {
                0 => return total,
                n => total += n,
            }
        }
    });
    let (stream, _) = listener.accept().await.unwrap();
    let mut sent = 0;
    for path in paths {
        let file = File::open(&path).await.unwrap();
        sent += send_file(&file, 0..32 << 20, &stream).await.unwrap();
        file.close().await.unwrap();
    }
    stream.close().await.unwrap();
    let received = kael_rt::spawn_blocking(|| reader.join().unwrap()).await.unwrap();
    assert_eq!(received as u64, sent);
}
