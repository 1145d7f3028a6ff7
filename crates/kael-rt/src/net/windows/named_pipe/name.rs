//! Whether a name can be that of a pipe: what Windows would say of it is "not found", or "invalid".
#![forbid(unsafe_code)]

/// In whatever case.
const LOCAL: &str = r"\\.\pipe\";

/// In characters, as Windows counts them, with the beginning: see CreateNamedPipe.
const LONGEST: usize = 256;

/// A pipe of this computer.
pub(super) fn check_own(name: &str) -> Result<(), String> {
    match without(name, LOCAL) {
        None => Err(format!("`{name}` is no name of a pipe: it begins with {LOCAL}")),
        Some(rest) => check_rest(name, rest),
    }
}

/// A pipe of any computer: `\\SERVER\pipe\NAME`.
pub(super) fn check_any(name: &str) -> Result<(), String> {
    let rest = name.strip_prefix(r"\\").and_then(|rest| {
        let (server, rest) = rest.split_once('\\')?;
        let rest = without(rest, r"pipe\")?;
        (!server.is_empty()).then_some(rest)
    });
    match rest {
        None => Err(format!(
            r"`{name}` is no name of a pipe: it begins with {LOCAL}, or \\SERVER\pipe\ for one of another computer"
        )),
        Some(rest) => check_rest(name, rest),
    }
}

fn check_rest(name: &str, rest: &str) -> Result<(), String> {
    if rest.is_empty() {
        return Err(format!("`{name}` has nothing behind {LOCAL}"));
    }
    if rest.contains('\0') {
        return Err("the name of a pipe has no NUL in it".to_owned());
    }
    let len = name.encode_utf16().count();
    if len > LONGEST {
        return Err(format!(
            "the name of a pipe has {LONGEST} characters at most, and this one {len}"
        ));
    }
    Ok(())
}

fn without<'a>(name: &'a str, beginning: &str) -> Option<&'a str> {
    let head = name.get(..beginning.len())?;
    head.eq_ignore_ascii_case(beginning).then(|| &name[beginning.len()..])
}
