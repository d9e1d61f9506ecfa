//! Limits, each with the failure that it prevents.
//!
//! They bind both sides: an SDK refuses what a proxy would refuse, before it costs a round trip. A row here is the
//! only place of a limit; the constants, [`ALL`] and the table in the crate's guide come from it.

/// One limit, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The name of the constant.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// What the value counts.
    pub unit: &'static str,
    /// The failure that it prevents.
    pub prevents: &'static str,
}

macro_rules! limits {
    ($($name:ident: $type:ty = $value:expr, $unit:literal, $prevents:literal;)*) => {
        $(
            #[doc = concat!("In ", $unit, ". Prevents: ", $prevents, ".")]
            pub const $name: $type = $value;
        )*

        /// Every limit, in the order of the guide.
        pub const ALL: &[Limit] = &[
            $(Limit { name: stringify!($name), value: $name as u64, unit: $unit, prevents: $prevents },)*
        ];
    };
}

limits! {
    FRAME_LEN_MAX: usize = 64 * 1024, "bytes",
        "one length prefix taking all memory";
    DEADLINE_DEFAULT_MS: u32 = 500, "milliseconds",
        "a caller that names no deadline waiting for ever";
    STALENESS_MAX_MS: u32 = 600_000, "milliseconds",
        "a read that takes a replica which has been behind for hours as fresh";
    DEADLINE_MAX_MS: u32 = 60_000, "milliseconds",
        "forgotten requests filling the queues of a proxy";
    RETRY_AFTER_MAX_MS: u32 = 60_000, "milliseconds",
        "one wrong hint silencing a client for days";
    DETAIL_LEN_MAX: usize = 1024, "bytes",
        "a refusal costing more than the request that it refuses";
    VALUE_LEN_MAX: usize = 64, "characters",
        "hostile input flooding logs by way of an error text that quotes it";
    CALLER_LEN_MAX: usize = 64, "bytes",
        "unbounded names in logs and metrics";
    TOKEN_LEN_MAX: usize = 256, "bytes",
        "an unauthenticated peer making the proxy compare long secrets";
    FINGERPRINT_LEN_MAX: usize = 64, "bytes",
        "an unauthenticated peer making the proxy keep what it sent";
    CURSOR_LEN_MAX: usize = 128, "bytes",
        "a forged cursor reaching the parser behind it at any size";
    PAGE_SIZE_DEFAULT: u32 = 50, "rows",
        "a listing without a page size reading everything";
    PAGE_SIZE_MAX: u32 = 500, "rows",
        "one listing holding a connection to a primary while others wait";
    PAGE_LEN_MAX: usize = FRAME_LEN_MAX - 1024, "bytes",
        "a page of long rows that no client reads, because its frame is above the limit";
    TEMPLATE_NAME_LEN_MAX: usize = 100, "characters",
        "a name that the column of the table cannot hold";
    TOTAL_STOCK_MAX: u64 = 4_000_000_000, "units",
        "an overflow of the 32-bit counts in the ledgers";
    PER_USER_LIMIT_MAX: u32 = 1_000, "coupons",
        "one user's coupons of a template no longer fitting a single range read";
    SUB_STOCKS_MAX: usize = 1_024, "keys",
        "a publication that writes ledger rows for minutes, and a template that fits no page";
    SORTED_COUPONS_MAX: usize = 10_000, "coupons",
        "pages in an order that no index has costing more with every coupon of a user";
    PACK_ITEMS_MAX: usize = 16, "templates",
        "one pack taking stock for longer than anybody waits";
    PACK_UNITS_PER_ITEM_MAX: u32 = 4, "coupons",
        "one pack that takes what is left in many sub-stocks at once";
    ORDER_ID_LEN_MAX: usize = 64, "bytes",
        "order ids that no column holds";
    ORDER_COUPONS_MAX: usize = 100, "coupons",
        "one order holding the lane of a primary while others wait";
    LOCK_TTL_MAX_MS: u64 = 30 * 86_400_000, "milliseconds (30 days)",
        "seconds sent as milliseconds, and coupons held for ever";
    COUPON_STEPS_MAX: u16 = 500, "steps",
        "a coupon that is locked and freed for ever, and whose log no page holds";
    TIME_MAX_MS: i64 = 253_402_300_799_999, "milliseconds since 1970-01-01 UTC (the end of the year 9999)",
        "a time that a database or a calendar cannot hold, and microseconds sent as milliseconds";
    BULK_USERS_PER_REQUEST_MAX: usize = 5_000, "users",
        "a list in one request that no proxy reads, because its frame is above the limit";
    BULK_RANGE_PER_REQUEST_MAX: u64 = 50_000, "users",
        "a few bytes of a range making a proxy write rows for minutes";
    BULK_RATE_MAX: u32 = 1_000_000, "users a second",
        "a rate that no clock of a proxy can pace";
    CODE_LEN_MAX: usize = 64, "bytes",
        "a text of any length being taken apart as an exchange code";
    COUPON_NUMBER_LEN_MAX: usize = 64, "bytes",
        "a text of any length being taken apart as the number of a coupon";
    CODE_BATCH_CODES_MAX: u32 = 10_000_000, "codes",
        "a batch whose codes have no number in a code";
    CODE_USES_MAX: u32 = 1_000_000, "users",
        "a code that nobody could have meant to give away, written with three zeros too many";
    VALIDITY_MAX_S: u64 = 100 * 365 * 86_400, "seconds (a hundred years)",
        "an overflow where a validity is added to the time of the claim";
    DEFINITION_LEN_MAX: usize = 32 * 1024, "bytes",
        "a template that fits no page, and a snapshot of templates that fills the memory";
    AMOUNT_MAX_MINOR: u64 = 1_000_000_000_000_000, "minor units of a currency",
        "an overflow where amounts are added or multiplied";
    BASIS_POINTS_MAX: u32 = 10_000, "hundredths of a percent",
        "a coupon that takes off more than there is";
    RULE_TEXT_LEN_MAX: usize = 64, "bytes",
        "texts of rules that are not names of things";
    RULE_LIST_LEN_MAX: usize = 200, "entries",
        "a rule that costs each quote a walk over a catalogue";
    CODE_PREFIX_LEN_MAX: usize = 8, "characters",
        "exchange codes that nobody types in";
    ORDER_LINES_MAX: usize = 100, "lines",
        "a quote whose splits fit no frame";
    LINE_CATEGORIES_MAX: usize = 20, "categories",
        "a line that costs each rule a walk over a catalogue";
    ORDER_LEN_MAX: usize = 32 * 1024, "bytes",
        "a quote that fits no frame";
    QUOTE_COUPONS_MAX: usize = 100, "coupons",
        "a quote whose answer fits no frame";
    QUOTE_DETAIL_LEN_MAX: usize = 120, "bytes",
        "reasons of a quote that fit no frame";
    COMBINATION_COUPONS_MAX: usize = 16, "coupons",
        "an order that needs a transaction over any number of coupons";
}
