//! Files against a model in memory: what was written is what is read.

use super::{
    ask::{Ask, once, unless},
    law,
};
use kael_rt::{
    fs::{self, File},
    time::{Duration, sleep},
};
use std::{cell::Cell, io};

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

pub(crate) async fn run(ask: Ask) {
    let path = format!("/tmp/f{:05}", NEXT.replace(NEXT.get() + 1) % 100_000);
    if let Err(error) = changes(&ask, &path).await {
        law(is_starved(&error), || format!("files: {error}"));
    }
    let file = loop {
        match File::options().read(true).write(true).create(true).truncate(true).open(&path).await {
            Ok(file) => break file,
            Err(error) => {
                law(is_starved(&error), || format!("open: {error}"));
                sleep(Duration::from_millis(1)).await;
            }
        }
    };
    let mut model = Vec::new();
    for _ in 0..2 + ask.below(12) {
        if let Err(error) = step(&ask, &file, &mut model).await {
            law(false, || format!("L3: a file fails: {error}"));
        }
    }
    drops(&ask, &path).await;
    let closed = file.close().await;
    law(closed.is_ok(), || format!("close: {closed:?}"));
    let removed = fs::remove_file(&path).await;
    law(removed.is_ok(), || format!("remove: {removed:?}"));
}

fn is_starved(error: &io::Error) -> bool {
    error.raw_os_error() == Some(24)
}

async fn step(ask: &Ask, file: &File, model: &mut Vec<u8>) -> io::Result<()> {
    let at = ask.len(0, 500);
    let n = ask.len(0, 700);
    match ask.below(8) {
        0 | 1 => {
            let bytes: Vec<u8> = (0..n).map(|i| (i * 7 + at) as u8).collect();
            let (result, bytes) = file.write_all_at(bytes, at as u64).await;
            result?;
            put(model, at, &bytes);
        }
        2 => {
            let parts = [vec![1; n / 2], vec![2; n - n / 2]];
            let (result, parts) = file.write_vectored_at(parts, at as u64).await;
            let written = result?;
            put(model, at, &parts.concat()[..written]);
        }
        3 => {
            file.set_len(n as u64).await?;
            model.resize(n, 0);
        }
        4 => {
            file.allocate(at as u64, n as u64 + 1).await?;
            model.resize(model.len().max(at + n + 1), 0);
            law(file.metadata().await?.len() == model.len() as u64, || "L3: a length".to_owned());
        }
        5 => {
            let n = n.min(model.len().saturating_sub(at));
            let (result, buf) = file.read_exact_at(vec![0; n], at as u64).await;
            result?;
            law(buf[..] == model.get(at..at + n).unwrap_or_default()[..], || {
                "L3: a file reads otherwise than it was written".to_owned()
            });
        }
        6 => {
            let bufs = [Vec::with_capacity(n / 2), Vec::with_capacity(n)];
            let (result, bufs) = file.read_vectored_at(bufs, at as u64).await;
            let n = result?;
            let bytes = bufs.concat();
            law(n == bytes.len() && is_part(model, at, &bytes), || {
                "L3: vectors read otherwise than they were written".to_owned()
            });
        }
        _ => {
            // A read may be dropped, or run out of time.
            let _ = once(file.read_at(Vec::with_capacity(n + 1), at as u64)).await;
            let (result, buf) =
                file.read_at(Vec::with_capacity(n + 1), at as u64).timeout(ask.moment()).await;
            if result.is_ok() {
                law(is_part(model, at, &buf), || "L3: a read differs".to_owned());
            }
            file.sync_all().await?;
        }
    }
    Ok(())
}

fn put(model: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        model.resize(model.len().max(at + bytes.len()), 0);
        model[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

fn is_part(model: &[u8], at: usize, bytes: &[u8]) -> bool {
    bytes.is_empty() || model.get(at..at + bytes.len()) == Some(bytes)
}

/// Directories, names, and errors.
async fn changes(ask: &Ask, path: &str) -> io::Result<()> {
    let dir = format!("{path}.d");
    fs::create_dir(&dir).await?;
    let again = fs::create_dir(&dir).await.map_err(|e| e.kind());
    law(again == Err(io::ErrorKind::AlreadyExists), || format!("create_dir twice: {again:?}"));
    let missing = File::open(format!("{dir}/none")).await.map(drop).map_err(|e| e.kind());
    law(
        missing == Err(io::ErrorKind::NotFound)
            || missing.is_err_and(|k| k != io::ErrorKind::NotFound),
        || "a file that is not there was opened".to_owned(),
    );
    let inner = format!("{dir}/x");
    let written = fs::write(&inner, vec![3; ask.len(0, 3000)]).await;
    if written.is_ok() {
        fs::rename(&inner, format!("{dir}/y")).await?;
        fs::remove_file(format!("{dir}/y")).await?;
    } else {
        let _ = fs::remove_file(&inner).await;
    }
    fs::remove_dir(&dir).await?;
    written
}

/// Opens that nobody waits for are closed again; writes that nobody waits for are finished.
async fn drops(ask: &Ask, path: &str) {
    for _ in 0..ask.below(4) {
        let opened = match ask.below(3) {
            0 => once(File::open(path)).await,
            1 => unless(File::open(path), ask.moment()).await,
            _ => Some(File::open(path).timeout(ask.moment()).await),
        };
        if let Some(Ok(file)) = opened {
            let _ = once(file.read_at(vec![0; 64], 0)).await;
        }
        if let Ok(file) = File::options().write(true).open(path).await {
            let _ = once(file.write_at(vec![1; 64], 0)).await;
        }
    }
}
