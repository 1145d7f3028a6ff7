use std::sync::mpsc;

async fn compute() -> Option<u64> {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || sender.send(7));
    tokio::task::yield_now().await;
    let number = receiver.recv().ok(); //~ blocking-wait
    thread.join().ok()?.ok()?; //~ blocking-wait
    number
}
