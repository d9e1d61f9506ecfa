//! Walks the file section by section, and collects every violation instead of stopping at the first.

use std::path::Path;

use scrip_shard_config::Violation;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::Kind;

/// Characters of a value that a violation shows.
const SHOWN_LEN_MAX: usize = 60;

/// What values are read against.
pub(super) struct Context<'a> {
    /// Relative paths start here: the folder of the file.
    pub(super) base_dir: &'a Path,
    /// The environment.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

/// One file being read.
pub(super) struct Reader<'a> {
    text: &'a str,
    context: Context<'a>,
    violations: Vec<Violation>,
}

/// One table of the file, or the absence of one.
pub(super) struct Section<'r, 'a> {
    reader: &'r mut Reader<'a>,
    path: String,
    table: Option<&'r DeTable<'a>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, context: Context<'a>) -> Self {
        Self { text, context, violations: Vec::new() }
    }

    /// A section to read; `path` is empty for the top of the file.
    pub(super) fn section<'r>(&'r mut self, path: &str, table: Option<&'r DeTable<'a>>) -> Section<'r, 'a> {
        Section { reader: self, path: path.to_owned(), table }
    }

    pub(super) fn refuse(&mut self, field: &str, at: Option<usize>, value: impl Into<String>, fix: impl Into<String>) {
        let line = at.map(|offset| self.line(offset));
        self.violations.push(Violation { field: field.to_owned(), line, value: value.into(), fix: fix.into() });
    }

    pub(super) fn into_violations(mut self) -> Vec<Violation> {
        self.violations.sort_by_key(|violation| violation.line);
        self.violations
    }

    fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
    }

    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        let text = self.text.get(value.span()).unwrap_or_default();
        let mut shown: String =
            text.chars().take(SHOWN_LEN_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        if text.chars().count() > SHOWN_LEN_MAX {
            shown.push_str("...");
        }
        shown
    }
}

impl Section<'_, '_> {
    /// The value of one key; `None` means that a violation was noted.
    pub(super) fn read<K: Kind>(&mut self, key: &str, kind: &K) -> Option<K::Value> {
        let field = self.field(key);
        let Some((_, value)) = self.table.and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key)) else {
            return match kind.absent(&self.reader.context) {
                Ok(value) => Some(value),
                Err(fix) => self.note(&field, None, "(missing)".to_owned(), fix),
            };
        };
        match kind.read(value.get_ref(), &self.reader.context) {
            Ok(value) => Some(value),
            Err(fix) => {
                let shown = if K::HIDDEN { "(hidden)".to_owned() } else { self.reader.shown(value) };
                self.note(&field, Some(value.span().start), shown, fix)
            }
        }
    }

    /// Notes every key that is not one of `known`. The values are not shown: a mistyped key may hold a secret.
    pub(super) fn refuse_unknown(&mut self, known: &[&str]) {
        let Some(table) = self.table else { return };
        for (name, _) in table {
            let key: &str = name.get_ref();
            if !known.contains(&key) {
                let field = self.field(key);
                self.reader.refuse(&field, Some(name.span().start), "(unknown key)", unknown_key_fix(key, known));
            }
        }
    }

    fn note<T>(&mut self, field: &str, at: Option<usize>, value: String, fix: String) -> Option<T> {
        self.reader.refuse(field, at, value, fix);
        None
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn unknown_key_fix(key: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|name| (strsim::damerau_levenshtein(key, name), name)).min();
    match nearest {
        Some((distance, name)) if distance * 2 <= name.len() => format!("did you mean {name}?"),
        _ => match super::reference::section_of(key) {
            Some("") => "this key belongs at the top of the file, before the first section".to_owned(),
            Some(section) => format!("this key belongs in the section {section}"),
            None => format!("remove it; the keys here are {}", known.join(", ")),
        },
    }
}
