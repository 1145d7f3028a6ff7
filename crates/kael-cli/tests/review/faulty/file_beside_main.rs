#[tokio::main]
async fn main() -> std::io::Result<()> {
    tokio::spawn(async {
        let _ = std::fs::read("config"); //~ blocking-file
    });
    loop {
        tokio::signal::ctrl_c().await?;
        std::fs::write("state", "saved")?; //~ blocking-file
    }
}
