use std::path::Path;
use tokio::fs::{self as files, File as F};

async fn sizes(path: &Path) -> std::io::Result<u64> {
    let file = F::open(path).await?;
    let other = files::metadata(path).await?;
    Ok(file.metadata().await?.len() + other.len())
}
