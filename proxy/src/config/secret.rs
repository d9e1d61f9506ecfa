//! Secrets: the file names them, and never holds them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use scrip_shard_config::Secret;
use toml::de::DeValue;

use super::kind::Form;
use super::reader::Context;
use crate::coupon_id::CouponKey;
use scrip_protocol::limits::TOKEN_LEN_MAX;

/// Bytes of a secret file. Prevents reading a whole log because a path was mistyped.
const SECRET_LEN_MAX: u64 = 4 * 1024;
/// Bytes of a token. Prevents tokens that can be guessed.
const TOKEN_LEN_MIN: usize = 16;

/// A caller's token.
pub(super) struct Token;
/// The AES-128 key of the deployment.
pub(super) struct Key;

const REFERENCE: &str = "{ env = \"NAME\" } or { file = \"path\" }";

impl Form for Token {
    type Value = Secret;
    const HIDDEN: bool = true;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<Secret, String> {
        let token = resolve(value, context)?;
        match token.len() {
            TOKEN_LEN_MIN..=TOKEN_LEN_MAX => Ok(Secret::new(token)),
            count => {
                Err(format!("the token has {count} bytes; use {TOKEN_LEN_MIN} to {TOKEN_LEN_MAX} random characters"))
            }
        }
    }
    fn allowed(&self) -> String {
        format!("{REFERENCE} of {TOKEN_LEN_MIN} to {TOKEN_LEN_MAX} characters")
    }
}

impl Form for Key {
    type Value = CouponKey;
    const HIDDEN: bool = true;

    fn read(&self, value: &DeValue<'_>, context: &Context<'_>) -> Result<CouponKey, String> {
        CouponKey::from_hex(&resolve(value, context)?)
            .ok_or_else(|| "the key is not 32 hexadecimal digits; make one with: openssl rand -hex 16".to_owned())
    }
    fn allowed(&self) -> String {
        format!("{REFERENCE} of 32 hexadecimal digits")
    }
}

fn resolve(value: &DeValue<'_>, context: &Context<'_>) -> Result<String, String> {
    let refuse = || format!("a secret never stands in this file: write {REFERENCE}");
    let table = value.as_table().filter(|table| table.len() == 1).ok_or_else(refuse)?;
    let (key, value) = table.iter().next().ok_or_else(refuse)?;
    let name = value.get_ref().as_str().filter(|name| !name.is_empty()).ok_or_else(refuse)?;
    match key.get_ref().as_ref() {
        "env" => (context.env)(name).filter(|text| !text.is_empty()).ok_or_else(|| {
            format!("the environment variable {name} is not set or empty; set it, or write {{ file = \"path\" }}")
        }),
        "file" => read(&context.base_dir.join(name)),
        _ => Err(refuse()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let bytes = read_limited(path)
        .map_err(|error| format!("{shown} cannot be read ({}); create it, or correct the path", error.kind()))?
        .ok_or_else(|| {
            format!("{shown} is longer than {SECRET_LEN_MAX} bytes; name the file that holds the secret alone")
        })?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} is not UTF-8 text; write the secret as text"))?;
    // Editors and `echo` end a file with a newline that is no part of the secret.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() { Err(format!("{shown} is empty; write the secret into it")) } else { Ok(text.to_owned()) }
}

fn read_limited(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SECRET_LEN_MAX + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= SECRET_LEN_MAX).then_some(bytes))
}
