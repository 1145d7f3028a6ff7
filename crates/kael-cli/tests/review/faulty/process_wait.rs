use std::process::Command;

async fn build() -> std::io::Result<()> {
    let mut child = Command::new("make").spawn()?;
    smol::future::yield_now().await;
    child.wait()?; //~ blocking-process
    Ok(())
}
