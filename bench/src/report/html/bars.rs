//! Bars that lie, each of several parts.

use super::plot::{colour, short};
use super::{escape, put};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 80.0;
const ROW: f64 = 26.0;
const LEGEND: f64 = 18.0;

/// One bar.
#[derive(Debug, Clone)]
pub(super) struct Bar {
    name: String,
    pub(super) parts: Vec<(String, f64)>,
}

/// Bars of one unit.
#[derive(Debug, Clone)]
pub(super) struct Bars {
    pub(super) title: String,
    pub(super) unit: &'static str,
    pub(super) bars: Vec<Bar>,
}

impl Bar {
    pub(super) fn new(name: &str, parts: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self { name: name.to_owned(), parts: parts.into_iter().collect() }
    }

    fn total(&self) -> f64 {
        self.parts.iter().map(|(_, value)| value).sum()
    }
}

impl Bars {
    /// Title and drawing.
    pub(super) fn render(&self) -> String {
        let names = self.names();
        let legend = ROW * self.bars.len() as f64 + 10.0;
        let height = legend + LEGEND * names.len() as f64;
        let mut out = String::new();
        put(&mut out, format_args!("<h2>{} ({})</h2>\n", escape(&self.title), escape(self.unit)));
        put(
            &mut out,
            format_args!(
                "<svg viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\">\n"
            ),
        );
        put(&mut out, format_args!("<title>{}</title>\n", escape(&self.title)));
        let most = self.bars.iter().map(Bar::total).fold(0.0, f64::max);
        for (row, bar) in self.bars.iter().enumerate() {
            draw(&mut out, bar, ROW * row as f64, most, &names);
        }
        for (index, name) in names.iter().enumerate() {
            let top = legend + LEGEND * index as f64;
            let (beside, below) = (LEFT + 20.0, top + 11.0);
            put(
                &mut out,
                format_args!("<rect x=\"{LEFT}\" y=\"{top}\" width=\"12\" height=\"12\" fill=\"{}\"/>", colour(index)),
            );
            put(&mut out, format_args!("<text x=\"{beside}\" y=\"{below}\">{}</text>\n", escape(name)));
        }
        out.push_str("</svg>\n");
        out
    }

    /// Each part's name once, in the order in which they come up.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.bars.iter().flat_map(|bar| &bar.parts) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }
}

fn draw(out: &mut String, bar: &Bar, top: f64, most: f64, names: &[&str]) {
    let (beside, below) = (LEFT - 8.0, top + 15.0);
    put(out, format_args!("<text x=\"{beside}\" y=\"{below}\" text-anchor=\"end\">{}</text>\n", escape(&bar.name)));
    let mut from = LEFT;
    for (name, value) in &bar.parts {
        let width = if most > 0.0 { value / most * (WIDTH - LEFT - RIGHT) } else { 0.0 };
        let colour = colour(names.iter().position(|known| known == name).unwrap_or(0));
        put(
            out,
            format_args!(
                "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"18\" fill=\"{colour}\">\
             <title>{}: {}</title></rect>",
                top + 2.0,
                escape(name),
                short(*value)
            ),
        );
        from += width;
    }
    put(out, format_args!("<text x=\"{:.1}\" y=\"{below}\">{}</text>\n", from + 6.0, short(bar.total())));
}
