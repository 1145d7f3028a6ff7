//! The figures inside one core: one row a figure, one column a program.

use crate::builds;
use crate::echo::list;
use crate::options::Options;
use crate::process::figures;
use crate::programs::{self, Program, Role};
use crate::results::{Results, ratio_cell};

const GROUPS: [&str; 7] = ["spawn", "yield", "channel", "timer", "sleeps", "socket", "thread"];

pub(crate) fn run(options: &Options) -> Result<usize, String> {
    let programs = programs::select(programs::micro(), options)?;
    if options.list {
        return Ok(list(&programs));
    }
    let groups = groups(options)?;
    builds::build(&programs)?;

    let mut all = Results::empty(programs.clone(), options.rounds);
    for group in groups {
        let able = programs.iter().filter(|program| !program.lacks.contains(&group));
        let one = options.server_cpu.to_string();
        let both = format!("{},{}", options.server_cpu, options.client_cpu);
        let cpus = if group == "thread" { both } else { one };
        all.merge(Results::interleave(able.cloned().collect(), options.rounds, |program| {
            let command =
                [program.path().display().to_string(), "micro".to_owned(), group.to_owned()];
            figures(&command, program.tuned, &cpus)
        }));
    }
    print(&all);
    Ok(all.failures)
}

fn groups(options: &Options) -> Result<Vec<&'static str>, String> {
    if let Some(unknown) = options.groups.iter().find(|group| !GROUPS.contains(&group.as_str())) {
        return Err(format!("no group {unknown}; there are: {}", GROUPS.join(", ")));
    }
    let wanted =
        |group: &&str| options.groups.is_empty() || options.groups.iter().any(|each| each == group);
    Ok(GROUPS.into_iter().filter(wanted).collect())
}

fn print(results: &Results) {
    let programs: &[Program] = &results.programs;
    let ours = programs.iter().position(|program| program.role == Role::Ours);
    let floor = programs.iter().position(|program| program.role == Role::Floor);

    let mut head = vec!["figure".to_owned()];
    head.extend(programs.iter().map(|program| program.name.to_owned()));
    if ours.is_some() {
        head.extend([
            "kael to the best peer".to_owned(),
            "best peer".to_owned(),
            "kael to the floor".to_owned(),
        ]);
    }
    println!("\n### Inside one core: median [min..max]\n");
    println!("| {} |", head.join(" | "));
    println!("|{}", "---|".repeat(head.len()));
    for figure in results.figure_names() {
        let mut row = vec![figure.clone()];
        row.extend((0..programs.len()).map(|index| results.spread(index, &figure)));
        if let Some(ours) = ours {
            let best = results.best_peer(&figure);
            row.push(ratio_cell(best.and_then(|best| results.ratio(ours, best, &figure))));
            row.push(best.map_or("-", |best| programs[best].name).to_owned());
            row.push(ratio_cell(floor.and_then(|floor| results.ratio(ours, floor, &figure))));
        }
        println!("| {} |", row.join(" | "));
    }
}
