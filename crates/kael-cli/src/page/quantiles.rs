//! [`Distribution`]: latencies drawn by their quantiles. To the right each step is a tenth of what is left (half, 90 %, 99 %,
//! 99.9 %), upwards each line is ten times the time below: so rare and long waits, which are what is looked for, have the room.

use super::Drawing;
use crate::latency::Time;
use maud::{Markup, html};

pub(crate) struct Distribution {
    pub(crate) title: String,
    pub(crate) series: Vec<Series>,
}

/// One line of the drawing.
pub(crate) struct Series {
    pub(crate) name: String,
    /// Whether it is of an earlier run: those look alike in all drawings.
    pub(crate) is_earlier: bool,
    /// In per cent, and the nanoseconds that so many stay within; both grow.
    pub(crate) quantiles: Vec<(f64, u64)>,
}

const WIDTH: u32 = 320;
const HEIGHT: u32 = 180;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 306.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 156.0;

/// The classes of lines, which differ in their dashes as well as in colour.
const LINES: [&str; 3] = ["line a", "line b", "line c"];
const EARLIER: &str = "line d";
/// What the description tells, in per cent.
const TOLD: [f64; 3] = [50.0, 99.0, 100.0];
/// What is named below the drawing.
const NAMED: [(f64, &str); 5] =
    [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9"), (100.0, "max")];
/// Where the longest stands, in tenths of tenths: a step behind 99.9 %.
const MAX: f64 = 4.0;

/// Powers of ten, in nanoseconds, between which all times of a drawing lie.
struct Decades {
    lowest: i32,
    highest: i32,
}

impl Distribution {
    pub(crate) fn draw(&self) -> Drawing {
        let decades = Decades::of(self.times());
        let named = |(index, series): (usize, &Series)| (line(index, series), series.name.clone());
        Drawing {
            title: self.title.clone(),
            description: self.description(),
            legend: self.series.iter().enumerate().map(named).collect(),
            width: WIDTH,
            height: HEIGHT,
            content: html! {
                (decades.grid())
                (quantile_names())
                @for (index, series) in self.series.iter().enumerate() {
                    polyline class=(line(index, series)) points=(points(series, &decades)) {}
                }
            },
        }
    }

    fn times(&self) -> impl Iterator<Item = u64> {
        self.series.iter().flat_map(|series| series.quantiles.iter().map(|(_, ns)| *ns))
    }

    fn description(&self) -> String {
        let lines = self.series.iter().map(|series| {
            let at = |(percent, ns): &(f64, u64)| match percent {
                100.0 => format!("max {}", Time(*ns)),
                _ => format!("p{percent} {}", Time(*ns)),
            };
            let is_told = |(percent, _): &&(f64, u64)| TOLD.contains(percent);
            let told = series.quantiles.iter().filter(is_told).map(at);
            format!("{}: {}", series.name, told.collect::<Vec<_>>().join(", "))
        });
        lines.collect::<Vec<_>>().join(". ")
    }
}

fn line(index: usize, series: &Series) -> &'static str {
    if series.is_earlier { EARLIER } else { LINES[index % LINES.len()] }
}

fn points(series: &Series, decades: &Decades) -> String {
    let point =
        |(percent, ns): &(f64, u64)| format!("{:.1},{:.1}", across(*percent), decades.up(*ns));
    series.quantiles.iter().map(point).collect::<Vec<_>>().join(" ")
}

fn across(percent: f64) -> f64 {
    let rest = (1.0 - percent / 100.0).clamp(0.0, 1.0);
    let steps = if rest > 0.0 { (-rest.log10()).min(MAX) } else { MAX };
    LEFT + (RIGHT - LEFT) * steps / MAX
}

/// One line of the grid, as a path.
fn grid_line(from: (f64, f64), to: (f64, f64)) -> String {
    format!("M{:.1} {:.1}L{:.1} {:.1}", from.0, from.1, to.0, to.1)
}

fn quantile_names() -> Markup {
    let named = NAMED.map(|(percent, name)| (across(percent), name));
    let lines: String = named.iter().map(|(x, _)| grid_line((*x, TOP), (*x, BOTTOM))).collect();
    html! {
        path.grid d=(lines) {}
        @for (x, name) in named { text.below x=(format!("{x:.0}")) y=(BOTTOM + 15.0) { (name) } }
    }
}

impl Decades {
    fn of(times: impl Iterator<Item = u64>) -> Decades {
        let (mut least, mut most) = (u64::MAX, 1);
        for ns in times {
            (least, most) = (least.min(ns.max(1)), most.max(ns));
        }
        let lowest = least.min(most).ilog10() as i32;
        let highest = (most as f64).log10().ceil() as i32;
        Decades { lowest, highest: highest.max(lowest + 1) }
    }

    fn up(&self, ns: u64) -> f64 {
        let steps = (ns.max(1) as f64).log10() - f64::from(self.lowest);
        BOTTOM - (BOTTOM - TOP) * steps / f64::from(self.highest - self.lowest)
    }

    fn grid(&self) -> Markup {
        let times = || {
            (self.lowest..=self.highest).map(|decade| 10_u64.saturating_pow(decade.unsigned_abs()))
        };
        let line = |ns| grid_line((LEFT, self.up(ns)), (RIGHT, self.up(ns)));
        html! {
            path.grid d=(times().map(line).collect::<String>()) {}
            @for ns in times() {
                text.beside x=(LEFT - 5.0) y=(format!("{:.0}", self.up(ns) + 4.0)) { (Time(ns).rounded()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_nine_is_a_step_to_the_right() {
        let steps = [0.0, 90.0, 99.0, 99.9, 100.0].map(|percent| across(percent).round());
        assert_eq!(steps, [54.0, 117.0, 180.0, 243.0, 306.0]);
        assert_eq!(across(99.9999), across(100.0), "nothing is drawn beyond the longest");
    }

    #[test]
    fn times_lie_between_their_decades() {
        let decades = Decades::of([1_500, 40_000].into_iter());
        assert_eq!((decades.lowest, decades.highest), (3, 5));
        assert_eq!(decades.up(1_000), BOTTOM);
        assert_eq!(decades.up(100_000), TOP);
        // The same time twice, no time at all, and the extremes are drawn as well.
        for times in [vec![100, 100], vec![], vec![0], vec![u64::MAX], vec![0, u64::MAX]] {
            let decades = Decades::of(times.iter().copied());
            assert!(decades.lowest < decades.highest, "{times:?}");
            for ns in times {
                assert!((TOP..=BOTTOM).contains(&decades.up(ns)), "{ns}");
            }
        }
    }

    #[test]
    fn what_is_drawn_is_said_in_words_too() {
        let quantiles = vec![(0.0, 900), (50.0, 1_000), (99.0, 12_000), (100.0, 2_000_000)];
        let series = Series { name: "1 in flight".to_owned(), is_earlier: false, quantiles };
        let distribution = Distribution { title: "accept".to_owned(), series: vec![series] };
        let said = "1 in flight: p50 1.00 µs, p99 12.0 µs, max 2.00 ms";
        let drawing = distribution.draw();
        assert_eq!(drawing.description, said);
        let content = drawing.content.into_string();
        assert_eq!(content.matches(">max</text>").count(), 1);
        assert_eq!(content.matches("<polyline").count(), 1);
    }
}
