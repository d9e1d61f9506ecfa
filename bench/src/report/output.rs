//! Where reports go, besides the terminal.

use std::path::{Path, PathBuf};

use super::html::{self, Named};
use super::{Report, Together, read_json, table};
use crate::Error;
use crate::curve::{Curve, Point};
use crate::spec::OutputSpec;

impl OutputSpec {
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write(&self, report: &Report) -> Result<(), Error> {
        if let Some(path) = &self.json {
            report.write(path)?;
        }
        match &self.html {
            Some(path) => html::write(path, &[Named { name: &report.subject.path, report }]),
            None => Ok(()),
        }
    }

    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn write_all(&self, together: &Together) -> Result<(), Error> {
        if let Some(path) = &self.json {
            together.write(path)?;
        }
        match &self.html {
            Some(path) => {
                let named = together.reports.iter().map(|(name, report)| Named { name, report });
                html::write(path, &named.collect::<Vec<_>>())
            }
            None => Ok(()),
        }
    }
}

/// The text of files that any command wrote; and a page of them side by side, if it is wanted.
///
/// # Errors
/// When a file cannot be read, is not a report, or is one of another version; when the page cannot be written.
pub fn show(files: &[PathBuf], page: Option<&Path>) -> Result<String, Error> {
    let mut text = String::new();
    let mut reports = Vec::new();
    for file in files {
        let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        if let Ok(curve) = read_json::<Curve>(file) {
            text.push_str(&curve.to_string());
            let named = |point: Point| (format!("{name}: {} {}", point.size, curve.curve), point.report);
            reports.extend(curve.points.into_iter().map(named));
            continue;
        }
        match read_json::<Together>(file) {
            Ok(together) => {
                text.push_str(&together.to_string());
                reports.extend(together.reports.into_iter().map(|(way, report)| (format!("{name}: {way}"), report)));
            }
            Err(_) => {
                let report = Report::read(file)?;
                text.push_str(&table::render(&report));
                reports.push((name, report));
            }
        }
    }
    if let Some(path) = page {
        let named = reports.iter().map(|(name, report)| Named { name, report });
        html::write(path, &named.collect::<Vec<_>>())?;
    }
    Ok(text)
}
