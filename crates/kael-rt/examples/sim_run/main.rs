//! The program of `cargo xtask sim`: random programs on simulated kernels, each made of its seed.
//!
//! `sim_run [--first S] [--count N] [--trace]`. It prints `seed S hash H` for each seed when traced,
//! closes with `N seeds, 0 violations, trace hash H`, and exits with 1 after naming the first seed
//! that violated a law. Built for a real kernel it only says what it needs.

#[cfg(kael_backend = "sim")]
mod canary;
#[cfg(kael_backend = "sim")]
mod program;

#[cfg(kael_backend = "sim")]
#[global_allocator]
static ALLOCATOR: canary::Canary = canary::Canary;

#[cfg(not(kael_backend = "sim"))]
fn main() {
    println!(
        r#"sim_run needs the simulated kernel: build it with RUSTFLAGS='--cfg kael_backend="sim"'"#
    );
}

#[cfg(kael_backend = "sim")]
fn main() {
    let (mut first, mut count, mut trace) = (0, 200, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number =
            || words.next().and_then(|n| n.parse::<u64>().ok()).expect("a number follows");
        match word.as_str() {
            "--first" => first = number(),
            "--count" => count = number(),
            "--trace" => trace = true,
            other => panic!("{other} is not an argument of sim_run"),
        }
    }
    kael_rt::sim_control::set_memory_check(canary::is_freed);
    // A panic is reported with its seed below; but one in a Drop ends the process.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let mut all = 0u64;
    for seed in first..first + count {
        match program::run(seed, canary::late_writes) {
            Ok(hash) => {
                all = all.rotate_left(1) ^ hash;
                if trace {
                    println!("seed {seed} hash {hash:016x}");
                }
            }
            Err(violations) => {
                println!("seed {seed} violates {}", violations.join("; "));
                std::process::exit(1);
            }
        }
    }
    println!("{count} seeds, 0 violations, trace hash {all:016x}");
}
