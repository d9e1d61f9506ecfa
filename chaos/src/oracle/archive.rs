//! The files of the archive, read as their form says: by this module and not by the code of those who write them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use scrip_client::{OrderId, RequestId, TemplateId, UserId};
use scrip_protocol::v1::StepKind;
use scrip_shard_config::{PrimaryId, SubStock};
use serde::Deserialize;

use super::view::{CouponRow, StepRow};

/// A coupon in a file.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) user: u64,
    template: u32,
    seq: u16,
    /// 32 hexadecimal digits.
    request: String,
    sub_stock: u16,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    step: u16,
    kind: String,
    order: Option<String>,
}

impl Line {
    /// `None`: it names no template, or no request.
    pub(super) fn coupon(&self, primary: PrimaryId, home: PrimaryId) -> Option<CouponRow> {
        let mut request = [0; 16];
        hex::decode_to_slice(&self.request, &mut request).ok()?;
        Some(CouponRow {
            primary,
            home,
            user: UserId(self.user),
            template: TemplateId::try_new(self.template).ok()?,
            seq: u32::from(self.seq),
            request: RequestId(request),
            sub_stock: SubStock(self.sub_stock),
            archived: true,
        })
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = StepRow> {
        let step = |step: &Step| {
            Some(StepRow {
                user: UserId(self.user),
                template: TemplateId::try_new(self.template).ok()?,
                seq: self.seq,
                number: step.step,
                kind: kind(&step.kind),
                order: step.order.as_deref().and_then(|order| OrderId::try_new(order).ok()),
            })
        };
        self.steps.iter().filter_map(step)
    }
}

fn kind(name: &str) -> StepKind {
    match name {
        "locked" => StepKind::Locked,
        "redeemed" => StepKind::Redeemed,
        "unlocked" => StepKind::Unlocked,
        "returned" => StepKind::Returned,
        "barred" => StepKind::Barred,
        "expired" => StepKind::Expired,
        "freed" => StepKind::Freed,
        _ => StepKind::Unspecified,
    }
}

/// The coupons in these files of a folder. One that has not got its name yet is as good; of one that is not there nothing is, and
/// what it held is missing.
///
/// # Errors
/// When a file cannot be read, or is no archive's.
pub(super) async fn read(folder: PathBuf, names: Vec<String>) -> io::Result<Vec<Line>> {
    let read = move || {
        let mut lines = Vec::new();
        for name in &names {
            let found =
                [name.clone(), format!("{name}.part")].iter().find_map(|name| File::open(folder.join(name)).ok());
            if let Some(file) = found {
                lines.extend(coupons(file).map_err(|error| io::Error::other(format!("{name}: {error}")))?);
            }
        }
        Ok(lines)
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// All lines but the first and the last, which say what the file is and what was before them.
fn coupons(file: File) -> io::Result<Vec<Line>> {
    let lines: Vec<String> = BufReader::new(GzDecoder::new(BufReader::new(file))).lines().collect::<io::Result<_>>()?;
    let Some((_, [middle @ .., _])) = lines.split_first() else { return Err(io::Error::other("it is not whole")) };
    middle.iter().map(|line| serde_json::from_str(line).map_err(io::Error::other)).collect()
}

/// How many parts there are: files that are not registered, or have not got their names yet.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn parts(folder: &Path) -> io::Result<usize> {
    let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name()));
    let names: Vec<_> = names.collect::<io::Result<_>>()?;
    Ok(names.iter().filter(|name| Path::new(name).extension().is_some_and(|last| last == "part")).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_coupon_and_its_log() {
        // As proxy/src/archive/line.rs has it.
        let text = concat!(
            r#"{"coupon":"01010101010101010101010101010101","number":"TEN-1","user":42,"template":7,"seq":1,"#,
            r#""request":"07070707070707070707070707070707","sub_stock":3,"status":"used","claimed_at_ms":1000,"#,
            r#""valid_from_ms":1000,"valid_until_ms":3000,"steps":[{"step":1,"kind":"redeemed","order":"order-1","#,
            r#""state":"used","holder":"order-1","locked_until_ms":0,"amount_minor":500,"at_ms":2000}]}"#
        );
        let line: Line = serde_json::from_str(text).expect("a coupon");
        let template = TemplateId::try_new(7).expect("not zero");
        let coupon = CouponRow {
            primary: PrimaryId(2),
            home: PrimaryId(3),
            user: UserId(42),
            template,
            seq: 1,
            request: RequestId([7; 16]),
            sub_stock: SubStock(3),
            archived: true,
        };
        assert_eq!(line.coupon(PrimaryId(2), PrimaryId(3)), Some(coupon));
        let order = OrderId::try_new("order-1").ok();
        let step = StepRow { user: UserId(42), template, seq: 1, number: 1, kind: StepKind::Redeemed, order };
        assert_eq!(line.steps().collect::<Vec<_>>(), [step]);
    }
}
