//! [`Head`]: the head of an answer, as it is put together.

use std::fmt::{Display, Write};

pub(super) struct Head {
    text: String,
}

impl Head {
    pub(super) fn new(status: u16, date: &str, keep_alive: bool, is_1_1: bool) -> Head {
        let mut text = String::with_capacity(512);
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "HTTP/1.1 {status} {}\r\nServer: kael\r\nDate: {date}\r\n",
            reason(status)
        );
        match (keep_alive, is_1_1) {
            (false, _) => text.push_str("Connection: close\r\n"),
            (true, false) => text.push_str("Connection: keep-alive\r\n"),
            (true, true) => {}
        }
        Head { text }
    }

    pub(super) fn field(mut self, name: &str, value: impl Display) -> Head {
        let _ = write!(self.text, "{name}: {value}\r\n");
        self
    }

    /// Lines that were put together before, each with its end.
    pub(super) fn lines(mut self, lines: &str) -> Head {
        self.text.push_str(lines);
        self
    }

    pub(super) fn end(mut self) -> String {
        self.text.push_str("\r\n");
        self.text
    }
}

pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}
