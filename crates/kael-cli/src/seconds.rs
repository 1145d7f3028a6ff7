//! Times on the command line: seconds, with a decimal point if need be.

use std::time::Duration;

/// From a millisecond to a day.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it is not a number of seconds".to_owned())?;
    if !(0.001..=86_400.0).contains(&seconds) {
        return Err("it is not in 0.001..=86400 seconds".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_a_number_in_bounds() {
        assert_eq!(parse("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse("86400"), Ok(Duration::from_secs(86_400)));
        for text in ["", "soon", "0", "-1", "1e9", "NaN", "inf"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
