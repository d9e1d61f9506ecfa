//! Results as a CSV file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use scrip_client::{Bulk, BulkJobId, BulkOutcome, BulkResult};
use serde_json::{Value, json};

use crate::cli::applied;
use crate::cli::show::{self, Trouble};

/// Writes the file beside its place and then puts it there, so that a part of it is never taken for the whole.
pub(super) async fn write(bulk: &Bulk, job: BulkJobId, path: &Path) -> Result<Value, Trouble> {
    let progress = bulk.progress(job).await?;
    let part = part_of(path);
    let unwritable =
        |error: &dyn std::fmt::Display| Trouble::Usage(format!("{} cannot be written: {error}", path.display()));
    let mut file = csv::Writer::from_writer(File::create(&part).map_err(|error| unwritable(&error))?);
    file.write_record(["user_id", "result", "coupon_id", "detail"]).map_err(|error| unwritable(&error))?;
    let (mut results, mut users) = (bulk.results(job), 0_u64);
    while let Some(result) = results.next().await? {
        file.write_record(row(&result)).map_err(|error| unwritable(&error))?;
        users += 1;
    }
    let file = file.into_inner().map_err(|error| unwritable(&error.error()))?;
    file.sync_all().and_then(|()| fs::rename(&part, path)).map_err(|error| unwritable(&error))?;
    let shown = path.display().to_string();
    Ok(applied("results", json!({ "file": shown, "users": users, "final": progress.job.state.is_final() })))
}

fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

fn row(result: &BulkResult) -> [String; 4] {
    let (name, coupon, detail) = match result.outcome {
        BulkOutcome::Pending => ("PENDING", String::new(), ""),
        BulkOutcome::Issued(coupon) => ("OK", coupon.to_string(), ""),
        BulkOutcome::Refused(code) => (show::name(code), String::new(), code.cause()),
    };
    [result.user.to_string(), name.to_owned(), coupon, detail.to_owned()]
}
