//! A service on a named pipe of Windows: each message is a question, and gets one answer.
//!
//! `named_pipe NAME` serves for ever; without an argument it talks to itself and ends. Other systems have no such pipes.

#[cfg(windows)]
mod service {
    use kael_rt::net::windows::named_pipe::{
        ClientOptions, NamedPipe, NamedPipeServer, PipeMode, ServerOptions,
    };
    use std::io;

    /// Longer questions come in parts, and are refused.
    const QUESTION_BYTES: usize = 4096;

    #[kael_rt::main]
    pub(crate) async fn main() -> io::Result<()> {
        match std::env::args().nth(1) {
            Some(name) => serve(instance(&name, true)?, name).await,
            None => demonstrate().await,
        }
    }

    fn instance(name: &str, is_first: bool) -> io::Result<NamedPipeServer> {
        let mut options = ServerOptions::new();
        options.pipe_mode(PipeMode::Message).first_pipe_instance(is_first).create(name)
    }

    async fn serve(mut waiting: NamedPipeServer, name: String) -> io::Result<()> {
        loop {
            waiting.connect().await?;
            // The next client finds an instance before this one is served.
            let client = std::mem::replace(&mut waiting, instance(&name, false)?);
            kael_rt::spawn(async move {
                if let Err(error) = answer(&client).await {
                    eprintln!("a client: {error}");
                }
            });
        }
    }

    async fn answer(client: &NamedPipe) -> io::Result<()> {
        let mut buf = Vec::with_capacity(QUESTION_BYTES);
        loop {
            let (part, question) = client.read_message(buf).await;
            let part = part?;
            if part.len == 0 {
                return Ok(());
            }
            if !part.is_last {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a question without end"));
            }
            let answer = String::from_utf8_lossy(&question).to_uppercase();
            client.write_all(answer).await.0?;
            buf = question;
        }
    }

    async fn demonstrate() -> io::Result<()> {
        let name = format!(r"\\.\pipe\kael-example-{}", std::process::id());
        let server = kael_rt::spawn(serve(instance(&name, true)?, name.clone()));
        let mut options = ClientOptions::new();
        let client = options.pipe_mode(PipeMode::Message).open(&name).await?;
        for question in ["is anybody there?", "good"] {
            client.write_all(question).await.0?;
            let (part, answer) = client.read_message(Vec::with_capacity(QUESTION_BYTES)).await;
            println!("{question} {} bytes: {}", part?.len, String::from_utf8_lossy(&answer));
        }
        client.close().await?;
        server.abort();
        Ok(())
    }
}

#[cfg(windows)]
fn main() -> std::io::Result<()> {
    service::main()
}

#[cfg(not(windows))]
fn main() {
    println!("named pipes of this kind are Windows' own");
}
