use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

async fn work(queue: Arc<Mutex<VecDeque<String>>>) {
    loop {
        let next = queue.lock().unwrap().pop_front();
        let Some(job) = next else { break };
        run(job).await;
    }
    if queue.lock().unwrap().is_empty() {
        run(String::new()).await;
    }
}

async fn run(_: String) {}
