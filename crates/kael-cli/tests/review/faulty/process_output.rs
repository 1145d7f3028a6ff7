use std::process::Command;

async fn version() -> Option<Vec<u8>> {
    let output = Command::new("git").arg("--version").output().ok()?; //~ blocking-process
    tokio::task::yield_now().await;
    Some(output.stdout)
}
