//! Lines over two axes, each linear or logarithmic.

use super::{escape, put};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 46.0;
/// Room for one line of the legend.
const LEGEND: f64 = 18.0;

/// Told apart also by those who see no red or green (Okabe and Ito).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#b8a800"];

/// The colour with this number.
pub(super) fn colour(index: usize) -> &'static str {
    COLOURS[index % COLOURS.len()]
}

/// How values lie on an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
    /// Logarithmic in 1 / (1 - quantile), told as percentiles.
    Percentile,
}

/// One axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    label: String,
    scale: Scale,
}

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) label: String,
    pub(crate) colour: usize,
    pub(crate) dashed: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines over two axes.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// An axis with the values that it spans.
struct Span {
    scale: Scale,
    from: f64,
    to: f64,
}

impl Axis {
    pub(crate) fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), scale: Scale::Linear }
    }

    pub(crate) fn log(label: &str) -> Self {
        Self { label: label.to_owned(), scale: Scale::Log }
    }

    pub(crate) fn percentile() -> Self {
        Self { label: "percentile".to_owned(), scale: Scale::Percentile }
    }

    fn span(&self, values: impl Iterator<Item = f64>) -> Span {
        let values: Vec<f64> = values.filter(|value| self.takes(*value)).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (from, to) = match self.scale {
            _ if values.is_empty() => (1.0, 10.0),
            Scale::Linear => (0.0, if most > 0.0 { most * 1.05 } else { 1.0 }),
            Scale::Percentile => (1.0, most.max(10.0)),
            Scale::Log => (10f64.powf(least.log10().floor()), 10f64.powf((most * 1.0001).log10().ceil())),
        };
        Span { scale: self.scale, from, to }
    }

    /// A logarithm has no zero.
    fn takes(&self, value: f64) -> bool {
        value.is_finite() && (self.scale == Scale::Linear || value > 0.0)
    }
}

impl Span {
    /// Between 0 and 1.
    fn place(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log | Scale::Percentile => (value / self.from).log10() / (self.to / self.from).log10(),
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => linear_ticks(self.to),
            Scale::Log | Scale::Percentile => self.decades(),
        }
    }

    fn decades(&self) -> Vec<(f64, String)> {
        let exponents = (-9..=12).map(|exponent| 10f64.powi(exponent));
        let within = exponents.filter(|value| (self.from * 0.999..=self.to * 1.001).contains(value));
        within.map(|value| (value, self.name(value))).collect()
    }

    fn name(&self, value: f64) -> String {
        if self.scale != Scale::Percentile {
            return short(value);
        }
        let percent = format!("{:.7}", 100.0 * (1.0 - 1.0 / value));
        format!("{}%", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Some five round numbers.
fn linear_ticks(to: f64) -> Vec<(f64, String)> {
    let rough = to / 5.0;
    let decade = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(rough);
    (0..=(to / step) as u32).map(|index| f64::from(index) * step).map(|value| (value, short(value))).collect()
}

/// At most four digits and a letter.
pub(super) fn short(value: f64) -> String {
    let (value, letter) = match value.abs() {
        size if size >= 1e9 => (value / 1e9, "G"),
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match value.abs() {
        0.0 => 0,
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{letter}")
}

impl Plot {
    /// Title and drawing.
    pub(crate) fn render(&self) -> String {
        let of = |pick: fn(&(f64, f64)) -> f64| self.series.iter().flat_map(|line| &line.points).map(pick);
        let (x, y) = (self.x.span(of(|point| point.0)), self.y.span(of(|point| point.1)));
        let height = HEIGHT + LEGEND * self.series.len() as f64;
        let mut out = String::new();
        put(&mut out, format_args!("<h2>{}</h2>\n", escape(&self.title)));
        put(
            &mut out,
            format_args!(
                "<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n"
            ),
        );
        put(&mut out, format_args!("<title>{}</title>\n", escape(&self.title)));
        self.grid(&mut out, &x, &y);
        for (index, line) in self.series.iter().enumerate() {
            self.line(&mut out, line, &x, &y);
            legend(&mut out, line, HEIGHT + LEGEND * index as f64);
        }
        out.push_str("</svg>\n");
        out
    }

    fn grid(&self, out: &mut String, x: &Span, y: &Span) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for (value, name) in x.ticks() {
            let at = across(x.place(value));
            put(
                out,
                format_args!("<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>"),
            );
            let under = bottom + 16.0;
            put(
                out,
                format_args!("<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{}</text>\n", escape(&name)),
            );
        }
        for (value, name) in y.ticks() {
            let at = down(y.place(value));
            put(
                out,
                format_args!("<line x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>"),
            );
            let (beside, below) = (LEFT - 6.0, at + 4.0);
            put(
                out,
                format_args!("<text x=\"{beside}\" y=\"{below:.1}\" text-anchor=\"end\">{}</text>\n", escape(&name)),
            );
        }
        let (middle, under) = ((LEFT + right) / 2.0, bottom + 34.0);
        put(
            out,
            format_args!(
                "<text x=\"{middle}\" y=\"{under}\" text-anchor=\"middle\">{}</text>\n",
                escape(&self.x.label)
            ),
        );
        let half = (TOP + bottom) / 2.0;
        put(
            out,
            format_args!(
                "<text transform=\"translate(14 {half}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
                escape(&self.y.label)
            ),
        );
    }

    fn line(&self, out: &mut String, line: &Series, x: &Span, y: &Span) {
        let drawn = line.points.iter().filter(|point| self.x.takes(point.0) && self.y.takes(point.1));
        let points: Vec<String> =
            drawn.map(|(a, b)| format!("{:.1},{:.1}", across(x.place(*a)), down(y.place(*b)))).collect();
        let colour = colour(line.colour);
        put(
            out,
            format_args!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{} points=\"{}\"/>\n",
                dashes(line),
                points.join(" ")
            ),
        );
        // Few points, as of a curve over sizes, are shown as such.
        for point in points.iter().filter(|_| points.len() <= 20) {
            if let Some((at, height)) = point.split_once(',') {
                put(out, format_args!("<circle cx=\"{at}\" cy=\"{height}\" r=\"3\" fill=\"{colour}\"/>\n"));
            }
        }
    }
}

fn legend(out: &mut String, line: &Series, top: f64) {
    let (middle, from, to, beside, below) = (top + 6.0, LEFT, LEFT + 28.0, LEFT + 36.0, top + 10.0);
    put(
        out,
        format_args!(
            "<line x1=\"{from}\" y1=\"{middle}\" x2=\"{to}\" y2=\"{middle}\" stroke=\"{}\" \
         stroke-width=\"2\"{}/>",
            colour(line.colour),
            dashes(line)
        ),
    );
    put(out, format_args!("<text x=\"{beside}\" y=\"{below}\">{}</text>\n", escape(&line.label)));
}

fn dashes(line: &Series) -> &'static str {
    if line.dashed { " stroke-dasharray=\"5 4\"" } else { "" }
}

fn across(share: f64) -> f64 {
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn down(share: f64) -> f64 {
    HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
}
