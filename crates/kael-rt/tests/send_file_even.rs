//! From which size on sending a file without copying it is the cheaper way: a measurement, run by name.

#![cfg(target_os = "linux")] // Elsewhere files are copied.
#![cfg(not(any(kael_backend = "sim", kael_backend = "kqueue")))]

mod rig;

use kael_rt::fs::File;
use kael_rt::io::send_file;
use kael_rt::net::TcpStream;
use rig::{TempFile, pair, within_limit};

/// The beginning of a file is sent over and over, by `send_file` and by a read and a write. A thread takes what comes.
#[test]
#[ignore = "a measurement: cargo test --release -p kael-rt --test send_file_even -- --ignored --nocapture"]
fn break_even() {
    const RUNS: usize = 5;
    within_limit(|| {
        let path = TempFile::new("send-file-even", &vec![7; 1 << 20]);
        kael_rt::block_on(async move {
            let file = File::open(&path.0).await.unwrap();
            println!(
                "{:>8} {:>14} {:>10}   (µs of this thread's CPU each, best of {RUNS})",
                "bytes", "read and write", "send_file"
            );
            for kib in [17, 20, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024] {
                let len = kib * 1024;
                let (mut copied, mut not) = (f64::MAX, f64::MAX);
                for _ in 0..RUNS {
                    copied = copied.min(cost(&file, len, false).await);
                    not = not.min(cost(&file, len, true).await);
                }
                println!("{len:>8} {copied:>14.2} {not:>10.2}");
            }
        });
    });
}

async fn cost(file: &File, len: usize, by_pipe: bool) -> f64 {
    let sends = ((64 << 20) / len).clamp(100, 2000);
    let (stream, peer) = pair().await;
    let mut peer = into_blocking(peer);
    let sink = std::thread::spawn(move || std::io::copy(&mut peer, &mut std::io::sink()).unwrap());
    let mut buf = vec![0; len];
    let before = thread_cpu_ns();
    for _ in 0..sends {
        if by_pipe {
            assert_eq!(send_file(file, 0..len as u64, &stream).await.unwrap(), len as u64);
            continue;
        }
        let (n, back) = file.read_exact_at(buf, 0).await;
        n.unwrap();
        let (n, back) = stream.write_all(back).await;
        n.unwrap();
        buf = back;
    }
    let spent = thread_cpu_ns() - before;
    stream.close().await.unwrap();
    assert_eq!(sink.join().unwrap(), (len * sends) as u64);
    spent as f64 / sends as f64 / 1000.0
}

fn into_blocking(stream: TcpStream) -> std::net::TcpStream {
    let stream = stream.into_std().expect("nothing is under way");
    stream.set_nonblocking(false).unwrap();
    stream
}

/// How long the calling thread has run, by the scheduler's account.
fn thread_cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("proc is mounted");
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("it begins with a time")
}
