//! Kinds of keys: the form of the value, and what the absence of the key means.

use std::borrow::Cow;

use toml::de::DeValue;

use super::reader::Context;

/// A value of the file. The error says what to write instead.
pub(super) trait Form {
    type Value;
    /// The value may be a secret: no message shows it.
    const HIDDEN: bool = false;
    /// Written in quotes.
    const QUOTED: bool = true;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<Self::Value, String>;
    /// What may be written, for the reference.
    fn allowed(&self) -> String;
}

/// A key of the file: a form, and what it means when the key is absent.
pub(super) trait Kind {
    type Value;
    const HIDDEN: bool;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<Self::Value, String>;
    fn absent(&self, context: &Context<'_>) -> Result<Self::Value, String>;
    fn allowed(&self) -> String;
    /// For the reference: the default, or what takes its place.
    fn default_shown(&self) -> String;
    /// For the example: the value as TOML, and whether the line is active.
    fn example(&self) -> (String, bool);
}

/// Has to be there; the text is an example, as TOML.
pub(super) struct Required<F>(pub(super) F, pub(super) &'static str);
/// May be absent; the texts are an example, as TOML, and what absence means.
pub(super) struct Optional<F>(pub(super) F, pub(super) &'static str, pub(super) &'static str);
/// Has a default, which goes through the same checks as a written value.
pub(super) struct Or<F>(pub(super) &'static str, pub(super) F);

impl<F: Form> Kind for Required<F> {
    type Value = F::Value;
    const HIDDEN: bool = F::HIDDEN;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<F::Value, String> {
        self.0.read(value, context)
    }
    fn absent(&self, _: &Context<'_>) -> Result<F::Value, String> {
        Err(format!("this key is required: write {}, for instance {}", self.0.allowed(), self.1))
    }
    fn allowed(&self) -> String {
        self.0.allowed()
    }
    fn default_shown(&self) -> String {
        "required".to_owned()
    }
    fn example(&self) -> (String, bool) {
        (self.1.to_owned(), true)
    }
}

impl<F: Form> Kind for Optional<F> {
    type Value = Option<F::Value>;
    const HIDDEN: bool = F::HIDDEN;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<Option<F::Value>, String> {
        self.0.read(value, context).map(Some)
    }
    fn absent(&self, _: &Context<'_>) -> Result<Option<F::Value>, String> {
        Ok(None)
    }
    fn allowed(&self) -> String {
        self.0.allowed()
    }
    fn default_shown(&self) -> String {
        self.2.to_owned()
    }
    fn example(&self) -> (String, bool) {
        (self.1.to_owned(), false)
    }
}

impl<F: Form> Or<F> {
    fn source(&self) -> String {
        if F::QUOTED { format!("{:?}", self.0) } else { self.0.to_owned() }
    }
}

impl<F: Form> Kind for Or<F> {
    type Value = F::Value;
    const HIDDEN: bool = F::HIDDEN;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<F::Value, String> {
        self.1.read(value, context)
    }
    fn absent(&self, context: &Context<'_>) -> Result<F::Value, String> {
        if F::QUOTED {
            return self.1.read(&DeValue::String(Cow::Borrowed(self.0)), context);
        }
        let value = DeValue::parse(self.0).map_err(|error| error.message().to_owned())?;
        self.1.read(value.get_ref(), context)
    }
    fn allowed(&self) -> String {
        self.1.allowed()
    }
    fn default_shown(&self) -> String {
        format!("`{}`", self.source())
    }
    fn example(&self) -> (String, bool) {
        (self.source(), true)
    }
}
