use tokio_uring::fs::File;

async fn scan(file: File, blocks: u64) -> std::io::Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for block in 0..blocks {
        let buf = vec![0; 4096];
        let (result, buf) = file.read_at(buf, block * 4096).await;
        result?;
        all.push(buf);
    }
    Ok(all)
}
