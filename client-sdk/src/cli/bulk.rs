//! Bulk issue on the command line.

mod results;
mod users;
mod watch;

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use scrip_client::{
    BulkJob, BulkJobId, BulkJobQuery, BulkJobState, BulkList, BulkProgress, Client, NewBulkJob, RequestId, TemplateId,
    UserId,
};
use serde_json::{Value, json};

use super::applied;
use super::arguments::{duration, template_id};
use super::command::minted;
use super::show::{self, Trouble};
use users::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum BulkCommand {
    /// Issue one coupon of a template to every user of a list. The same list under the same request id goes on where it stopped,
    /// and never issues twice.
    Create(Box<Create>),
    /// How far a job is.
    Status(Id),
    /// A progress bar until a job ends.
    Watch(Id),
    /// Issue nothing until it is resumed.
    Pause(Id),
    /// Go on.
    Resume(Id),
    /// End a job for good; coupons that were issued stay.
    Cancel(Id),
    /// All jobs.
    List,
    /// Write who got what, and who did not and why, to a CSV file: user_id, result, coupon_id, detail.
    Results {
        #[command(flatten)]
        id: Id,
        /// The file. It is there when it is complete.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The job's id.
    #[arg(value_parser = job_id)]
    job: BulkJobId,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The template's id.
    #[arg(long, value_parser = template_id)]
    template: TemplateId,
    /// The users: CSV (the column user_id, or the first one) or NDJSON (numbers, or objects with user_id), by its extension. It is
    /// read and checked to its end before anything is sent.
    #[arg(long, value_name = "FILE", required_unless_present = "first", conflicts_with_all = ["first", "last"])]
    file: Option<PathBuf>,
    /// What the file is, where its extension does not tell.
    #[arg(long, requires = "file")]
    format: Option<Format>,
    /// Instead of a file: every user from this one ...
    #[arg(long, value_name = "USER", requires = "last")]
    first: Option<u64>,
    /// ... to this one, both included.
    #[arg(long, value_name = "USER", requires = "first")]
    last: Option<u64>,
    /// At most so many users a second, over all proxies; else as fast as claims leave room for.
    #[arg(long, value_name = "USERS")]
    rate: Option<u32>,
    /// Not before this, in milliseconds since 1970-01-01 UTC.
    #[arg(long, conflicts_with = "start_in")]
    start_at_ms: Option<i64>,
    /// Not before so long from now, such as 2h.
    #[arg(long, value_parser = duration)]
    start_in: Option<Duration>,
    /// 32 hexadecimal digits of an earlier create, to go on with that one; else one is minted.
    #[arg(long)]
    request_id: Option<RequestId>,
    /// Stay, with a progress bar, until the job ends.
    #[arg(long)]
    watch: bool,
}

/// Whom a job is for.
enum List {
    /// Every one different.
    Users(Vec<UserId>),
    /// Both included.
    Range(UserId, UserId),
}

pub(super) async fn run(client: &Client, command: BulkCommand) -> Result<Value, Trouble> {
    let bulk = client.bulk();
    let job = match command {
        BulkCommand::Create(create) => return self::create(client, *create).await,
        BulkCommand::Status(Id { job }) => return Ok(applied("job", progress(&bulk.progress(job).await?))),
        BulkCommand::Watch(Id { job }) => return Ok(applied("job", progress(&watch::run(&bulk, job).await?))),
        BulkCommand::List => return list(client).await,
        BulkCommand::Results { id, output } => return results::write(&bulk, id.job, &output).await,
        BulkCommand::Pause(Id { job }) => bulk.pause(job).await?,
        BulkCommand::Resume(Id { job }) => bulk.resume(job).await?,
        BulkCommand::Cancel(Id { job }) => bulk.cancel(job).await?,
    };
    Ok(applied("job", show_job(&job)))
}

async fn create(client: &Client, create: Create) -> Result<Value, Trouble> {
    let list = whom(&create)?;
    let start_at_ms = match create.start_in {
        Some(wait) => Some(in_ms(wait)),
        None => create.start_at_ms,
    };
    let bulk = client.bulk();
    let new = NewBulkJob { template: create.template, rate_per_s: create.rate, start_at_ms };
    let job = bulk.create(minted(create.request_id), new).await?;
    let described = described(&list);
    if job.state == BulkJobState::Uploading {
        match list {
            List::Users(list) => watch::upload(&bulk, job.job, list).await?,
            List::Range(first, last) => bulk.add_range(job.job, first, last).await?,
        }
    }
    let job = bulk.start(job.job, described).await?;
    if create.watch {
        eprintln!("job {}", job.job);
        return Ok(applied("job", progress(&watch::run(&bulk, job.job).await?)));
    }
    Ok(applied("job", show_job(&job)))
}

fn whom(create: &Create) -> Result<List, Trouble> {
    match (&create.file, create.first, create.last) {
        (Some(file), ..) => users::read(file, create.format).map(List::Users).map_err(Trouble::Usage),
        (None, Some(first), Some(last)) if first <= last => Ok(List::Range(UserId(first), UserId(last))),
        (None, Some(first), Some(last)) => {
            Err(Trouble::Usage(format!("--last is {last}: give at least --first, which is {first}")))
        }
        (None, ..) => Err(Trouble::Usage("give --file FILE, or --first USER and --last USER".to_owned())),
    }
}

fn described(list: &List) -> BulkList {
    match list {
        List::Users(list) => BulkList::of_different(list.iter().copied()),
        List::Range(first, last) => BulkList::of_different((first.get()..=last.get()).map(UserId)),
    }
}

fn in_ms(wait: Duration) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from((now + wait).as_millis()).unwrap_or(i64::MAX)
}

async fn list(client: &Client) -> Result<Value, Trouble> {
    let mut query = BulkJobQuery::default();
    let mut jobs: Vec<BulkJob> = Vec::new();
    loop {
        let page = client.bulk().jobs(&query).await?;
        jobs.extend(page.jobs);
        query.after = page.next;
        if query.after.is_none() {
            return Ok(applied("jobs", jobs.iter().map(show_job).collect()));
        }
    }
}

fn show_job(job: &BulkJob) -> Value {
    json!({
        "job": job.job.get(),
        "template": job.new.template.get(),
        "state": format!("{:?}", job.state).to_lowercase(),
        "users": job.users,
        "rate_per_s": job.new.rate_per_s,
        "start_at_ms": job.new.start_at_ms,
        "created_at_ms": job.created_at_ms,
        "request_id": job.request_id.to_string(),
    })
}

fn progress(progress: &BulkProgress) -> Value {
    let mut shown = show_job(&progress.job);
    let refused: serde_json::Map<String, Value> =
        progress.refused.iter().map(|(code, users)| (show::name(*code).to_owned(), json!(users))).collect();
    shown["issued"] = json!(progress.issued);
    shown["refused"] = Value::Object(refused);
    shown["pending"] = json!(progress.pending);
    shown["recent_per_s"] = json!(progress.recent_per_s);
    shown["left_ms"] = json!(progress.left.map(|left| left.as_millis() as u64));
    shown
}

fn job_id(text: &str) -> Result<BulkJobId, String> {
    let number = text.parse().map_err(|_| "the id of a bulk job is 1 to 4294967295".to_owned())?;
    BulkJobId::try_new(number).map_err(|error| error.to_string())
}
