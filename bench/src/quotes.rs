//! Orders that are quoted, and whether every answer is the same: all users hold the same coupons.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use scrip_client::{Benefit, Combination, Failure, Order, OrderLine, Quote, Rules, Stacking};

use crate::Error;
use crate::readers::Readers;
use crate::spawned::Requests;

/// Lines of an order.
const LINES: u64 = 5;
const CURRENCY: &str = "EUR";

/// The rules of the template with this number: all kinds of benefits in turn, which all stack.
pub(crate) fn rules(number: usize) -> Rules {
    let benefit = match number % 5 {
        0 => Benefit::AmountOff { amount_minor: 1_000 },
        1 => Benefit::PercentageOff { basis_points: 1_250, cap_minor: Some(5_000) },
        2 => Benefit::PercentageOff { basis_points: 333, cap_minor: None },
        3 => Benefit::FreeShipping { cap_minor: None },
        _ => Benefit::Gift { product: "mug".to_owned() },
    };
    let stacking = Stacking::Group { name: "bench".to_owned(), with_itself: false };
    Rules { benefit: Some(benefit), currency: Some(CURRENCY.to_owned()), stacking, ..Rules::default() }
}

fn order() -> Order {
    let line = |number: u64| OrderLine {
        line_id: number.to_string(),
        product: format!("product {number}"),
        unit_price_minor: 1_999 + number * 501,
        quantity: 2,
        ..OrderLine::default()
    };
    let lines = (1..=LINES).map(line).collect();
    Order { lines, currency: CURRENCY.to_owned(), shipping_minor: 800, ..Order::default() }
}

/// What a combination comes to, but for whose coupons they are.
type Sum = (usize, u64, Vec<u64>, u64);

fn sum(best: &Combination) -> Sum {
    (best.coupons.len(), best.discount_minor, best.line_discounts_minor.clone(), best.payable_minor)
}

/// Quotes of one order for users in no order.
pub(crate) struct Quotes {
    readers: Arc<Readers>,
    order: Order,
    /// What the first answer came to.
    expected: OnceLock<Sum>,
    /// Answers that came to something else.
    wrong: AtomicU64,
}

impl Quotes {
    pub(crate) fn new(readers: Arc<Readers>) -> Self {
        Self { readers, order: order(), expected: OnceLock::new(), wrong: AtomicU64::new(0) }
    }

    /// Answers that were not what they had to be, since the last call.
    pub(crate) fn take_wrong(&self) -> u64 {
        self.wrong.swap(0, Ordering::Relaxed)
    }

    fn is_right(&self, quote: &Quote) -> bool {
        let Some(best) = &quote.best else { return false };
        let all = best.line_discounts_minor.iter().sum::<u64>() + best.shipping_discount_minor;
        let adds_up = all == best.discount_minor
            && best.payable_minor + best.discount_minor == quote.goods_minor + quote.shipping_minor;
        let is_whole = quote.is_exhaustive && quote.applicable.len() == self.readers.coupons();
        let sum = sum(best);
        adds_up && is_whole && *self.expected.get_or_init(|| sum.clone()) == sum
    }
}

impl Requests for Quotes {
    async fn ask(&self, number: u64) -> Result<Result<(), Failure>, Error> {
        let (client, user) = self.readers.pick(number);
        match client.quote(user, &self.order, &[]).await {
            Ok(quote) => {
                self.wrong.fetch_add(u64::from(!self.is_right(&quote)), Ordering::Relaxed);
                Ok(Ok(()))
            }
            Err(error) => Ok(Err(error.failure().clone())),
        }
    }
}
