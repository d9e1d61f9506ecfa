//! From the document to a draft, in which a value that did not parse is absent.

use std::ops::Range;
use std::path::Path;

use toml::de::DeTable;

use super::document::{Field, Report, Section};
use super::value;
use crate::limits::{REPLICAS_MAX, STRIPES, SUB_STOCKS_PER_SHARD, VERSION, VIRTUAL_NODES};
use crate::tails::TailRange;
use crate::{Address, Secret, StockSpec};

/// What a topology takes from outside its text.
///
/// Without it the references to secrets are checked and followed nowhere.
pub(super) struct Outside<'o> {
    pub(super) base_dir: &'o Path,
    pub(super) env: &'o dyn Fn(&str) -> Option<String>,
}

/// Something with its path and its place, so that a later check can point at it.
pub(super) struct At<T> {
    pub(super) path: String,
    pub(super) place: Option<Range<usize>>,
    pub(super) it: T,
}

fn at<'d, T>(field: &Field<'d>, it: T) -> At<T> {
    At { path: field.path.clone(), place: field.place(), it }
}

pub(super) struct Draft {
    pub(super) version: Option<u64>,
    pub(super) meta: Option<At<u16>>,
    pub(super) virtual_nodes: Option<At<u16>>,
    pub(super) stock: StockSpec,
    pub(super) primaries: Vec<DraftPrimary>,
    pub(super) shards: Vec<DraftShard>,
}

pub(super) struct DraftPrimary {
    pub(super) id: Option<At<u16>>,
    pub(super) address: Option<At<Address>>,
    pub(super) tails: Option<At<Vec<TailRange>>>,
    /// False when a range did not parse, so that its tails would look like a gap.
    pub(super) tails_complete: bool,
    pub(super) database: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) replicas: Vec<At<Address>>,
}

pub(super) struct DraftShard {
    pub(super) id: Option<At<u16>>,
    pub(super) address: Option<At<Address>>,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
}

const ROOT: [&str; 8] = ["version", "meta", "ring", "stock", "primary_defaults", "shard_defaults", "primary", "shard"];

pub(super) fn topology<'d>(table: &'d DeTable<'d>, outside: Option<&Outside<'_>>, report: &mut Report) -> Draft {
    let root = Section::root(table, &ROOT, report);
    Draft {
        version: version(&root, report),
        meta: root
            .require("meta", "add the id of the primary that holds the meta schema: meta = 0", report)
            .and_then(|field| value::id(&field, report).map(|id| at(&field, id))),
        virtual_nodes: virtual_nodes(&root, report),
        stock: stock(&root, report),
        primaries: primaries(&root, outside, report),
        shards: shards(&root, outside, report),
    }
}

fn version(root: &Section<'_>, report: &mut Report) -> Option<u64> {
    let field = root.require("version", "add version = 1, and raise it with every change", report)?;
    value::integer(&field, VERSION, report).and_then(|version| u64::try_from(version).ok())
}

fn virtual_nodes(root: &Section<'_>, report: &mut Report) -> Option<At<u16>> {
    const FIX: &str = "add [ring] with virtual_nodes = 512, and keep it: to change it moves most keys";
    let ring = Section::of(&root.require("ring", FIX, report)?, &["virtual_nodes"], report)?;
    let field = ring.require("virtual_nodes", FIX, report)?;
    value::small(&field, VIRTUAL_NODES, report).map(|count| at(&field, count))
}

fn stock(root: &Section<'_>, report: &mut Report) -> StockSpec {
    let mut spec = StockSpec::default();
    let Some(field) = root.get("stock") else { return spec };
    let Some(section) = Section::of(&field, &["sub_stocks_per_shard", "stripes"], report) else { return spec };
    let mut read = |key, range, into: &mut u16| {
        if let Some(count) = section.get(key).and_then(|field| value::small(&field, range, report)) {
            *into = count;
        }
    };
    read("sub_stocks_per_shard", SUB_STOCKS_PER_SHARD, &mut spec.sub_stocks_per_shard);
    read("stripes", STRIPES, &mut spec.stripes);
    spec
}

/// What the sections of a kind have unless they say otherwise.
#[derive(Default)]
struct Defaults {
    database: Inherited,
    user: Inherited,
    password: Option<Secret>,
}

/// A default, and whether one was given at all: who relies on one that did not parse is not told to add it.
#[derive(Default)]
struct Inherited {
    given: bool,
    value: Option<String>,
}

