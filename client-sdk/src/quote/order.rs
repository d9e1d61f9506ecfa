//! What is to be quoted.

use scrip_protocol::v1;

/// What a user is about to buy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// 1 to 100.
    pub lines: Vec<OrderLine>,
    /// Three upper-case letters, as in ISO 4217.
    pub currency: String,
    /// In minor units.
    pub shipping_minor: u64,
    /// For templates that name platforms. Empty: none.
    pub platform: String,
    /// For templates that name regions. Empty: none.
    pub region: String,
    /// The moment for which validities are judged, in milliseconds since 1970-01-01 UTC. None: now.
    pub at_ms: Option<i64>,
}

/// One line of an order. Texts are the caller's own names, 1 to 64 bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrderLine {
    /// Differs from line to line.
    pub line_id: String,
    /// Which product.
    pub product: String,
    /// Of the product: at most 20.
    pub categories: Vec<String>,
    /// Who sells it. Empty: none.
    pub shop: String,
    /// Of one piece, in minor units.
    pub unit_price_minor: u64,
    /// At least 1.
    pub quantity: u32,
}

impl From<&Order> for v1::Order {
    fn from(order: &Order) -> Self {
        Self {
            lines: order.lines.iter().map(v1::OrderLine::from).collect(),
            currency: order.currency.clone(),
            shipping_minor: order.shipping_minor,
            platform: order.platform.clone(),
            region: order.region.clone(),
            at_ms: order.at_ms.unwrap_or(0),
        }
    }
}

impl From<&OrderLine> for v1::OrderLine {
    fn from(line: &OrderLine) -> Self {
        Self {
            line_id: line.line_id.clone(),
            product: line.product.clone(),
            categories: line.categories.clone(),
            shop: line.shop.clone(),
            unit_price_minor: line.unit_price_minor,
            quantity: line.quantity,
        }
    }
}
