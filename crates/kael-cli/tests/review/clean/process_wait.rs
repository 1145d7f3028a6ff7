use smol::process::Command;

async fn build() -> std::io::Result<()> {
    let mut child = Command::new("make").spawn()?;
    child.status().await?;
    Ok(())
}
