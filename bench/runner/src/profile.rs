//! Which functions a callgrind dump's instructions are in: each function's own, without what it calls.

use std::collections::HashMap;
use std::path::Path;

/// The functions with the most instructions of their own, most first.
pub(crate) fn top(dump: &Path, count: usize) -> Result<Vec<(String, f64)>, String> {
    let text = std::fs::read_to_string(dump)
        .map_err(|error| format!("callgrind wrote nothing: {error}"))?;
    let mut functions: Vec<(String, f64)> = own_costs(&text).into_iter().collect();
    functions.sort_by(|a, b| b.1.total_cmp(&a.1));
    functions.truncate(count);
    Ok(functions)
}

/// `fn=(ID) NAME` opens a function, the name only the first time; `cfn=` names a called one. A cost line is
/// `POSITION COST`; the one after `calls=` is the cost inside the called function.
fn own_costs(text: &str) -> HashMap<String, f64> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut costs: HashMap<&str, f64> = HashMap::new();
    let mut current = "";
    let mut in_call = false;
    for line in text.lines() {
        if let Some((kind, rest)) = line.split_once("fn=(") {
            let Some((id, name)) = rest.split_once(')') else { continue };
            if !name.is_empty() {
                names.insert(id, name.trim());
            }
            if kind.is_empty() {
                current = id;
            }
        } else if line.starts_with("calls=") {
            in_call = true;
        } else if line.starts_with(|c: char| c.is_ascii_digit() || "+-*".contains(c)) {
            let cost = line.split_once(' ').and_then(|(_, cost)| cost.parse::<f64>().ok());
            if !std::mem::take(&mut in_call) {
                *costs.entry(current).or_default() += cost.unwrap_or(0.0);
            }
        }
    }
    costs
        .into_iter()
        .map(|(id, cost)| (names.get(id).copied().unwrap_or("?").to_owned(), cost))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_a_call_is_not_the_caller_s_own() {
        let dump = "fn=(1) outer\n10 5\ncfn=(2) inner\ncalls=1 20\n+2 300\n* 7\n\nfn=(2)\n20 300\n";
        let costs = own_costs(dump);
        assert_eq!(costs["outer"], 12.0);
        assert_eq!(costs["inner"], 300.0);
    }
}
