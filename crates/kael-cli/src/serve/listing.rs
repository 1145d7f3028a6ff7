//! A page that lists a folder.

use super::path::encode;
use rustix::fs::{Dir, FileType};
use std::io;
use std::os::fd::OwnedFd;

/// Entries on a page; what is beyond is said to be there and not shown.
const MOST: usize = 10_000;

/// The page for a folder that is called `name`, with a slash at its end. It reads the folder, and so may block.
pub(super) fn page(folder: &OwnedFd, name: &str) -> io::Result<String> {
    let mut names = Vec::new();
    let mut more = false;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        // A name that is not UTF-8 is not served, and so not shown; nor is what hides itself.
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name.starts_with('.') {
            continue;
        }
        if names.len() == MOST {
            more = true;
            break;
        }
        let slash = if entry.file_type() == FileType::Directory { "/" } else { "" };
        names.push(format!("{name}{slash}"));
    }
    names.sort_unstable();
    let title = escape(name);
    let mut page = format!(
        "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body><h1>{title}</h1>\n<ul>\n"
    );
    if name != "/" {
        page.push_str("<li><a href=\"../\">../</a></li>\n");
    }
    for name in &names {
        // With a dot before it, a name with a colon is no scheme.
        page.push_str("<li><a href=\"./");
        encode(name, &mut page);
        page.push_str(&format!("\">{}</a></li>\n", escape(name)));
    }
    page.push_str("</ul>\n");
    if more {
        page.push_str(&format!("<p>Only {MOST} entries are shown.</p>\n"));
    }
    page.push_str("</body></html>\n");
    Ok(page)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
