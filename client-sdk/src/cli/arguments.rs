//! What can be asked.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scrip_client::{CouponId, CouponNumber, Order, PackItem, RequestId, TemplateDefinition, TemplateId};

use super::archive::ArchiveCommand;
use super::bulk::BulkCommand;
use super::codes::CodesCommand;
use super::definition;
use super::order::OrderCommand;
use super::quote;

/// Claims, lists and administers coupons.
#[derive(Debug, Parser)]
#[command(
    name = "scrip",
    version,
    about,
    after_help = "Exit codes: 0 applied, 1 not applied, 2 usage, 3 outcome unknown."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Address of a proxy; may be repeated.
    #[arg(long, global = true, env = "SCRIP_PROXIES", value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) proxy: Vec<String>,
    /// Who calls: a name in the proxies' list of callers.
    #[arg(long, global = true, env = "SCRIP_CALLER", default_value = "")]
    pub(crate) caller: String,
    /// File with the caller's token; without it the token is taken from SCRIP_TOKEN.
    #[arg(long, global = true, env = "SCRIP_TOKEN_FILE", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// One deadline over all attempts, such as 500ms or 10s.
    #[arg(long, global = true, value_parser = duration)]
    pub(crate) deadline: Option<Duration>,
    /// Reads of coupons and templates may be served by a replica that is so stale, such as 5s; else by the primary.
    #[arg(long, global = true, value_parser = duration)]
    pub(crate) max_staleness: Option<Duration>,
    /// One JSON document on standard output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, change and read templates.
    #[command(subcommand)]
    Template(TemplateCommand),
    /// Claim a coupon. The request id is printed to standard error before anything is sent.
    Claim {
        #[command(flatten)]
        target: Target,
        /// 32 hexadecimal digits of an earlier claim, to send that one again; else one is minted.
        #[arg(long)]
        request_id: Option<RequestId>,
    },
    /// What became of a claim.
    GetClaim {
        #[command(flatten)]
        target: Target,
        /// 32 hexadecimal digits.
        #[arg(long)]
        request_id: RequestId,
    },
    /// Claim several coupons of several templates: all of them, or none. The request id is printed to standard error before
    /// anything is sent.
    ClaimPack {
        /// The user's id.
        #[arg(long)]
        user: u64,
        /// A template's id; with ":COUNT" behind it so many coupons, 1 to 4. 1 to 16 different templates.
        #[arg(long = "item", value_name = "TEMPLATE[:COUNT]", required = true, value_parser = pack_item)]
        items: Vec<PackItem>,
        /// 32 hexadecimal digits of an earlier pack, to send that one again; else one is minted.
        #[arg(long)]
        request_id: Option<RequestId>,
    },
    /// A user's coupons.
    List {
        /// The user's id.
        #[arg(long)]
        user: u64,
        /// Only coupons of this template.
        #[arg(long, value_parser = template_id)]
        template: Option<TemplateId>,
        /// Only coupons of this status.
        #[arg(long)]
        status: Option<Status>,
        /// What comes first.
        #[arg(long, value_enum, default_value = "template")]
        order: First,
    },
    /// How many coupons a user has, by status.
    Count {
        /// The user's id.
        #[arg(long)]
        user: u64,
        /// Only coupons of this template.
        #[arg(long, value_parser = template_id)]
        template: Option<TemplateId>,
    },
    /// What an order does with coupons: lock, redeem, unlock, return. All that are named, or none.
    #[command(subcommand)]
    Order(OrderCommand),
    /// A coupon and its operation log.
    Coupon {
        #[command(flatten)]
        which: Which,
    },
    /// What a user's coupons take off an order, and which of them together take off the most.
    Quote {
        /// The user's id.
        #[arg(long)]
        user: u64,
        /// JSON file with the order; see examples/order.json.
        #[arg(long, value_name = "FILE", value_parser = quote::read)]
        order: Box<Order>,
        /// Only this coupon: 32 hexadecimal digits; may be repeated.
        #[arg(long = "coupon", value_name = "ID")]
        coupons: Vec<CouponId>,
    },
    /// One coupon to every user of a list: create, status, watch, pause, resume, cancel, list, results.
    #[command(subcommand)]
    Bulk(BulkCommand),
    /// Exchange codes: create, show, list, revoke, export, claim.
    #[command(subcommand)]
    Codes(CodesCommand),
    /// Coupons that were dead for long, in the files of the archive: list, search. Asks no proxy.
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// Is a proxy there?
    Ping,
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The user's id.
    #[arg(long)]
    pub(crate) user: u64,
    /// The template's id.
    #[arg(long, value_parser = template_id)]
    pub(crate) template: TemplateId,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The user's id.
    #[arg(long, required_unless_present = "number", requires = "coupon")]
    pub(crate) user: Option<u64>,
    /// The coupon's id: 32 hexadecimal digits.
    #[arg(long, required_unless_present = "number", requires = "user")]
    pub(crate) coupon: Option<CouponId>,
    /// Its number instead, such as TEA-20260131-ABCD-EFGH-JKLM-NPQR-S: it says which coupon of which user.
    #[arg(long, conflicts_with_all = ["user", "coupon"])]
    pub(crate) number: Option<CouponNumber>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TemplateCommand {
    /// Create a template as a draft.
    Create(Box<Create>),
    /// Let it be claimed.
    Publish(Id),
    /// Refuse claims until it is resumed.
    Pause(Id),
    /// Let it be claimed again.
    Resume(Id),
    /// Close it for good.
    Close(Id),
    /// Show it.
    Show(Id),
    /// Show all.
    List,
    /// Add units of stock, or withdraw unsold ones.
    Replenish {
        #[command(flatten)]
        id: Id,
        /// Units to add; negative: to withdraw.
        #[arg(long, allow_hyphen_values = true)]
        units: i64,
        /// To send an earlier one again; else one is minted.
        #[arg(long)]
        request_id: Option<RequestId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The template's id.
    #[arg(value_parser = template_id)]
    pub(crate) template: TemplateId,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// TOML file with the whole definition, rules included; see examples/template.toml.
    #[arg(long, value_name = "FILE", value_parser = definition::read, conflicts_with_all = [
        "name", "stock", "limit", "claim_start_ms", "claim_end_ms", "valid_for", "valid_after", "valid_from_ms", "valid_until_ms",
    ])]
    pub(crate) definition: Option<TemplateDefinition>,
    /// 1 to 100 characters.
    #[arg(long, required_unless_present = "definition")]
    pub(crate) name: Option<String>,
    /// Units of stock.
    #[arg(long, required_unless_present = "definition")]
    pub(crate) stock: Option<u64>,
    /// Coupons that one user may hold.
    #[arg(long, default_value_t = 1)]
    pub(crate) limit: u32,
    /// Claims are accepted from here, in milliseconds since 1970-01-01 UTC.
    #[arg(long)]
    pub(crate) claim_start_ms: Option<i64>,
    /// Claims are accepted until there (exclusive).
    #[arg(long)]
    pub(crate) claim_end_ms: Option<i64>,
    /// How long a coupon can be used, such as 30d.
    #[arg(long, value_parser = duration, default_value = "30d", conflicts_with_all = ["valid_from_ms", "valid_until_ms"])]
    pub(crate) valid_for: Duration,
    /// From the claim to the first use.
    #[arg(long, value_parser = duration, default_value = "0s", conflicts_with_all = ["valid_from_ms", "valid_until_ms"])]
    pub(crate) valid_after: Duration,
    /// Coupons can be used from here, in milliseconds since 1970-01-01 UTC.
    #[arg(long, requires = "valid_until_ms")]
    pub(crate) valid_from_ms: Option<i64>,
    /// Coupons can be used until there (exclusive).
    #[arg(long, requires = "valid_from_ms")]
    pub(crate) valid_until_ms: Option<i64>,
    /// To send an earlier one again; else one is minted.
    #[arg(long)]
    pub(crate) request_id: Option<RequestId>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum First {
    /// By template, then by number.
    Template,
    /// The latest claim.
    Newest,
    /// What ends first.
    Ending,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Status {
    Unused,
    Locked,
    Used,
    Expired,
}

pub(crate) fn template_id(text: &str) -> Result<TemplateId, String> {
    let number = text.parse().map_err(|_| "a template id is 1 to 4294967295".to_owned())?;
    TemplateId::try_new(number).map_err(|error| error.to_string())
}

fn pack_item(text: &str) -> Result<PackItem, String> {
    let (template, count) = text.split_once(':').unwrap_or((text, "1"));
    let count = count.parse().map_err(|_| "write the count of an item as a number from 1 to 4".to_owned())?;
    Ok(PackItem { template: template_id(template)?, count })
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("write a number with its unit: ms, s, m, h or d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write a number with its unit, such as 500ms".to_owned())?;
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| "too long".to_owned())
}
