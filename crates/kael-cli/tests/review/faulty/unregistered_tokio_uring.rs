use tokio_uring::fs::File;

async fn scan(file: File, blocks: u64) -> std::io::Result<()> {
    for block in 0..blocks {
        let buf = vec![0; 4096]; //~ unregistered-buffer
        let (result, buf) = file.read_at(buf, block * 4096).await;
        println!("{} {}", result?, buf.len());
    }
    Ok(())
}
