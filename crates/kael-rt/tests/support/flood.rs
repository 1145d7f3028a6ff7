//! More reads of a file at a time than a ring's queues hold.

use crate::rig::TempFile;
use kael_rt::fs::File;
use kael_rt::runtime::Runtime;
use kael_rt::time::{Duration, timeout};
use std::rc::Rc;

/// A file whose bytes tell where they are.
pub(crate) fn pattern(name: &str) -> TempFile {
    let bytes: Vec<u8> = (0..4096u32).map(|i| (i % 251) as u8).collect();
    TempFile::new(name, &bytes)
}

/// Reads it in many tasks and checks each read. `limit`: for each task, once those before it have ended.
pub(crate) async fn flood(file: &TempFile, tasks: usize, rounds: usize, limit: Duration) {
    let file = Rc::new(File::open(&file.0).await.unwrap());
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let file = file.clone();
            kael_rt::spawn(async move {
                let mut buf = Vec::with_capacity(8);
                for round in 0..rounds {
                    let at = (task * 7 + round) % 4000;
                    let (n, back) = file.read_at(buf, at as u64).await;
                    assert_eq!(n.unwrap(), 8);
                    assert_eq!(back[7], ((at + 7) % 251) as u8);
                    buf = back;
                }
            })
        })
        .collect();
    for task in tasks {
        timeout(limit, task).await.expect("nothing was lost").unwrap();
    }
}

pub(crate) fn expect_nothing_left(runtime: &Runtime) {
    runtime.block_on(kael_rt::yield_now());
    assert_eq!(runtime.granted().lost_completions, 0);
    assert_eq!(runtime.handle().metrics().cores[0].in_flight, 0);
}
