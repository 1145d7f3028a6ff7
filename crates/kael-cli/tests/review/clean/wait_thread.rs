use tokio::sync::mpsc;

async fn compute() -> Option<u64> {
    let (sender, mut receiver) = mpsc::channel(1);
    let task = tokio::spawn(async move { sender.send(7).await });
    let number = receiver.recv().await;
    task.await.ok()?.ok()?;
    number
}
