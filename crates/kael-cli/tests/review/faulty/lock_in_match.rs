use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

async fn work(queue: Arc<Mutex<VecDeque<String>>>) {
    while let Some(job) = queue.lock().unwrap().pop_front() { //~ lock-across-await
        run(job).await;
    }
    match queue.lock().unwrap().front() { //~ lock-across-await
        Some(job) => run(job.clone()).await,
        None => {}
    }
}

async fn run(_: String) {}
