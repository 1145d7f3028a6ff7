use std::fs::{self as files, File as F};
use std::path::Path;

async fn sizes(path: &Path) -> std::io::Result<u64> {
    let file = F::open(path)?; //~ blocking-file
    let other = files::metadata(path)?; //~ blocking-file
    tokio::task::yield_now().await;
    Ok(file.metadata()?.len() + other.len())
}
