use std::thread;
use std::time::Duration;

async fn retry() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
        thread::sleep(Duration::from_millis(100)); //~ blocking-sleep
    }
}
