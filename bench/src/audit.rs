//! Is the count right? The proxy's own audit of the promises, and beside it what callers were told against the rows.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};
use scrip_chaos::evidence;
use scrip_chaos::testbed::Testbed;

use crate::Error;
use crate::book::{Bits, Book};
use crate::deployment::Deployment;
use crate::report::Audit;
use crate::sql;
use crate::workload::Workload;

const AUDIT_MAX: Duration = Duration::from_secs(600);

/// Both checks; `query` selects the requests behind all coupons of the templates whose list is put behind it.
///
/// # Errors
/// When one of them could not be made. A count that is wrong is in the result.
pub(crate) async fn audit(
    deployment: &Deployment,
    workload: &Workload,
    book: &Book,
    query: &str,
) -> Result<Audit, Error> {
    let rows = Rows::read(&deployment.testbed, workload, query).await?;
    let verdict = evidence::audit(&deployment.testbed, &deployment.proxies, AUDIT_MAX).await?;
    let kind = workload.kind();
    let total = kind.stock() * workload.templates().len() as u64;
    Ok(Audit {
        verdict: verdict.verdict,
        findings: verdict.findings.iter().take(20).map(ToString::to_string).collect(),
        rows: rows.count,
        acknowledged: book.acknowledged.len(),
        oversold: rows.count.saturating_sub(total),
        lost: book.acknowledged.without(&rows.requests),
        duplicate: rows.twice + book.made_twice,
        // Only where everything is said to be sold can something be left unsold.
        unsold: if kind == crate::workload::Kind::Soldout { total.saturating_sub(rows.count) } else { 0 },
        unacknowledged: rows.requests.without(&book.acknowledged),
        foreign: rows.foreign,
        unknown: book.unknown.len() as u64,
        misread: 0,
    })
}

/// The coupons of a workload as the primaries hold them.
#[derive(Debug, Default)]
struct Rows {
    count: u64,
    requests: Bits,
    /// Rows of a request that has another.
    twice: u64,
    /// Rows of no request of this workload.
    foreign: u64,
}

impl Rows {
    /// One scan of each primary, however many templates there are.
    async fn read(testbed: &Testbed, workload: &Workload, query: &str) -> Result<Self, Error> {
        let query = sql::of_templates(query, workload.templates());
        let mut rows = Self::default();
        for primary in testbed.primaries() {
            let mut conn = Conn::new(Opts::from(primary.options().prefer_socket(false))).await?;
            conn.query_iter(query.as_str())
                .await?
                .for_each_and_drop(|row| {
                    let id: Option<Vec<u8>> = row.get(0);
                    rows.add(id.and_then(|id| workload.request_of(&id)));
                })
                .await?;
            conn.disconnect().await?;
        }
        Ok(rows)
    }

    fn add(&mut self, request: Option<u64>) {
        self.count += 1;
        match request {
            Some(request) => self.twice += u64::from(!self.requests.insert(request)),
            None => self.foreign += 1,
        }
    }
}
