//! What is wrong with a topology file, all of it at once.

use std::fmt;

/// One thing that is wrong with a topology file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Where: a path such as `primary[3].tails`, where 3 counts the `[[primary]]` sections of the file from 0.
    pub field: String,
    /// The line of the file, from 1, where there is one.
    pub line: Option<usize>,
    /// What stands there, or `(missing)`, or `(hidden)` where it may be a secret.
    pub value: String,
    /// What to write instead, and why.
    pub fix: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}: {}: {}", self.field, self.value, self.fix)
    }
}

/// Every violation of one file, by line. Never empty. `Display` prints a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    pub(crate) fn new(mut violations: Vec<Violation>) -> Violations {
        violations.sort_by_key(|violation| violation.line);
        Violations(violations)
    }

    /// The violations, by line; those of the file as a whole come first.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.0.iter()
    }

    /// How many there are: one at least.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is no empty list of violations")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            violation.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Violations {}
