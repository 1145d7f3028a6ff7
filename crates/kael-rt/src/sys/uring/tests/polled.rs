//! Direct I/O that is looked for: what the device refuses is asked again, once, and nothing of it is lost.

use super::{TempPath, counters, faults, in_time};
use crate::buf::BufferPool;
use crate::fs::File;
use crate::runtime::Builder;
use crate::time::Duration;
use std::rc::Rc;

fn is_granted(runtime: &crate::runtime::Runtime) -> bool {
    runtime.granted().flags.contains(&"polled direct I/O")
}

#[test]
fn v03_what_a_device_refuses_is_asked_of_the_ordinary_ring() {
    in_time(|| {
        for (errno, thread_ms) in [(libc::EOPNOTSUPP, 0), (libc::EOPNOTSUPP, 1), (libc::EAGAIN, 0)]
        {
            let path = TempPath::holding("polled-refused", &[0; 65_536]);
            let thread = Duration::from_millis(thread_ms);
            let asked = Builder::new().poll_direct_io(true).submission_thread(thread);
            let runtime = asked.queue_depth(16).build().unwrap();
            assert!(is_granted(&runtime));
            let was_polled = runtime.block_on(async {
                let mut options = File::options();
                let file = match options.read(true).write(true).direct(true).open(&path.0).await {
                    Ok(file) => Rc::new(file),
                    Err(error) => {
                        println!("not run: {error}");
                        return false;
                    }
                };
                if file.direct_alignment().is_none() {
                    println!("not run: this file system does not say what direct I/O wants");
                    return false;
                }
                faults::refuse_polls(errno);
                let pool = BufferPool::new(32, 4096).unwrap();
                let mut tasks = Vec::new();
                for page in 0..16u8 {
                    let (file, mut buf) = (file.clone(), pool.get().await);
                    buf.put(&[page + 1; 4096]);
                    tasks.push(crate::spawn(async move {
                        let at = u64::from(page) * 4096;
                        let (n, mut buf) = file.write_all_at(buf, at).await;
                        assert_eq!(n.unwrap(), 4096);
                        buf.fill(0);
                        let (n, bufs) = file.read_vectored_at([buf], at).await;
                        assert_eq!((n.unwrap(), &bufs[0][..]), (4096, &[page + 1; 4096][..]));
                    }));
                }
                for task in tasks {
                    task.await.unwrap();
                }
                let hits = faults::hits();
                assert!(hits >= 16, "{hits} transfers were polled");
                faults::clear();
                assert_eq!((counters().in_flight, counters().stale), (0, 0));
                if errno == libc::EOPNOTSUPP {
                    assert!(hits <= 32, "{hits} refusals: it was asked again and again");
                    assert_eq!(file.read_at(pool.get().await, 0).await.1[..], [1; 4096]);
                }
                true
            });
            if !was_polled {
                return;
            }
            // After EAGAIN the real device may have refused it, too.
            assert!(errno == libc::EAGAIN || !is_granted(&runtime), "it is over");
        }
    });
}
