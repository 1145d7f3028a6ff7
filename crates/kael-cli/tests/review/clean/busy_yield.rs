use tokio::sync::mpsc::Receiver;

async fn drain(receiver: &mut Receiver<u32>) {
    loop {
        if let Ok(number) = receiver.try_recv() {
            println!("{number}");
        } else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}
