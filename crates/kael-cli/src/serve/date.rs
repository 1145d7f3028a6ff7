//! Dates, as headers and logs write them. No time that a file system gives makes them fail.

use httpdate::HttpDate;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that a date of HTTP can name: that of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The whole seconds of a time, in the range that dates can name.
pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().min(LAST_SECOND))
}

pub(super) fn format(seconds: u64) -> String {
    HttpDate::from(UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND))).to_string()
}

/// The seconds that a header names; `None`: it is no date, and as if it were not there.
pub(super) fn parse(header: &str) -> Option<u64> {
    httpdate::parse_http_date(header).ok().map(seconds)
}

/// `10/Oct/2000:13:55:36 +0000`, from `Tue, 10 Oct 2000 13:55:36 GMT`.
pub(super) fn for_log(seconds: u64) -> String {
    let date = format(seconds);
    let part = |range| date.get(range).unwrap_or("");
    format!("{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_all_kinds() {
        let moment = Some(784_111_777);
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), moment);
        assert_eq!(parse("Sunday, 06-Nov-94 08:49:37 GMT"), moment);
        assert_eq!(parse("Sun Nov  6 08:49:37 1994"), moment);
        assert_eq!(format(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(for_log(784_111_777), "06/Nov/1994:08:49:37 +0000");
        for header in ["", "yesterday", "Sun, 32 Nov 1994 08:49:37 GMT", "\u{e9}\u{e9}\u{e9}"] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn times_that_no_date_can_name() {
        assert_eq!(seconds(UNIX_EPOCH - Duration::from_secs(5)), 0);
        assert_eq!(format(seconds(UNIX_EPOCH)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(format(u64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
