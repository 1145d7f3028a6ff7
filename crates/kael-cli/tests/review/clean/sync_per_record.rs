use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::Receiver;

async fn journal(mut file: File, mut records: Receiver<Vec<u8>>) -> std::io::Result<()> {
    let mut batch = Vec::new();
    while records.recv_many(&mut batch, 256).await > 0 {
        let all: Vec<u8> = batch.drain(..).flatten().collect();
        write_batch(&mut file, &all).await?;
    }
    Ok(())
}

async fn write_batch(file: &mut File, all: &[u8]) -> std::io::Result<()> {
    file.write_all(all).await?;
    file.sync_data().await
}
