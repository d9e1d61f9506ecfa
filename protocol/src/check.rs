//! Are the fields of a message within their limits? Every violation is found in one go, each with its field, its value
//! and a fix.
//!
//! Pure functions that a client calls before it sends and a proxy calls before it works. They do not know the time, the
//! template or the caller; what depends on those is the proxy's to decide.

mod bulk;
mod definition;
mod exchange;
mod order;
mod pack;
mod quote;
mod request;
mod response;
mod rule;

use std::fmt;
use std::ops::RangeInclusive;

pub use bulk::{
    check_add_bulk_users, check_create_bulk_job, check_get_bulk_job, check_list_bulk_jobs, check_list_bulk_results,
    check_set_bulk_job_state, check_start_bulk_job,
};
pub use definition::{check_definition, check_total_after};
pub use exchange::{
    check_claim_by_code, check_create_code_batch, check_export_codes, check_get_code_batch, check_list_code_batches,
    check_revoke_code_batch,
};
pub use order::{
    check_get_coupon, check_lock_coupons, check_redeem_coupons, check_return_coupons, check_unlock_coupons,
};
pub use pack::check_claim_pack;
pub use quote::check_quote;
pub use request::{
    check_claim, check_count_coupons, check_create_template, check_get_claim, check_get_template, check_hello,
    check_list_coupons, check_list_templates, check_replenish, check_request, check_set_template_status,
};
pub use response::check_response;

use crate::id::{BulkJobId, CodeBatchId, RequestId, TemplateId};
use crate::limits::{DETAIL_LEN_MAX, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, STALENESS_MAX_MS, VALUE_LEN_MAX};

/// One field that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The field, as the `.proto` file names it, with dots into messages: `definition.name`.
    pub field: &'static str,
    /// What it holds, shortened and without control characters; never a secret.
    pub value: String,
    /// What to give instead.
    pub fix: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}: {}", self.field, self.value, self.fix)
    }
}

/// The violations as the `detail` of a response, at most [`DETAIL_LEN_MAX`] bytes long.
pub fn detail(violations: &[Violation]) -> String {
    let lines: Vec<String> = violations.iter().map(Violation::to_string).collect();
    clip(lines.join("; "))
}

/// Cuts a text for `detail` to [`DETAIL_LEN_MAX`] bytes, between characters.
pub fn clip(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(DETAIL_LEN_MAX));
    text
}

/// The page size that a request asks for: 0 stands for [`PAGE_SIZE_DEFAULT`], and no page is above [`PAGE_SIZE_MAX`].
pub fn page_size(requested: u32) -> u32 {
    if requested == 0 { PAGE_SIZE_DEFAULT } else { requested.min(PAGE_SIZE_MAX) }
}

/// Collects violations. Formats nothing and allocates nothing while there are none.
#[derive(Default)]
struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, field: &'static str, value: impl fmt::Display, fix: impl Into<String>) {
        self.0.push(Violation { field, value: value.to_string(), fix: fix.into() });
    }

    fn range<T: PartialOrd + fmt::Display>(&mut self, field: &'static str, value: T, range: RangeInclusive<T>) {
        if !range.contains(&value) {
            self.add(field, value, format!("give {} to {}", range.start(), range.end()));
        }
    }

    fn bytes(&mut self, field: &'static str, len: usize, range: RangeInclusive<usize>) {
        if !range.contains(&len) {
            self.add(field, format!("{len} bytes"), format!("give {} to {} bytes", range.start(), range.end()));
        }
    }

    fn request_id(&mut self, field: &'static str, bytes: &[u8]) {
        if RequestId::try_from_slice(bytes).is_err() {
            self.add(field, format!("{} bytes", bytes.len()), "give the 16 bytes that were minted for this request");
        }
    }

    fn template_id(&mut self, field: &'static str, id: u32) {
        if TemplateId::try_new(id).is_err() {
            self.add(field, id, "give the id that CreateTemplate answered");
        }
    }

    fn bulk_job_id(&mut self, field: &'static str, id: u32) {
        if BulkJobId::try_new(id).is_err() {
            self.add(field, id, "give the id that CreateBulkJob answered");
        }
    }

    fn code_batch_id(&mut self, field: &'static str, id: u32) {
        if CodeBatchId::try_new(id).is_err() {
            self.add(field, id, "give the id that CreateCodeBatch answered");
        }
    }

    fn max_staleness_ms(&mut self, value: u32) {
        self.range("max_staleness_ms", value, 0..=STALENESS_MAX_MS);
    }

    fn page_size(&mut self, value: u32) {
        if value > PAGE_SIZE_MAX {
            self.add(
                "page_size",
                value,
                format!("give at most {PAGE_SIZE_MAX}, and ask for the next page with the cursor"),
            );
        }
    }
}

/// What a text holds, fit for a log: quoted, escaped, at most [`VALUE_LEN_MAX`] characters of it.
fn quoted(text: &str) -> String {
    let start: String = text.chars().take(VALUE_LEN_MAX).collect();
    let more = if start.len() < text.len() { "..." } else { "" };
    format!("{start:?}{more}")
}

#[cfg(test)]
mod tests;
