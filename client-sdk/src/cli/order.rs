//! What orders do, on the command line.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use scrip_client::{Client, Coupon, CouponHistory, CouponId, CouponStep, OrderId, Redemption, UserId};
use serde_json::{Value, json};

use super::arguments::{Which, duration};
use super::show::{self, Trouble};
use super::{applied, read};

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// Hold unused coupons for an order.
    Lock {
        #[command(flatten)]
        order: Order,
        #[command(flatten)]
        coupons: Coupons,
        /// How long, such as 15m; then they free themselves.
        #[arg(long, value_parser = duration, default_value = "15m")]
        ttl: Duration,
    },
    /// Use coupons: those that the order holds, or unused ones.
    Redeem {
        #[command(flatten)]
        order: Order,
        /// A coupon's id; with ":AMOUNT" behind it what it takes off, in minor units.
        #[arg(long = "coupon", value_name = "ID[:AMOUNT]", required = true)]
        coupons: Vec<Redeemed>,
    },
    /// Free coupons that the order holds.
    Unlock {
        #[command(flatten)]
        order: Order,
        #[command(flatten)]
        coupons: Coupons,
    },
    /// Give coupons back that the order has used.
    Return {
        #[command(flatten)]
        order: Order,
        #[command(flatten)]
        coupons: Coupons,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Order {
    /// The user's id.
    #[arg(long)]
    user: u64,
    /// The order's id: what makes this safe to repeat.
    #[arg(long)]
    order: OrderId,
}

#[derive(Debug, Args)]
pub(crate) struct Coupons {
    /// A coupon's id: 32 hexadecimal digits.
    #[arg(long = "coupon", value_name = "ID", required = true)]
    coupons: Vec<CouponId>,
}

#[derive(Debug, Clone)]
pub(crate) struct Redeemed(Redemption);

impl FromStr for Redeemed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, amount) = text.split_once(':').unwrap_or((text, "0"));
        let coupon_id = id.parse().map_err(|error: scrip_protocol::id::IdError| error.to_string())?;
        let amount_minor =
            amount.parse().map_err(|_| "write the amount as a whole number of minor units".to_owned())?;
        Ok(Self(Redemption { coupon_id, amount_minor }))
    }
}

pub(super) async fn run(client: &Client, command: OrderCommand) -> Result<Value, Trouble> {
    let coupons = match command {
        OrderCommand::Lock { order, coupons, ttl } => {
            client.lock_coupons(UserId(order.user), &order.order, &coupons.coupons, ttl).await?
        }
        OrderCommand::Redeem { order, coupons } => {
            let coupons: Vec<Redemption> = coupons.into_iter().map(|Redeemed(one)| one).collect();
            client.redeem_coupons(UserId(order.user), &order.order, &coupons).await?
        }
        OrderCommand::Unlock { order, coupons } => {
            client.unlock_coupons(UserId(order.user), &order.order, &coupons.coupons).await?
        }
        OrderCommand::Return { order, coupons } => {
            client.return_coupons(UserId(order.user), &order.order, &coupons.coupons).await?
        }
    };
    Ok(applied("coupons", coupons.iter().map(|coupon: &Coupon| show::coupon(coupon)).collect()))
}

pub(super) async fn history(client: &Client, which: Which) -> Result<Value, Trouble> {
    let CouponHistory { coupon, steps, staleness } = match which {
        Which { number: Some(number), .. } => client.find_coupon(number).await?,
        Which { user: Some(user), coupon: Some(coupon), .. } => client.get_coupon(UserId(user), coupon).await?,
        Which { .. } => return Err(Trouble::Usage("name the coupon: --number, or --user and --coupon".to_owned())),
    };
    let steps: Vec<Value> = steps.iter().map(step).collect();
    let mut shown = read("coupon", show::coupon(&coupon), staleness);
    shown["steps"] = steps.into();
    Ok(shown)
}

fn step(step: &CouponStep) -> Value {
    json!({
        "step": step.number,
        "kind": format!("{:?}", step.kind).to_lowercase(),
        "order": step.order_id.as_ref().map(ToString::to_string),
        "locked_until_ms": step.locked_until_ms,
        "amount_minor": step.amount_minor,
        "at_ms": step.at_ms,
    })
}
