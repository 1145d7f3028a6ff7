//! As commands of a GitHub workflow: each finding becomes an annotation at its line. See "Workflow commands for GitHub Actions".

use super::reason;
use crate::review::Reviewed;
use crate::review::project::Settings;
use crate::review::table::Level;

pub(super) fn write(reviewed: &Reviewed, settings: &Settings) -> String {
    let mut out = String::new();
    for finding in &reviewed.findings {
        let command = match settings.level(finding.rule) {
            Level::Deny => "error",
            _ => "warning",
        };
        let ((line, column), (end_line, _)) = (finding.position(), finding.end());
        let file = property(&finding.file.path);
        let text = format!("{}\n{}\n{}", finding.message, reason(finding.rule), finding.remedy);
        out += &format!(
            "::{command} file={file},line={line},col={column},endLine={end_line},title=kael: {}::{}\n",
            finding.rule,
            data(&text)
        );
    }
    for (file, reason) in &reviewed.unread {
        out += &format!("::error file={},title=kael::{}\n", property(file), data(reason));
    }
    out
}

/// Line ends would end the command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(super::property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }
}
