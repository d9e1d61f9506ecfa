//! Every SQL text of the audit. All of them read.
//!
//! The two passes over `coupon` are one scan of its clustered index each; what they return is as long as the list of
//! sub-stocks, or of findings, and never as long as the table.

/// Every read of one primary sees one moment. Outlasts no lock: InnoDB reads old versions.
pub(super) const REPEATABLE: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
/// The moment.
pub(super) const SNAPSHOT: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// Its end.
pub(super) const END: &str = "ROLLBACK";

/// Which primary this is.
pub(super) const NODE: &str = "SELECT primary_id, topology_version FROM node WHERE id = 1";

/// The ledger of each sub-stock over its stripes.
pub(super) const LEDGER: &str = "SELECT template_id, sub_stock, COUNT(*), MAX(stripe), MAX(epoch), \
     CAST(SUM(issued) AS UNSIGNED) FROM stock_ledger GROUP BY template_id, sub_stock";

/// First pass: the coupons of each sub-stock, and whether one of them is worth a closer look.
pub(super) const COUPONS: &str = "SELECT template_id, sub_stock, COUNT(*), MAX(seq), \
     CAST(SUM(tail <> user_id % 10000) AS UNSIGNED) FROM coupon GROUP BY template_id, sub_stock";

/// Second pass, in the order of the primary key: users whose numbers have a gap, or who hold one request twice.
pub(super) const USERS: &str = "SELECT user_id, template_id, COUNT(*), MIN(seq), MAX(seq), \
     COUNT(DISTINCT request_id) FROM coupon GROUP BY tail, user_id, template_id \
     HAVING MIN(seq) <> 1 OR MAX(seq) <> COUNT(*) OR COUNT(DISTINCT request_id) <> COUNT(*) LIMIT ?";

/// The tails that have coupons here: jumps from one to the next.
pub(super) const TAILS: &str = "SELECT DISTINCT tail FROM coupon";
/// A closer look at a tail that does not belong here.
pub(super) const TAIL: &str = "SELECT COUNT(*), MIN(user_id) FROM coupon WHERE tail = ?";
/// A closer look at rows that stand under another tail than their user's.
pub(super) const MISPLACED: &str =
    "SELECT tail, user_id, template_id FROM coupon WHERE tail <> user_id % 10000 LIMIT ?";
/// A closer look at a template with a number above its limit.
pub(super) const ABOVE_LIMIT: &str = "SELECT user_id, COUNT(*), MAX(seq) FROM coupon WHERE template_id = ? \
     GROUP BY tail, user_id HAVING MAX(seq) > ? LIMIT ?";
/// A closer look at a template with a limit a day: users above it, and the first coupon of that day. `DIV` on whole
/// numbers: a quotient with a few decimals would round the last moments of a day into the next.
pub(super) const ABOVE_DAILY_LIMIT: &str = "SELECT user_id, COUNT(*), MIN(claimed_at_ms) FROM coupon \
     WHERE template_id = ? GROUP BY tail, user_id, (claimed_at_ms + ?) DIV 86400000 HAVING COUNT(*) > ? LIMIT ?";

/// The logs of all coupons, in the order of the primary key: one scan, and the coupon of each step beside it.
pub(super) const LOGS: &str = "SELECT s.user_id, s.template_id, s.seq, COALESCE(c.request_id, ''), \
     COALESCE(c.claimed_at_ms, 0), s.step, s.kind, s.order_id, s.state, s.holder, s.until_ms, s.amount_minor, s.at_ms \
     FROM coupon_step s LEFT JOIN coupon c ON c.tail = s.tail AND c.user_id = s.user_id \
     AND c.template_id = s.template_id AND c.seq = s.seq ORDER BY s.tail, s.user_id, s.template_id, s.seq, s.step";

/// What this primary may spend of budgets, and has spent.
pub(super) const BUDGETS: &str = "SELECT template_id, granted_minor, spent_minor FROM budget";
/// What every primary was granted of budgets.
pub(super) const GRANTS: &str = "SELECT template_id, primary_id, granted_minor FROM meta_budget";

/// Every template.
pub(super) const TEMPLATES: &str =
    "SELECT template_id, definition, status, total_stock, sold_out, revision, sub_stocks, stripes FROM meta_template";
/// Every sub-stock.
pub(super) const SUB_STOCKS: &str = "SELECT template_id, sub_stock, allotment, epoch FROM meta_sub_stock";
/// Templates with a withdrawal that waits for its fences.
pub(super) const WITHDRAWALS: &str = "SELECT DISTINCT template_id FROM meta_stock_change WHERE units_applied IS NULL";

/// Every bulk job.
pub(super) const JOBS: &str =
    "SELECT job_id, create_request_id, template_id, CAST(state AS SIGNED), users FROM meta_bulk_job";
