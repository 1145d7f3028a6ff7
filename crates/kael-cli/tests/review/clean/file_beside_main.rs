#[tokio::main]
async fn main() -> std::io::Result<()> {
    // Nothing else runs yet.
    let config = std::fs::read("config")?;
    tokio::spawn(async move { drop(config) });
    tokio::signal::ctrl_c().await
}
