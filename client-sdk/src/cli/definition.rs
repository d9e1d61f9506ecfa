//! The definition of a template, from options or from a TOML file.
//!
//! The file is strict: an unknown key is refused, with its line. What the values may be is the proxy's to say, all at once.

use std::time::Duration;

use scrip_client::{Applicability, Benefit, DailyLimit, Rules, Selection, Stacking, TemplateDefinition, Validity};
use serde::{Deserialize, Deserializer};

use super::arguments::{Create, duration};
use super::show::Trouble;

/// What is to be created.
pub(super) fn of(create: Create) -> Result<TemplateDefinition, Trouble> {
    let (name, stock) = match (create.definition, create.name, create.stock) {
        (Some(definition), ..) => return Ok(definition),
        (None, Some(name), Some(stock)) => (name, stock),
        (None, ..) => return Err(Trouble::Usage("give --name and --stock, or --definition FILE".to_owned())),
    };
    let validity = match (create.valid_from_ms, create.valid_until_ms) {
        (Some(from_ms), Some(until_ms)) => Validity::Fixed { from_ms, until_ms },
        _ => Validity::Relative { starts_after_s: create.valid_after.as_secs(), lasts_s: create.valid_for.as_secs() },
    };
    let definition = TemplateDefinition::new(name, stock, create.limit, validity);
    Ok(TemplateDefinition { claim_start_ms: create.claim_start_ms, claim_end_ms: create.claim_end_ms, ..definition })
}

/// Reads the file with this path.
pub(super) fn read(path: &str) -> Result<TemplateDefinition, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("it cannot be read: {error}"))?;
    toml::from_str(&text).map(File::into).map_err(|error| error.to_string())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    total_stock: u64,
    #[serde(default = "one")]
    per_user_limit: u32,
    claim_start_ms: Option<i64>,
    claim_end_ms: Option<i64>,
    validity: FileValidity,
    benefit: Option<FileBenefit>,
    currency: Option<String>,
    #[serde(default)]
    threshold_minor: u64,
    #[serde(default)]
    applicability: FileApplicability,
    daily_limit: Option<FileDailyLimit>,
    stacking: Option<FileStacking>,
    #[serde(default)]
    budget_minor: u64,
    #[serde(default)]
    code_prefix: String,
}