type ReadText = fn(&Field<'_>, &mut Report) -> Option<String>;

fn inherited(section: &Section<'_>, key: &str, read: ReadText, report: &mut Report) -> Inherited {
    let value = section.get(key).and_then(|field| read(&field, report));
    Inherited { given: section.means_to_give(key), value }
}

fn primary_defaults(root: &Section<'_>, outside: Option<&Outside<'_>>, report: &mut Report) -> Option<Defaults> {
    let field = root.get("primary_defaults")?;
    let section = Section::of(&field, &["database", "user", "password"], report)?;
    Some(Defaults {
        database: inherited(&section, "database", value::database, report),
        user: inherited(&section, "user", value::user, report),
        password: password(&section, None, outside, report),
    })
}

fn shard_defaults(root: &Section<'_>, outside: Option<&Outside<'_>>, report: &mut Report) -> Option<Defaults> {
    let field = root.get("shard_defaults")?;
    let section = Section::of(&field, &["user", "password"], report)?;
    Some(Defaults {
        database: Inherited::default(),
        user: inherited(&section, "user", value::user, report),
        password: password(&section, None, outside, report),
    })
}

/// The `[[kind]]` sections.
fn sections<'d>(root: &Section<'d>, kind: &str, report: &mut Report) -> Vec<Field<'d>> {
    let fix = format!("add at least one [[{kind}]] section");
    let field = root.require(kind, &fix, report);
    field.and_then(|field| field.elements(&fix, report)).unwrap_or_default()
}

const PRIMARY: [&str; 7] = ["id", "address", "tails", "database", "user", "password", "replicas"];

fn primaries(root: &Section<'_>, outside: Option<&Outside<'_>>, report: &mut Report) -> Vec<DraftPrimary> {
    let defaults = primary_defaults(root, outside, report).unwrap_or_default();
    let sections = sections(root, "primary", report);
    let one = |field: &Field<'_>| primary(&Section::of(field, &PRIMARY, report)?, &defaults, outside, report);
    sections.iter().filter_map(one).collect()
}

fn primary(
    section: &Section<'_>,
    defaults: &Defaults,
    outside: Option<&Outside<'_>>,
    report: &mut Report,
) -> Option<DraftPrimary> {
    let id = id(section, report);
    let address = address(section, report);
    let tails =
        section.require("tails", "add the tails that it holds: tails = [\"0000-0333\"], or [] for none", report);
    let (ranges, tails_complete) = tails.as_ref().map_or((Vec::new(), false), |field| value::tails(field, report));
    Some(DraftPrimary {
        id,
        address,
        tails: tails.map(|field| at(&field, ranges)),
        tails_complete,
        database: text_or(&defaults.database, section, "database", value::database, report),
        user: text_or(&defaults.user, section, "user", value::user, report),
        password: password(section, defaults.password.as_ref(), outside, report),
        replicas: replicas(section, report),
    })
}

/// The value of the section itself, or else the default, or else a violation.
fn text_or(
    default: &Inherited,
    section: &Section<'_>,
    key: &str,
    read: ReadText,
    report: &mut Report,
) -> Option<String> {
    if default.given && !section.means_to_give(key) {
        return default.value.clone();
    }
    let fix = format!("add {key} = \"scrip\" here or in [primary_defaults]");
    let field = section.require(key, &fix, report)?;
    read(&field, report)
}

fn id(section: &Section<'_>, report: &mut Report) -> Option<At<u16>> {
    let field = section.require("id", "add its id, such as id = 7; it stays when the address changes", report)?;
    value::id(&field, report).map(|id| at(&field, id))
}

fn address(section: &Section<'_>, report: &mut Report) -> Option<At<Address>> {
    let field = section.require("address", "add address = \"host:port\" or \"unix:/path\"", report)?;
    value::address(&field, report).map(|address| at(&field, address))
}

fn password(
    section: &Section<'_>,
    default: Option<&Secret>,
    outside: Option<&Outside<'_>>,
    report: &mut Report,
) -> Option<Secret> {
    match section.get("password") {
        Some(field) => value::secret(&field, outside, report),
        None => default.cloned(),
    }
}

fn replicas(section: &Section<'_>, report: &mut Report) -> Vec<At<Address>> {
    const FIX: &str = "write a list of addresses, such as [\"10.0.1.7:3306\"]";
    let Some(field) = section.get("replicas") else { return Vec::new() };
    let Some(elements) = field.elements(FIX, report) else { return Vec::new() };
    if elements.len() > REPLICAS_MAX {
        field.refuse(report, format!("{} replicas are too many; list at most {REPLICAS_MAX}", elements.len()));
    }
    let one = |field: &Field<'_>| value::address(field, report).map(|address| at(field, address));
    elements.iter().filter_map(one).collect()
}

const SHARD: [&str; 4] = ["id", "address", "user", "password"];

fn shards(root: &Section<'_>, outside: Option<&Outside<'_>>, report: &mut Report) -> Vec<DraftShard> {
    let defaults = shard_defaults(root, outside, report).unwrap_or_default();
    let sections = sections(root, "shard", report);
    let one = |field: &Field<'_>| {
        let section = Section::of(field, &SHARD, report)?;
        let user = match section.get("user") {
            Some(field) => value::user(&field, report),
            None => defaults.user.value.clone(),
        };
        let password = password(&section, defaults.password.as_ref(), outside, report);
        Some(DraftShard { id: id(&section, report), address: address(&section, report), user, password })
    };
    sections.iter().filter_map(one).collect()
}
