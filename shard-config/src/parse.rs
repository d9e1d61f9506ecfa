//! From the text of a topology file to a checked topology, or to everything that is wrong with it.
//!
//! Three steps, each of which goes on after a violation: `document` walks the TOML by hand, because deserializing stops
//! at the first error; `read` makes a draft in which a value that did not parse is absent; `check` compares the parts
//! of the draft with each other. A topology is built only when no step found a violation.

mod check;
mod document;
mod read;
mod value;

use std::path::Path;

use toml::de::DeTable;

use crate::{Topology, Violations};
use document::Report;
use read::Outside;

impl Topology {
    /// Parses and checks the text of a topology file.
    ///
    /// `base_dir` is where relative paths of secret files start, `env` looks up environment variables. Nothing else is
    /// read from outside.
    ///
    /// # Errors
    /// With every violation of the file at once.
    pub fn parse(text: &str, base_dir: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Topology, Violations> {
        parse(text, Some(&Outside { base_dir, env }))
    }

    /// As [`Topology::parse`], except that no secret is looked up and every password is `None`. For tools that compute
    /// routes, on machines that have no business to know the secrets. Not for a process that connects.
    ///
    /// # Errors
    /// With every violation of the file at once.
    pub fn parse_without_secrets(text: &str) -> Result<Topology, Violations> {
        parse(text, None)
    }
}

fn parse(text: &str, outside: Option<&Outside<'_>>) -> Result<Topology, Violations> {
    let mut report = Report::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        report.syntax(error);
    }
    if !errors.is_empty() {
        // What the parser made up to go on after an error would be reported as if someone had written it.
        return Err(report.into_violations());
    }
    let draft = read::topology(table.get_ref(), outside, &mut report);
    match check::topology(draft, &mut report) {
        Some(topology) if report.is_empty() => Ok(topology),
        _ => Err(report.into_violations()),
    }
}
