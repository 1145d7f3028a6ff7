use tokio::process::Command;

async fn version() -> Option<Vec<u8>> {
    let output = Command::new("git").arg("--version").output().await.ok()?;
    Some(output.stdout)
}
