//! Random reads of 4 KiB: CPU seconds per million, and allocations for each.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::echo::list;
use crate::options::Options;
use crate::process::figures;
use crate::programs::{Program, Source};
use crate::results::Results;
use crate::{builds, programs};

const PAGE: usize = 4096;

/// (mode, reads in flight)
const CASES: [(&str, u32); 4] =
    [("buffered", 1), ("buffered", 32), ("direct", 32), ("direct", 128)];

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::files(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    builds::build(&programs)?;
    let path = data_file(options.file_mib)
        .map_err(|error| format!("cannot write the data file: {error}"))?;
    // The pools of some peers are threads: both CPUs are theirs.
    let cpus = format!("{},{}", options.server_cpu, options.client_cpu);

    let mut failures = 0;
    for (mode, depth) in cases(options)? {
        let able = programs.iter().filter(|program| !program.lacks.contains(&mode.as_str()));
        let results = Results::interleave(able.cloned().collect(), options.rounds, |program| {
            if mode == "buffered" {
                // Before each run: on a busy machine the pages may have been thrown out since the last one.
                warm_cache(&path).map_err(|error| format!("cannot read the data file: {error}"))?;
            }
            figures(&command(program, &path, &mode, depth, options.secs), program.tuned, &cpus)
        });
        results.print(
            &format!("Random 4 KiB reads: {mode}, {depth} in flight"),
            ("cpu_per_m", "CPU s per million"),
            &[("iops", "reads/s"), ("allocs", "allocations per read")],
        );
        failures += results.failures;
    }
    Ok(failures)
}

fn cases(options: &Options) -> Result<Vec<(String, u32)>, String> {
    let modes = match options.mode.as_deref() {
        None => vec!["buffered", "direct"],
        Some(mode @ ("buffered" | "direct")) => vec![mode],
        Some(other) => return Err(format!("--mode is buffered or direct, not {other}")),
    };
    let mut cases = Vec::new();
    for mode in modes {
        if options.depth.is_empty() {
            let own = CASES.iter().filter(|case| case.0 == mode);
            cases.extend(own.map(|&(mode, depth)| (mode.to_owned(), depth)));
        } else {
            cases.extend(options.depth.iter().map(|&depth| (mode.to_owned(), depth)));
        }
    }
    Ok(cases)
}

fn command(program: &Program, path: &Path, mode: &str, depth: u32, secs: f64) -> Vec<String> {
    let mut command = vec![program.path().display().to_string()];
    if !matches!(program.source, Source::C(_)) {
        command.push("file".to_owned());
    }
    command.extend([
        path.display().to_string(),
        mode.to_owned(),
        depth.to_string(),
        secs.to_string(),
    ]);
    command.extend(program.variant.map(str::to_owned));
    command
}

/// A file whose pages each begin with their number, which the readers check. Written anew each time, so that its pages lie in
/// memory in one piece: pages that came one by one cost some ways of reading more than others.
fn data_file(mib: u64) -> std::io::Result<PathBuf> {
    let path = builds::bench_root().join("target").join(format!("data-{mib}-mib.bin"));
    let bytes = mib * 1024 * 1024;
    let unfinished = path.with_extension("unfinished");
    let mut writer = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    let mut page = [0u8; PAGE];
    for number in 0..bytes / PAGE as u64 {
        page[..8].copy_from_slice(&number.to_le_bytes());
        writer.write_all(&page)?;
    }
    // On the disk, or the direct reads would wait for the write-back.
    writer.into_inner()?.sync_all()?;
    std::fs::rename(unfinished, &path)?;
    Ok(path)
}

fn warm_cache(path: &Path) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0u8; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}
