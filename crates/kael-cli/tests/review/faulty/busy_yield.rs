use tokio::sync::mpsc::Receiver;

async fn drain(receiver: &mut Receiver<u32>) {
    loop {
        if let Ok(number) = receiver.try_recv() { //~ busy-loop
            println!("{number}");
        } else {
            tokio::task::yield_now().await;
        }
    }
}
