//! What the proxies count, from `/metrics`.

use std::ops::Sub;

use scrip_chaos::testbed::ProxyProcess;

use crate::Error;

/// Sums over all proxies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) transactions: u64,
    pub(crate) coupons: u64,
    pub(crate) deductions: u64,
    pub(crate) deducted_claims: u64,
    pub(crate) look_ups: u64,
    pub(crate) settles: u64,
    pub(crate) conflicts: u64,
    pub(crate) fenced: u64,
}

impl Counts {
    pub(crate) async fn read(proxies: &[ProxyProcess]) -> Result<Self, Error> {
        let mut sum = Self::default();
        for proxy in proxies {
            sum.add(&proxy.admin_get("/metrics").await?);
        }
        Ok(sum)
    }

    fn add(&mut self, metrics: &str) {
        for line in metrics.lines() {
            let Some((name, value)) = line.split_once(' ') else { continue };
            let field = match name {
                "scrip_transactions_total" => &mut self.transactions,
                "scrip_coupons_total" => &mut self.coupons,
                "scrip_deductions_total" => &mut self.deductions,
                "scrip_deducted_claims_total" => &mut self.deducted_claims,
                "scrip_look_ups_total" => &mut self.look_ups,
                "scrip_settles_total" => &mut self.settles,
                "scrip_conflicts_total" => &mut self.conflicts,
                "scrip_fenced_total" => &mut self.fenced,
                _ => continue,
            };
            *field += value.parse::<u64>().unwrap_or(0);
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            transactions: self.transactions - earlier.transactions,
            coupons: self.coupons - earlier.coupons,
            deductions: self.deductions - earlier.deductions,
            deducted_claims: self.deducted_claims - earlier.deducted_claims,
            look_ups: self.look_ups - earlier.look_ups,
            settles: self.settles - earlier.settles,
            conflicts: self.conflicts - earlier.conflicts,
            fenced: self.fenced - earlier.fenced,
        }
    }
}

/// 0 when there is nothing to divide by.
pub(crate) fn ratio(count: u64, by: u64) -> f64 {
    if by == 0 { 0.0 } else { count as f64 / by as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_several_proxies_are_added() {
        let mut counts = Counts::default();
        let metrics =
            "# HELP scrip_coupons_total Coupons recorded.\nscrip_coupons_total 70\nscrip_transactions_total 2\n";
        counts.add(metrics);
        counts.add(metrics);
        assert_eq!((counts.coupons, counts.transactions), (140, 4));
        assert!((ratio(counts.coupons, counts.transactions) - 35.0).abs() < 1e-9);
        assert!(ratio(1, 0).abs() < 1e-9);
    }
}
