//! scratch
use kael_rt::io::pipe;
use kael_rt::buf::BufferPool;
use std::os::fd::AsRawFd;
use std::time::Instant;
fn block(fd: i32) { let off: libc::c_int = 0; unsafe { libc::ioctl(fd, libc::FIONBIO as _, &off) }; }
#[test]
fn zz() {
    for (what, blocks) in [("nonblock", false), ("blocking", true), ("nonblock", false), ("blocking", true)] {
        let rt = kael_rt::runtime::Builder::new().build().unwrap();
        let h = rt.handle();
        rt.block_on(async {
            let (r1, w1) = pipe().unwrap();
            let (r2, w2) = pipe().unwrap();
            if blocks { for fd in [r1.try_as_fd().unwrap().as_raw_fd(), w1.try_as_fd().unwrap().as_raw_fd(), r2.try_as_fd().unwrap().as_raw_fd(), w2.try_as_fd().unwrap().as_raw_fd()] { block(fd); } }
            let n = 3000u32;
            let echo = kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(64);
                loop { let (n, b) = r1.read(buf).await; if n.unwrap() == 0 { return; } let (n, b) = w2.write_all(b).await; n.unwrap(); buf = b; }
            });
            let mut buf = vec![7; 64];
            let t = Instant::now();
            for _ in 0..n { let (r, b) = w1.write_all(buf).await; r.unwrap(); let (r, b) = r2.read(b).await; r.unwrap(); buf = b; }
            let el = t.elapsed();
            println!("{what}: round trip {:.2} us", el.as_secs_f64() * 1e6 / n as f64);
            drop(w1); echo.await.unwrap();
            // a stream of pieces
            let (r, w) = pipe().unwrap();
            if blocks { block(r.try_as_fd().unwrap().as_raw_fd()); block(w.try_as_fd().unwrap().as_raw_fd()); }
            let writing = kael_rt::spawn(async move { for _ in 0..3000 { w.write_all(vec![1u8; 4096]).await.0.unwrap(); } });
            let pool = BufferPool::new(64, 4096).unwrap();
            let mut s = r.read_stream(&pool);
            let t = Instant::now();
            let before = h.metrics().cores[0].syscalls;
            let (mut bytes, mut k) = (0, 0u32);
            while let Some(p) = s.next().await.unwrap() { bytes += p.len(); k += 1; }
            let el = t.elapsed();
            println!("{what}: {bytes} bytes in {k} pieces: {:.2} us each, {} calls", el.as_secs_f64() * 1e6 / k as f64, h.metrics().cores[0].syscalls - before);
            writing.await.unwrap();
            let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
            println!("{what}: threads {threads}");
        });
    }
}