fn one() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FileValidity {
    Fixed {
        from_ms: i64,
        until_ms: i64,
    },
    Relative {
        #[serde(default, deserialize_with = "seconds")]
        starts_after: u64,
        #[serde(deserialize_with = "seconds")]
        lasts: u64,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FileBenefit {
    AmountOff { amount_minor: u64 },
    PercentageOff { basis_points: u32, cap_minor: Option<u64> },
    FreeShipping { cap_minor: Option<u64> },
    Gift { product: String },
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileApplicability {
    categories: FileSelection,
    products: FileSelection,
    shops: FileSelection,
    platforms: Vec<String>,
    regions: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileSelection {
    include: Vec<String>,
    exclude: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDailyLimit {
    coupons: u32,
    utc_offset_minutes: i32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStacking {
    group: String,
    #[serde(default)]
    with_itself: bool,
}

/// A time with its unit, such as "30d", in whole seconds.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let time: Duration = duration(&text).map_err(serde::de::Error::custom)?;
    if time.subsec_nanos() > 0 {
        return Err(serde::de::Error::custom("write whole seconds"));
    }
    Ok(time.as_secs())
}

impl From<File> for TemplateDefinition {
    fn from(file: File) -> Self {
        let rules = Rules {
            benefit: file.benefit.map(Benefit::from),
            currency: file.currency,
            threshold_minor: file.threshold_minor,
            applicability: file.applicability.into(),
            daily_limit: file
                .daily_limit
                .map(|FileDailyLimit { coupons, utc_offset_minutes }| DailyLimit { coupons, utc_offset_minutes }),
            stacking: file.stacking.map_or(Stacking::Exclusive, |FileStacking { group, with_itself }| {
                Stacking::Group { name: group, with_itself }
            }),
            budget_minor: file.budget_minor,
            code_prefix: file.code_prefix,
        };
        let (claim_start_ms, claim_end_ms) = (file.claim_start_ms, file.claim_end_ms);
        let plain = Self::new(file.name, file.total_stock, file.per_user_limit, file.validity.into());
        Self { claim_start_ms, claim_end_ms, rules, ..plain }
    }
}

impl From<FileValidity> for Validity {
    fn from(file: FileValidity) -> Self {
        match file {
            FileValidity::Fixed { from_ms, until_ms } => Self::Fixed { from_ms, until_ms },
            FileValidity::Relative { starts_after, lasts } => {
                Self::Relative { starts_after_s: starts_after, lasts_s: lasts }
            }
        }
    }
}

impl From<FileBenefit> for Benefit {
    fn from(file: FileBenefit) -> Self {
        match file {
            FileBenefit::AmountOff { amount_minor } => Self::AmountOff { amount_minor },
            FileBenefit::PercentageOff { basis_points, cap_minor } => Self::PercentageOff { basis_points, cap_minor },
            FileBenefit::FreeShipping { cap_minor } => Self::FreeShipping { cap_minor },
            FileBenefit::Gift { product } => Self::Gift { product },
        }
    }
}

impl From<FileApplicability> for Applicability {
    fn from(file: FileApplicability) -> Self {
        let selection = |FileSelection { include, exclude }| Selection { include, exclude };
        Self {
            categories: selection(file.categories),
            products: selection(file.products),
            shops: selection(file.shops),
            platforms: file.platforms,
            regions: file.regions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<TemplateDefinition, String> {
        toml::from_str::<File>(text).map(TemplateDefinition::from).map_err(|error| error.to_string())
    }

    #[test]
    fn the_example_says_everything() {
        let definition = parse(include_str!("../../examples/template.toml")).expect("the example");
        let wire = scrip_protocol::v1::TemplateDefinition::from(definition.clone());
        assert_eq!(scrip_protocol::check::check_definition(&wire), []);
        let Rules {
            benefit,
            currency,
            threshold_minor,
            applicability,
            daily_limit,
            stacking,
            budget_minor,
            code_prefix,
        } = definition.rules;
        assert!(benefit.is_some() && currency.is_some() && daily_limit.is_some());
        assert!(threshold_minor > 0 && budget_minor > 0 && !code_prefix.is_empty());
        assert_ne!((applicability, stacking), Default::default());
    }

    #[test]
    fn the_shortest_is_a_plain_coupon() {
        let shortest = "name = 'a'\ntotal_stock = 5\nvalidity.relative.lasts = '1h'";
        let validity = Validity::Relative { starts_after_s: 0, lasts_s: 3_600 };
        assert_eq!(parse(shortest), Ok(TemplateDefinition::new("a", 5, 1, validity)));
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_place() {
        let check = |text: &str, parts: &[&str]| {
            let text = format!("name = 'a'\ntotal_stock = 5\n{text}");
            let error = parse(&text).expect_err(&text);
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        check("validity.relative.lasts = '1h'\nlimit = 5", &["line 4", "limit"]);
        check("validity.relative.lasts = 5", &["line 3"]);
        check("validity.relative.lasts = '5'", &["line 3", "unit"]);
        check("validity.relative.lasts = '1500ms'", &["line 3", "whole seconds"]);
        check("", &["validity"]);
        check("validity.relative.lasts = '1h'\nbenefit.percent_off.basis_points = 5", &["line 4", "percentage_off"]);
        check("validity.relative.lasts = '1h'\nbenefit.amount_off = { amount_minor = -5 }", &["line 4"]);
        check("validity.relative.lasts = '1h'\nbenefit.amount_off = { amount_minor = 0.5 }", &["line 4"]);
    }
}
