//! What the proxies count, from `/metrics`.

mod stages;

use std::collections::BTreeMap;
use std::ops::Sub;

use scrip_chaos::testbed::ProxyProcess;

use crate::Error;

/// Every sample of every proxy, by name and labels; those of several proxies are added.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Counts(BTreeMap<String, f64>);

impl Counts {
    pub(crate) async fn read(proxies: &[ProxyProcess]) -> Result<Self, Error> {
        let mut sum = Self::default();
        for proxy in proxies {
            sum.add(&proxy.admin_get("/metrics").await?);
        }
        Ok(sum)
    }

    /// What a way without a proxy counted under the names that proxies use.
    pub(crate) fn of(counts: &[(&str, u64)]) -> Self {
        Self(counts.iter().map(|(name, count)| (format!("scrip_{name}_total"), *count as f64)).collect())
    }

    /// The count of `scrip_NAME_total`; 0 if nobody counts it.
    pub(crate) fn total(&self, name: &str) -> u64 {
        self.0.get(&format!("scrip_{name}_total")).map_or(0, |value| *value as u64)
    }

    fn add(&mut self, metrics: &str) {
        for line in metrics.lines().filter(|line| !line.starts_with('#')) {
            // Labels may hold spaces, values do not.
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            if let Ok(value) = value.parse::<f64>() {
                *self.0.entry(name.to_owned()).or_default() += value;
            }
        }
    }

    /// Label and value of each sample of this name, where `label` is the only label or the first of two.
    fn labelled<'a>(&'a self, name: &'a str, label: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let samples = self.0.iter().filter_map(move |(sample, value)| Some((sample.strip_prefix(name)?, *value)));
        samples.filter_map(move |(labels, value)| {
            let rest = labels.strip_prefix('{')?.strip_prefix(label)?.strip_prefix("=\"")?;
            Some((rest.split('"').next()?, value))
        })
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        let before = |name: &String| earlier.0.get(name).copied().unwrap_or(0.0);
        Self(self.0.iter().map(|(name, value)| (name.clone(), value - before(name))).collect())
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
        let metrics = "# HELP scrip_coupons_total Coupons recorded.\nscrip_coupons_total 70\nscrip_transactions_total 2\n\
             scrip_backend_calls_total{backend=\"shard s0\"} 4\n";
        counts.add(metrics);
        counts.add(metrics);
        assert_eq!((counts.total("coupons"), counts.total("transactions"), counts.total("fenced")), (140, 4, 0));
        let calls: Vec<_> = counts.labelled("scrip_backend_calls_total", "backend").collect();
        assert_eq!(calls, [("shard s0", 8.0)]);
        let later = Counts::of(&[("coupons", 150)]);
        assert_eq!((later - counts).total("coupons"), 10);
        assert!((ratio(140, 4) - 35.0).abs() < 1e-9 && ratio(1, 0).abs() < 1e-9);
    }
}
