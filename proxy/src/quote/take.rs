//! What one benefit takes off what is left of an order.

use scrip_protocol::limits::BASIS_POINTS_MAX;
use scrip_protocol::v1::TemplateDefinition;
use scrip_protocol::v1::template_definition::Benefit;

use super::Left;

/// What one coupon takes off, in minor units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Of each line of the order.
    pub lines: Vec<u64>,
    /// Of the shipping.
    pub shipping: u64,
    /// It adds a gift.
    pub gift: bool,
}

impl Taken {
    /// All of it. An order is far below the range of the number.
    pub fn total(&self) -> u64 {
        self.lines.iter().sum::<u64>() + self.shipping
    }

    /// Neither money nor a gift.
    pub(super) fn is_nothing(&self) -> bool {
        self.total() == 0 && !self.gift
    }
}

/// Takes a benefit off what is left of the lines to which it applies, or off the shipping.
pub(super) fn take(definition: &TemplateDefinition, lines: &[usize], left: &mut Left) -> Taken {
    let mut taken = Taken { lines: vec![0; left.lines.len()], ..Taken::default() };
    match &definition.benefit {
        None => {}
        Some(Benefit::AmountOff(off)) => off_lines(off.amount_minor, lines, left, &mut taken),
        Some(Benefit::PercentageOff(off)) => {
            let sum: u64 = lines.iter().map(|&index| left.lines[index]).sum();
            let part = percentage(sum, off.basis_points).min(off.cap_minor.unwrap_or(u64::MAX));
            off_lines(part, lines, left, &mut taken);
        }
        Some(Benefit::FreeShipping(free)) => {
            taken.shipping = left.shipping.min(free.cap_minor.unwrap_or(u64::MAX));
            left.shipping -= taken.shipping;
        }
        Some(Benefit::Gift(_)) => taken.gift = true,
    }
    taken
}

/// Rounded down to a minor unit.
fn percentage(sum: u64, basis_points: u32) -> u64 {
    let part = u128::from(sum) * u128::from(basis_points.min(BASIS_POINTS_MAX)) / u128::from(BASIS_POINTS_MAX);
    // At most the sum.
    u64::try_from(part).unwrap_or(sum)
}

/// Splits an amount, or all that is left of the lines if that is less, over them.
fn off_lines(amount: u64, lines: &[usize], left: &mut Left, taken: &mut Taken) {
    let weights: Vec<u64> = lines.iter().map(|&index| left.lines[index]).collect();
    for (&index, part) in lines.iter().zip(split(amount, &weights)) {
        left.lines[index] -= part;
        taken.lines[index] = part;
    }
}

/// Parts of an amount in proportion to the weights, none above its weight, summing up to the amount or to all weights if
/// that is less. By largest remainder: each part is rounded down, and what is missing goes, one each, to the parts that lost the
/// most, of equal ones to the earlier. A part that lost anything was below its weight, so one more does not exceed it.
fn split(amount: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|&weight| u128::from(weight)).sum();
    let amount = u128::from(amount).min(sum);
    let exact = |weight: u64| amount * u128::from(weight);
    // At most the weight.
    let part = |weight: u64| u64::try_from(exact(weight) / sum.max(1)).unwrap_or(weight);
    let mut parts: Vec<u64> = weights.iter().map(|&weight| part(weight)).collect();
    let given: u128 = parts.iter().map(|&part| u128::from(part)).sum();
    let missing = usize::try_from(amount - given).unwrap_or(0);
    let mut by_loss: Vec<usize> = (0..weights.len()).collect();
    // A stable sort: of equal remainders the earlier line comes first.
    by_loss.sort_by_key(|&index| std::cmp::Reverse(exact(weights[index]) % sum.max(1)));
    for &index in &by_loss[..missing] {
        parts[index] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_split_by_largest_remainder() {
        let check = |amount, weights: &[u64], expect: &[u64]| {
            assert_eq!(split(amount, weights), expect, "{amount} over {weights:?}");
        };
        check(10, &[], &[]);
        check(10, &[0, 0], &[0, 0]);
        check(0, &[5, 5], &[0, 0]);
        check(10, &[100, 100], &[5, 5]);
        check(10, &[100, 100, 100], &[4, 3, 3]);
        check(11, &[100, 100, 100], &[4, 4, 3]);
        check(10, &[1, 2, 4], &[1, 2, 4]);
        check(6, &[1, 2, 4], &[1, 2, 3]);
        check(5, &[1, 2, 4], &[1, 1, 3]);
        check(1, &[1, 1, 0], &[1, 0, 0]);
        check(2, &[0, 1, 7], &[0, 0, 2]);
        check(100, &[10, 20], &[10, 20]);
        let large = 1_000_000_000_000_000;
        check(large - 1, &[large / 2, large / 2], &[large / 2, large / 2 - 1]);
    }

    #[test]
    fn percentages_are_rounded_down() {
        let check = |sum, basis_points, expect| assert_eq!(percentage(sum, basis_points), expect);
        check(0, 10_000, 0);
        check(999, 1_000, 99);
        check(1, 9_999, 0);
        check(1_000_000_000_000_000, 10_000, 1_000_000_000_000_000);
        check(1_000_000_000_000_000, 1, 100_000_000_000);
        check(33, 3_333, 10);
    }
}
