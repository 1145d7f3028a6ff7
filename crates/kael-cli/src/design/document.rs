//! How the documents of the systems are named: the title of a link follows from its address, so that a wrong one shows.

/// Says whether the address is one of a form that is known, and whether the title is that of its document.
pub(crate) fn check(title: &str, url: &str) -> Result<(), String> {
    let Some(address) = url.strip_prefix("https://") else {
        return Err(format!("`{url}` is no https address"));
    };
    let (host, path) = address.split_once('/').unwrap_or((address, ""));
    let expected = match host {
        "man7.org" => unix_page(path.strip_prefix("linux/man-pages/").unwrap_or("")),
        "developer.apple.com" => unix_page(
            path.strip_prefix("library/archive/documentation/System/Conceptual/ManPages_iPhoneOS/")
                .unwrap_or(""),
        ),
        "man.freebsd.org" => freebsd_page(path),
        "learn.microsoft.com" => return microsoft_page(title, path),
        // Other hosts have no rule by which they name their pages.
        _ => return Ok(()),
    };
    match expected {
        Some(expected) if expected == title => Ok(()),
        Some(expected) => Err(format!("{url} is `{expected}` and not `{title}`")),
        None => Err(format!("{url} is no manual page of {host}")),
    }
}

/// `man2/kqueue.2.html` is `kqueue(2)`, and the section of the folder is that of the page.
fn unix_page(path: &str) -> Option<String> {
    let (folder, file) = path.split_once('/')?;
    let (name, section) = file.strip_suffix(".html")?.rsplit_once('.')?;
    (folder.strip_prefix("man")? == section).then(|| format!("{name}({section})"))
}

/// `cgi/man.cgi?query=kqueue&sektion=2` is `kqueue(2)`.
fn freebsd_page(path: &str) -> Option<String> {
    let query = path.strip_prefix("cgi/man.cgi?query=")?;
    let (name, section) = query.split_once("&sektion=")?;
    Some(format!("{name}({section})"))
}

/// The last part of the path is `nf-HEADER-NAME` for a function, and else the title's words in small letters.
fn microsoft_page(title: &str, path: &str) -> Result<(), String> {
    let last = path.rsplit('/').next().unwrap_or("");
    let is_named = match last.strip_prefix("nf-").and_then(|rest| rest.split_once('-')) {
        Some((_, function)) => title.to_ascii_lowercase() == function,
        None => dashed(title) == last,
    };
    if is_named { Ok(()) } else { Err(format!("`{last}` is not the page of `{title}`")) }
}

fn dashed(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAN7: &str = "https://man7.org/linux/man-pages/";
    const LEARN: &str = "https://learn.microsoft.com/en-us/windows/win32/";

    #[test]
    fn each_form_has_its_names() {
        for (title, url) in [
            ("io_uring_enter(2)", format!("{MAN7}man2/io_uring_enter.2.html")),
            ("ReadFile", format!("{LEARN}api/fileapi/nf-fileapi-readfile")),
            ("I/O Completion Ports", format!("{LEARN}fileio/i-o-completion-ports")),
            ("kqueue(2)", "https://man.freebsd.org/cgi/man.cgi?query=kqueue&sektion=2".to_owned()),
            ("anything", "https://docs.example.com/anything".to_owned()),
        ] {
            assert_eq!(check(title, &url), Ok(()));
        }
    }

    #[test]
    fn a_wrong_name_is_told_with_the_right_one() {
        let refused = |title, url: String| check(title, &url).expect_err("it is wrong");
        assert!(
            refused("recv(2)", format!("{MAN7}man2/send.2.html")).contains("is `send(2)` and not")
        );
        for path in ["man2/send.3.html", "send.2.html", "man2/send.html", ""] {
            assert!(refused("send(2)", format!("{MAN7}{path}")).contains("no manual page"));
        }
        assert!(
            refused("WriteFile", format!("{LEARN}api/fileapi/nf-fileapi-readfile"))
                .contains("not the page of `WriteFile`")
        );
        assert!(refused("File Buffering", format!("{LEARN}fileio/file-caching")).contains("not"));
        assert!(
            refused("kqueue(2)", "https://man.freebsd.org/cgi/man.cgi?kqueue".to_owned())
                .contains("no manual page")
        );
        assert!(refused("send(2)", "http://man7.org/".to_owned()).contains("no https"));
    }
}
