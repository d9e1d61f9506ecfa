//! A bulk job beside the load: what callers feel of it, and how fast it is.

use std::time::{Duration, Instant};

use scrip_client::{
    BulkJobId, BulkJobState, Client, NewBulkJob, TemplateDefinition, UserId, Validity, mint_request_id,
};

use crate::Error;
use crate::screen::Screen;

/// How long a job may take after the load.
const END_MAX: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Users whom no workload has.
const FIRST_USER: u64 = 1 << 60;

/// A job under way.
pub(crate) struct Beside<'a> {
    client: &'a Client,
    job: BulkJobId,
    users: u64,
    began: Instant,
}

impl<'a> Beside<'a> {
    /// Starts a job of so many users, with a template of its own; `None`: of none.
    pub(crate) async fn start(client: &'a Client, users: u64) -> Result<Option<Self>, Error> {
        if users == 0 {
            return Ok(None);
        }
        let validity = Validity::Relative { starts_after_s: 0, lasts_s: 86_400 };
        let definition = TemplateDefinition::new("in bulk", users, 1, validity);
        let template = client.create_template(mint_request_id(), definition).await?.template;
        client.publish(template).await?;
        let list = (FIRST_USER..FIRST_USER + users).map(UserId);
        let job = client.bulk().submit(mint_request_id(), NewBulkJob::new(template), list).await?;
        Ok(Some(Self { client, job: job.job, users, began: Instant::now() }))
    }

    /// Says how far it came beside the load, and waits for its end: everybody on its list has a coupon, or the run is void.
    pub(crate) async fn end(self, screen: Screen) -> Result<(), Error> {
        let beside = self.client.bulk().progress(self.job).await?;
        let (issued, users, took) = (beside.issued, self.users, self.began.elapsed().as_secs_f64());
        screen.say(&format!("  bulk job: {issued} of {users} issued beside the load, in {took:.1} s"));
        let until = Instant::now() + END_MAX;
        loop {
            let progress = self.client.bulk().progress(self.job).await?;
            if progress.job.state == BulkJobState::Finished && progress.issued == self.users {
                screen.say(&format!("  bulk job: {users} issued in {:.1} s", self.began.elapsed().as_secs_f64()));
                return Ok(());
            }
            if progress.job.state.is_final() || Instant::now() >= until {
                return Err(Error::Void(format!("the bulk job did not issue to all {users} users: {progress:?}")));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
