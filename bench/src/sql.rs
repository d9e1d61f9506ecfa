//! Every SQL text of the bench.

use scrip_client::TemplateId;

/// The requests behind all coupons of the templates whose list is put behind it.
pub(crate) const REQUESTS: &str = "SELECT request_id FROM coupon WHERE template_id IN";
/// Redemptions of coupons of the templates whose list is put behind it.
pub(crate) const REDEEMED: &str = "SELECT COUNT(*) FROM coupon_step WHERE kind = 2 AND template_id IN";
/// A variable that the server does not have is a row that is missing.
pub(crate) const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', \
     'innodb_flush_log_at_trx_commit', 'innodb_doublewrite', 'innodb_flush_method', 'log_bin', 'sync_binlog', \
     'innodb_buffer_pool_size', 'innodb_log_file_size', 'innodb_redo_log_capacity')";

/// The start of the packet of the ceiling; the number of coupons follows.
pub(crate) const CEILING_LEDGER: &str = "BEGIN;UPDATE stock_ledger SET issued=issued+";
/// The start of its second statement; rows follow.
pub(crate) const CEILING_COUPONS: &str =
    ";INSERT INTO coupon (tail,user_id,template_id,seq,request_id,sub_stock,claimed_at_ms) VALUES ";
/// Its end.
pub(crate) const CEILING_COMMIT: &str = ";COMMIT";

/// Tables of the articles' pipeline: the same row under the same key, out of the audit's sight.
pub(crate) const REFERENCE_DATABASE: &str = "CREATE DATABASE IF NOT EXISTS scrip_reference";
/// Its one table.
pub(crate) const REFERENCE_TABLE: &str = "CREATE TABLE IF NOT EXISTS scrip_reference.coupon LIKE scrip.coupon";
/// Its idempotency check.
pub(crate) const REFERENCE_SELECT: &str =
    "SELECT seq, request_id FROM coupon WHERE tail = ? AND user_id = ? AND template_id = ?";
/// Its record.
pub(crate) const REFERENCE_INSERT: &str = "INSERT INTO coupon (tail, user_id, template_id, seq, request_id, sub_stock, \
     claimed_at_ms) VALUES (?, ?, ?, 1, ?, ?, ?)";
/// The requests behind all its coupons of one template.
pub(crate) const REFERENCE_REQUESTS: &str = "SELECT request_id FROM scrip_reference.coupon WHERE template_id IN";

/// A query with the list of its templates.
pub(crate) fn of_templates(query: &str, templates: &[TemplateId]) -> String {
    let templates: Vec<String> = templates.iter().map(TemplateId::to_string).collect();
    format!("{query} ({})", templates.join(","))
}