/// The users of every bulk job that was started, by primary.
pub(super) const SLICES: &str = "SELECT job_id, primary_id, users FROM meta_bulk_slice";
/// The list of a bulk job beside the coupons of its request ids, which `bulk::request_of` derives in the same way: one
/// range of both clustered indexes. 1: OK.
pub(super) const LIST: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(e.result = 0), 0) AS UNSIGNED), \
     CAST(COALESCE(SUM(e.result = 1 AND (c.seq IS NULL OR c.seq <> e.coupon_seq)), 0) AS UNSIGNED), \
     CAST(COALESCE(SUM(e.result > 1 AND c.seq IS NOT NULL), 0) AS UNSIGNED) FROM bulk_entry e \
     LEFT JOIN coupon c ON c.tail = e.tail AND c.user_id = e.user_id AND c.template_id = ? AND c.request_id = \
     UNHEX(LEFT(SHA2(CONCAT('scrip bulk ', ?, ' ', e.user_id), 256), 32)) WHERE e.job_id = ?";

/// Templates that are closed for good: what was archived of them, and how many of their ledger rows are open all the same.
pub(super) const CLOSED: &str = "SELECT c.template_id, c.coupons, c.steps, c.spent_minor, (SELECT COUNT(*) \
     FROM stock_ledger l WHERE l.template_id = c.template_id AND l.epoch <> 18446744073709551615) FROM closed_template c";
/// Archived coupons of each sub-stock.
pub(super) const ARCHIVED_STOCK: &str = "SELECT template_id, sub_stock, coupons FROM archived_stock";
/// The files of the archive.
pub(super) const ARCHIVE_FILES: &str = "SELECT name, digest, coupons, steps FROM archive_file ORDER BY file_id";
/// What is kept of archived coupons.
pub(super) const MARKS: &str = "SELECT template_id, tail, marks FROM archived_coupon";

/// Every batch of exchange codes.
pub(super) const CODE_BATCHES: &str =
    "SELECT batch_id, create_request_id, template_id, count, uses FROM meta_code_batch";
/// The uses of each batch's codes, and whether one stands under another tail than `exchange::home` names.
pub(super) const CODE_USES: &str = "SELECT batch_id, MAX(code_index), MAX(use_no), \
     CAST(SUM(tail <> (batch_id + code_index) % 10000) AS UNSIGNED) FROM code_use GROUP BY batch_id";
/// Codes whose uses have a gap, in the order of the primary key.
pub(super) const CODE_GAPS: &str = "SELECT batch_id, code_index, COUNT(*), MAX(use_no) FROM code_use \
     GROUP BY tail, batch_id, code_index HAVING MIN(use_no) <> 1 OR MAX(use_no) <> COUNT(*) LIMIT ?";
/// The tails that have uses of codes here: jumps from one to the next.
pub(super) const CODE_TAILS: &str = "SELECT DISTINCT tail FROM code_use";
/// The request ids of a template's coupons: what uses of its codes are compared with.
pub(super) const REQUESTS: &str = "SELECT user_id, request_id FROM coupon WHERE template_id = ?";
/// Every use of a code.
pub(super) const USES: &str = "SELECT batch_id, code_index, use_no, user_id FROM code_use";

/// Coupons of packs that are not there, which `pack::request_of` derives in the same way: one scan of the packs, and a look into
/// the range of the user and template for each coupon. No item has more than four coupons.
pub(super) const PACK_UNITS_MISSING: &str = "SELECT p.user_id, LOWER(HEX(p.request_id)), i.template_id, u.unit \
     FROM pack p JOIN JSON_TABLE(p.items, '$[*]' COLUMNS (template_id INT UNSIGNED PATH '$[0]' ERROR ON EMPTY ERROR ON \
     ERROR, count TINYINT UNSIGNED PATH '$[1]' ERROR ON EMPTY ERROR ON ERROR)) i JOIN (SELECT 1 AS unit UNION ALL \
     SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) u ON u.unit <= i.count LEFT JOIN coupon c ON c.tail = p.tail \
     AND c.user_id = p.user_id AND c.template_id = i.template_id AND c.request_id = UNHEX(LEFT(SHA2(CONCAT('scrip pack ', \
     LOWER(HEX(p.request_id)), ' ', i.template_id, ' ', u.unit), 256), 32)) WHERE c.seq IS NULL";
/// The tails that have packs here: jumps from one to the next.
pub(super) const PACK_TAILS: &str = "SELECT DISTINCT tail FROM pack";
/// Packs that stand under another tail than their user's.
pub(super) const PACKS_MISPLACED: &str = "SELECT tail, user_id FROM pack WHERE tail <> user_id % 10000 LIMIT ?";
