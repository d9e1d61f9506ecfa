//! A walker over a TOML document that knows where it is, and keeps every violation that it is told of.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::{Violation, Violations};

/// A value with its place in the file.
pub(super) type Value<'d> = Spanned<DeValue<'d>>;

/// Everything found wrong so far.
pub(super) struct Report {
    /// Where each newline is, ascending.
    newlines: Vec<usize>,
    violations: Vec<Violation>,
}

impl Report {
    pub(super) fn new(text: &str) -> Report {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(offset, _)| offset);
        Report { newlines: newlines.collect(), violations: Vec::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }

    pub(super) fn into_violations(self) -> Violations {
        Violations::new(self.violations)
    }

    /// Adds a violation. `place` is in bytes of the text.
    pub(super) fn add(
        &mut self,
        field: impl Into<String>,
        place: Option<Range<usize>>,
        value: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let line = place.map(|place| self.line_of(place.start));
        self.violations.push(Violation { field: field.into(), line, value: value.into(), fix: fix.into() });
    }

    /// Adds an error of the TOML parser. Its own text would quote the line, which may hold a secret.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        self.add("TOML", error.span(), "(syntax error)", error.message().replace('\n', "; "));
    }

    fn line_of(&self, offset: usize) -> usize {
        1 + self.newlines.partition_point(|newline| *newline < offset)
    }
}

/// A table of the document, its unknown keys already reported.
pub(super) struct Section<'d> {
    table: &'d DeTable<'d>,
    /// Empty for the document itself.
    path: String,
    place: Option<Range<usize>>,
    /// Known keys that unknown ones were most likely meant to be.
    mistyped: Vec<&'static str>,
}

/// A value of a section, with its full path.
pub(super) struct Field<'d> {
    pub(super) path: String,
    pub(super) value: &'d Value<'d>,
}

impl<'d> Section<'d> {
    pub(super) fn root(table: &'d DeTable<'d>, known: &[&'static str], report: &mut Report) -> Section<'d> {
        Section::open(table, String::new(), None, known, report)
    }

    /// The section that a field is, or a violation if it is something else.
    pub(super) fn of(field: &Field<'d>, known: &[&'static str], report: &mut Report) -> Option<Section<'d>> {
        match field.value.get_ref() {
            DeValue::Table(table) => Some(Section::open(table, field.path.clone(), field.place(), known, report)),
            _ => {
                field.refuse(report, format!("write a section with {}", listed(known)));
                None
            }
        }
    }

    fn open(
        table: &'d DeTable<'d>,
        path: String,
        place: Option<Range<usize>>,
        known: &[&'static str],
        report: &mut Report,
    ) -> Section<'d> {
        let mut section = Section { table, path, place, mistyped: Vec::new() };
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let near = nearest(key.get_ref(), known);
            let fix = match near {
                Some(near) => format!("no such key; did you mean `{near}`?"),
                None => format!("no such key; known here are {}", listed(known)),
            };
            // The value is left out: a mistyped `password` would show it.
            report.add(section.path_of(key.get_ref()), Some(key.span()), "(unknown key)", fix);
            section.mistyped.extend(near);
        }
        section
    }

    /// Whether the key is there, or one that was most likely meant to be it.
    pub(super) fn means_to_give(&self, key: &str) -> bool {
        self.table.contains_key(key) || self.mistyped.contains(&key)
    }

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn get(&self, key: &str) -> Option<Field<'d>> {
        self.table.get(key).map(|value| Field { path: self.path_of(key), value })
    }

    /// The field, or a violation that says what to add. A mistyped key has its violation already.
    pub(super) fn require(&self, key: &str, fix: &str, report: &mut Report) -> Option<Field<'d>> {
        let field = self.get(key);
        if !self.means_to_give(key) {
            report.add(self.path_of(key), self.place.clone(), "(missing)", fix);
        }
        field
    }
}

impl<'d> Field<'d> {
    pub(super) fn place(&self) -> Option<Range<usize>> {
        Some(self.value.span())
    }

    /// Refuses the value and shows it.
    pub(super) fn refuse(&self, report: &mut Report, fix: impl Into<String>) {
        report.add(&self.path, self.place(), shown(self.value.get_ref()), fix);
    }

    /// Refuses the value without showing it.
    pub(super) fn refuse_hidden(&self, report: &mut Report, fix: impl Into<String>) {
        report.add(&self.path, self.place(), "(hidden)", fix);
    }

    /// The elements of an array, or a violation.
    pub(super) fn elements(&self, fix: &str, report: &mut Report) -> Option<Vec<Field<'d>>> {
        let DeValue::Array(array) = self.value.get_ref() else {
            self.refuse(report, fix);
            return None;
        };
        let element = |(index, value)| Field { path: format!("{}[{index}]", self.path), value };
        Some(array.iter().enumerate().map(element).collect())
    }
}

/// A value as a message shows it: short, on one line.
fn shown(value: &DeValue<'_>) -> String {
    const CHARS_MAX: usize = 60;
    match value {
        DeValue::String(text) if text.chars().count() > CHARS_MAX => {
            format!("{:?}...", text.chars().take(CHARS_MAX).collect::<String>())
        }
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(_) => "(a date)".to_owned(),
        DeValue::Array(_) => "(an array)".to_owned(),
        DeValue::Table(_) => "(a table)".to_owned(),
    }
}

/// The known key that someone who wrote `key` most likely meant.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    let distance = |candidate: &&&str| strsim::damerau_levenshtein(key, candidate);
    // A third of the letters wrong is a slip, more is another word.
    known.iter().min_by_key(distance).filter(|best| distance(best) <= best.len().max(3) / 3).copied()
}

fn listed(known: &[&str]) -> String {
    known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}
