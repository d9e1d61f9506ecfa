//! The reference table of the guide and the example file, written from the keys themselves.

use std::fmt::Write;

use super::keys;
use super::kind::Kind;

/// Columns of a comment in the example file.
const WRAP: usize = 100;

/// One section of the file.
pub(super) struct SectionSpec {
    pub(super) header: &'static str,
    pub(super) about: &'static str,
    pub(super) keys: Vec<KeySpec>,
}

/// One key of the file.
pub(super) struct KeySpec {
    pub(super) name: &'static str,
    doc: &'static str,
    allowed: String,
    default: String,
    example: (String, bool),
}

impl KeySpec {
    pub(super) fn new(name: &'static str, doc: &'static str, kind: &impl Kind) -> Self {
        Self { name, doc, allowed: kind.allowed(), default: kind.default_shown(), example: kind.example() }
    }
}

/// The header of the section that has this key; empty for the top of the file.
pub(super) fn section_of(key: &str) -> Option<&'static str> {
    let has = |section: &SectionSpec| section.keys.iter().any(|spec| spec.name == key);
    keys::sections().iter().find(|section| has(section)).map(|section| section.header)
}

/// Markdown tables of every key, its default and what it may be.
pub fn markdown() -> String {
    let mut text = String::new();
    for section in keys::sections() {
        let header = if section.header.is_empty() { "top of the file" } else { section.header };
        let _ =
            write!(text, "`{header}` {}\n\n| key | default | allowed | what for |\n|---|---|---|---|\n", section.about);
        for key in section.keys {
            let _ = writeln!(text, "| `{}` | {} | {} | {} |", key.name, key.default, key.allowed, key.doc);
        }
        text.push('\n');
    }
    text
}

/// A complete file: every key with its default, the optional ones commented out.
pub fn example() -> String {
    let mut text =
        "# The configuration of scrip-proxy. Written from the keys in config/keys.rs; edit those.\n".to_owned();
    for section in keys::sections() {
        text.push('\n');
        comment(&mut text, section.about);
        if !section.header.is_empty() {
            let _ = writeln!(text, "{}", section.header);
        }
        for key in section.keys {
            text.push('\n');
            comment(&mut text, key.doc);
            comment(&mut text, &format!("({}; {})", key.allowed, key.default.replace('`', "")));
            let (value, active) = key.example;
            let _ = writeln!(text, "{}{} = {value}", if active { "" } else { "# " }, key.name);
        }
    }
    text
}

fn comment(text: &mut String, words: &str) {
    let mut line = "#".to_owned();
    for word in words.split_whitespace() {
        if line.len() + word.len() >= WRAP {
            let _ = writeln!(text, "{line}");
            line = "#".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}
