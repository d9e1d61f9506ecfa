//! Progress bars, on standard error; none where that is not a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use scrip_client::{AddBulkUsersError, Bulk, BulkJobId, BulkJobState, BulkProgress, GetBulkJobError, UserId};

/// How often a job is asked for: the proxies count its entries for it.
const ASK_EVERY: Duration = Duration::from_secs(1);

const SHORTER: &str =
    "a primary has lost a part of the job's list; give the same list with the same --request-id again";

fn bar(what: &str, users: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:40}] {human_pos} of {human_len} {msg}");
    let bar = ProgressBar::new(users).with_prefix(what.to_owned());
    // The template is a constant; without it the bar looks plain.
    match style {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Adds the users of a list.
pub(super) async fn upload(bulk: &Bulk, job: BulkJobId, users: Vec<UserId>) -> Result<(), AddBulkUsersError> {
    let bar = bar("upload", users.len() as u64);
    let uploaded = bulk.upload(job, users, |added| bar.set_position(added)).await;
    bar.finish_and_clear();
    uploaded
}

/// Until the job ends. A moment without an answer is no reason to stop looking.
pub(super) async fn run(bulk: &Bulk, job: BulkJobId) -> Result<BulkProgress, GetBulkJobError> {
    let mut progress = bulk.progress(job).await?;
    let bar = bar(&format!("job {job}"), progress.job.users);
    while !progress.job.state.is_final() {
        bar.set_length(progress.job.users);
        bar.set_position(progress.done());
        bar.set_message(pace(&progress));
        tokio::time::sleep(ASK_EVERY).await;
        let now = match bulk.progress(job).await {
            Ok(progress) => progress,
            Err(GetBulkJobError::Unavailable(_) | GetBulkJobError::DeadlineExceeded(_)) => continue,
            Err(error) => return Err(error),
        };
        if now.job.state == BulkJobState::Uploading && progress.job.state != BulkJobState::Uploading {
            bar.suspend(|| eprintln!("{job}: {SHORTER}"));
        }
        progress = now;
    }
    bar.finish_and_clear();
    Ok(progress)
}

fn pace(progress: &BulkProgress) -> String {
    let state = format!("{:?}", progress.job.state).to_lowercase();
    match progress.left {
        Some(left) => format!("{state}, {} a second, {} s left", progress.recent_per_s, left.as_secs()),
        None => state,
    }
}
