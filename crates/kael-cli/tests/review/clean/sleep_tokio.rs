use std::thread;
use std::time::Duration;

async fn retry() {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    thread::spawn(|| thread::sleep(Duration::from_millis(100)));
}
