//! Exchange codes on the command line.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use scrip_client::{Client, CodeBatch, CodeBatchId, CodeBatchQuery, NewCodeBatch, RequestId, TemplateId, UserId};
use serde_json::{Value, json};

use super::applied;
use super::arguments::template_id;
use super::command::minted;
use super::show::{self, Trouble};

#[derive(Debug, Subcommand)]
pub(crate) enum CodesCommand {
    /// Create a batch of codes of a template.
    Create {
        /// The template's id.
        #[arg(long, value_parser = template_id)]
        template: TemplateId,
        /// How many codes.
        #[arg(long)]
        count: u32,
        /// How many users can use each code, once each.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// 32 hexadecimal digits of an earlier create, to send that one again; else one is minted.
        #[arg(long)]
        request_id: Option<RequestId>,
    },
    /// A batch.
    Show(Id),
    /// All batches.
    List,
    /// Accept no code of a batch any more, but from users who have used it; for good.
    Revoke(Id),
    /// Write the codes of a batch to a CSV file with the one column code.
    Export {
        #[command(flatten)]
        id: Id,
        /// The file. It is there when it is complete, and only its owner can read it.
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Claim the coupon that a code gives a user. Sent again it gives the same coupon.
    Claim {
        /// The user's id.
        #[arg(long)]
        user: u64,
        /// The code; dashes, blanks and lower case make no difference.
        #[arg(long)]
        code: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Id {
    /// The batch's id.
    #[arg(value_parser = batch_id)]
    batch: CodeBatchId,
}

pub(super) async fn run(client: &Client, command: CodesCommand) -> Result<Value, Trouble> {
    let codes = client.codes();
    let batch = match command {
        CodesCommand::Create { template, count, uses, request_id } => {
            codes.create(minted(request_id), NewCodeBatch { template, count, uses }).await?
        }
        CodesCommand::Show(Id { batch }) => codes.get(batch).await?,
        CodesCommand::Revoke(Id { batch }) => codes.revoke(batch).await?,
        CodesCommand::List => return list(client).await,
        CodesCommand::Export { id, output } => return export(client, id.batch, &output).await,
        CodesCommand::Claim { user, code } => {
            let coupon = client.claim_by_code(UserId(user), &code).await?;
            return Ok(applied("coupon", show::coupon(&coupon)));
        }
    };
    Ok(applied("batch", show_batch(&batch)))
}

async fn list(client: &Client) -> Result<Value, Trouble> {
    let mut query = CodeBatchQuery::default();
    let mut batches: Vec<CodeBatch> = Vec::new();
    loop {
        let page = client.codes().list(&query).await?;
        batches.extend(page.batches);
        query.after = page.next;
        if query.after.is_none() {
            return Ok(applied("batches", batches.iter().map(show_batch).collect()));
        }
    }
}

/// Writes the file beside its place and then puts it there, so that a part of it is never taken for the whole.
async fn export(client: &Client, batch: CodeBatchId, path: &Path) -> Result<Value, Trouble> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let unwritable =
        |error: &dyn std::fmt::Display| Trouble::Usage(format!("{} cannot be written: {error}", path.display()));
    let mut file = csv::Writer::from_writer(private(&part).map_err(|error| unwritable(&error))?);
    file.write_record(["code"]).map_err(|error| unwritable(&error))?;
    let (mut codes, mut count) = (client.codes().export(batch), 0_u64);
    while let Some(code) = codes.next().await? {
        file.write_record([code]).map_err(|error| unwritable(&error))?;
        count += 1;
    }
    let file = file.into_inner().map_err(|error| unwritable(&error.error()))?;
    file.sync_all().and_then(|()| fs::rename(&part, path)).map_err(|error| unwritable(&error))?;
    Ok(applied("codes", json!({ "file": path.display().to_string(), "codes": count })))
}

/// A file that only its owner can read, where the system knows owners: whoever reads a code can use it.
fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn show_batch(batch: &CodeBatch) -> Value {
    json!({
        "batch": batch.batch.get(),
        "template": batch.new.template.get(),
        "count": batch.new.count,
        "uses": batch.new.uses,
        "status": format!("{:?}", batch.status).to_lowercase(),
        "created_at_ms": batch.created_at_ms,
        "request_id": batch.request_id.to_string(),
    })
}

fn batch_id(text: &str) -> Result<CodeBatchId, String> {
    let number = text.parse().map_err(|_| "the id of a batch of codes is 1 to 16777215".to_owned())?;
    CodeBatchId::try_new(number).map_err(|error| error.to_string())
}
