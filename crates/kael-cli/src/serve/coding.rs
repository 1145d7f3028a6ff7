//! The `Accept-Encoding` header: which of the compressed files that lie beside a file the client takes, best first.

/// A way of compressing, as a header and as the end of a file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
        }
    }

    pub(super) fn suffix(self) -> &'static str {
        match self {
            Coding::Brotli => ".br",
            Coding::Gzip => ".gz",
        }
    }
}

/// The codings that the client prefers to the file as it is: of the same weight, the smaller result comes first.
pub(super) fn acceptable(header: &str) -> impl Iterator<Item = Coding> {
    let (mut brotli, mut gzip, mut any, mut identity) = (None, None, None, None);
    for item in header.split(',') {
        let mut words = item.split(';').map(str::trim);
        let name = words.next().unwrap_or("");
        let weight = words.find_map(weight).unwrap_or(1000);
        let slot = match name.to_ascii_lowercase().as_str() {
            "br" => &mut brotli,
            "gzip" | "x-gzip" => &mut gzip,
            "*" => &mut any,
            "identity" => &mut identity,
            _ => continue,
        };
        *slot = Some(weight);
    }
    let [brotli, gzip] = [brotli, gzip].map(|weight| weight.or(any).unwrap_or(0));
    let order = if gzip > brotli {
        [(Coding::Gzip, gzip), (Coding::Brotli, brotli)]
    } else {
        [(Coding::Brotli, brotli), (Coding::Gzip, gzip)]
    };
    let least = identity.unwrap_or(0).max(1);
    order.into_iter().filter(move |(_, weight)| *weight >= least).map(|(coding, _)| coding)
}

/// The thousandths in `q=0.5`. What is not understood weighs nothing: the file as it is can always be sent.
fn weight(word: &str) -> Option<u16> {
    let (name, value) = word.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let thousandths = format!("{fraction:0<3}").parse().unwrap_or(0);
    Some(match whole {
        "0" if digits => thousandths,
        "1" if digits && thousandths == 0 => 1000,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Coding::{Brotli, Gzip};

    fn order(header: &str) -> Vec<Coding> {
        acceptable(header).collect()
    }

    #[test]
    fn weights_decide_and_then_size() {
        assert_eq!(order("gzip, deflate, br"), [Brotli, Gzip]);
        assert_eq!(order("gzip;q=1.0, br;q=0.5"), [Gzip, Brotli]);
        assert_eq!(order("GZIP"), [Gzip]);
        assert_eq!(order("x-gzip;q=0.001"), [Gzip]);
        assert_eq!(order("*"), [Brotli, Gzip]);
        assert_eq!(order("*;q=0.5, br;q=0"), [Gzip]);
        assert_eq!(order("gzip ; Q=0.3 , identity;q=0"), [Gzip]);
    }

    #[test]
    fn the_file_as_it_is() {
        for header in [
            "",
            "identity",
            "deflate",
            "gzip;q=0",
            "gzip;q=0.000",
            "*;q=0",
            "gzip;q=0.5, identity",
            "gzip;q=2",
            "gzip;q=x",
            "gzip;q=0.1234",
            "gzip;q=-1",
        ] {
            assert_eq!(order(header), [], "{header}");
        }
    }
}
