use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc::Receiver;

async fn journal(mut file: File, mut records: Receiver<Vec<u8>>) -> std::io::Result<()> {
    while let Some(record) = records.recv().await {
        file.write_all(&record).await?;
        file.sync_data().await?; //~ sync-per-record
    }
    Ok(())
}
