//! Every SQL text of the oracle. All of them read.

pub(super) const COUPONS: &str = "SELECT user_id, template_id, seq, request_id, sub_stock FROM coupon";
pub(super) const STEPS: &str = "SELECT user_id, template_id, seq, step, kind, order_id FROM coupon_step";
pub(super) const PACKS: &str = "SELECT user_id, request_id, items FROM pack";
pub(super) const ARCHIVE_FILES: &str = "SELECT name FROM archive_file";
pub(super) const CODE_USES: &str = "SELECT batch_id, code_index, use_no, user_id FROM code_use";
pub(super) const CODE_BATCHES: &str =
    "SELECT batch_id, create_request_id, template_id, count, uses FROM meta_code_batch";
pub(super) const LEDGERS: &str = "SELECT template_id, sub_stock, issued FROM stock_ledger";
pub(super) const TEMPLATES: &str = "SELECT template_id, total_stock, sold_out FROM meta_template";
pub(super) const SUB_STOCKS: &str = "SELECT template_id, sub_stock, allotment, epoch FROM meta_sub_stock";
/// A variable that the server does not have is a row that is missing.
pub(super) const VARIABLES: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', \
     'innodb_flush_log_at_trx_commit', 'innodb_doublewrite', 'log_bin', 'sync_binlog')";
