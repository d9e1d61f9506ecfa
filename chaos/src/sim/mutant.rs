//! Stores that leave out one rule each: what the pipeline relies on, and what must be noticed when it is missing.

/// One deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A release is carried out twice.
    ReleaseTwice,
    /// An outcome that is not known is reported as not applied, so that the unit is given back.
    UnknownIsRefused,
    /// An install is not bound to the nonce of step 0.
    InstallUnbound,
    /// The nonce survives a restart with old data, as the run_id does.
    NonceSurvives,
    /// A deduction does not look at the nonce.
    DeductIgnoresNonce,
    /// A release does not look at the epoch.
    ReleaseIgnoresEpoch,
    /// A record does not look at the fence.
    FenceUnchecked,
    /// A record looks at the fence of the first claim of its batch only.
    OneFenceForABatch,
    /// A record does not look at the server in the fence.
    FenceWithoutServer,
    /// A settle reads what was issued before it locks the ledgers.
    IssuedReadEarly,
    /// A settle does not notice that the server behind a primary changed.
    AnyServer,
    /// A sub-stock counts as drained whatever is left of it.
    SoldOutEarly,
    /// A number that was seen on another connection is taken on trust.
    SeenAnywhere,
    /// An acknowledged commit is lost in a crash.
    CommitsNotDurable,
    /// A step's number is not checked: it takes the place of the one that has it.
    StepOverwrites,
    /// A log that was read on another connection is taken on trust.
    StepSeenAnywhere,
    /// An outcome of an order's transaction that is not known is reported as not applied.
    UnknownStepIsRefused,
    /// An order's transaction does not look at what the primary was granted of the budget.
    BudgetUnchecked,
    /// The coupons of a pack are recorded in two transactions.
    PackInParts,
    /// A result of a bulk job says "issued" whether or not the coupon is there.
    ResultWithoutCoupon,
    /// A slice of a bulk job is closed whatever has become of its list.
    ShortListTaken,
    /// The number of a use is not checked when it is written: it takes the place of the one that has it.
    UseUnchecked,
    /// A use is taken however many there are.
    UsesUnbounded,
    /// A step of the patrol is written as the next one, whatever was seen before it.
    PatrolUnnumbered,
    /// The clocks of proxies differ by more than the patrol waits.
    ClocksApart,
    /// The walk leaves out the rest of a user's coupons when a slice ends among them.
    WalkSkips,
    /// A reminder is made whether or not it was made before.
    RemindsAnyway,
    /// Every reminder is said to have been made.
    SaysReminded,
    /// Everybody holds the lease of the patrol, and notes positions. Breaks no promise: the lease only saves work.
    LeaseOfAll,
}

/// Every mutant, with the name by which it is asked for.
pub const MUTANTS: [(Mutant, &str); 29] = [
    (Mutant::ReleaseTwice, "release-twice"),
    (Mutant::UnknownIsRefused, "release-after-unknown-commit"),
    (Mutant::InstallUnbound, "install-unbound"),
    (Mutant::NonceSurvives, "nonce-survives"),
    (Mutant::DeductIgnoresNonce, "deduct-ignores-nonce"),
    (Mutant::ReleaseIgnoresEpoch, "release-ignores-epoch"),
    (Mutant::FenceUnchecked, "fence-unchecked"),
    (Mutant::OneFenceForABatch, "one-fence-for-a-batch"),
    (Mutant::FenceWithoutServer, "fence-without-server"),
    (Mutant::IssuedReadEarly, "issued-read-early"),
    (Mutant::AnyServer, "any-server"),
    (Mutant::SoldOutEarly, "sold-out-early"),
    (Mutant::SeenAnywhere, "seen-anywhere"),
    (Mutant::CommitsNotDurable, "commits-not-durable"),
    (Mutant::StepOverwrites, "step-overwrites"),
    (Mutant::StepSeenAnywhere, "step-seen-anywhere"),
    (Mutant::UnknownStepIsRefused, "refused-after-unknown-step"),
    (Mutant::BudgetUnchecked, "budget-unchecked"),
    (Mutant::PackInParts, "pack-in-parts"),
    (Mutant::ResultWithoutCoupon, "result-without-coupon"),
    (Mutant::ShortListTaken, "short-list-taken"),
    (Mutant::UseUnchecked, "use-unchecked"),
    (Mutant::UsesUnbounded, "uses-unbounded"),
    (Mutant::PatrolUnnumbered, "patrol-unnumbered"),
    (Mutant::ClocksApart, "clocks-apart"),
    (Mutant::WalkSkips, "walk-skips"),
    (Mutant::RemindsAnyway, "reminds-anyway"),
    (Mutant::SaysReminded, "says-reminded"),
    (Mutant::LeaseOfAll, "lease-of-all"),
];

impl Mutant {
    /// The mutant of this name.
    pub fn named(name: &str) -> Option<Self> {
        MUTANTS.iter().find(|(_, known)| *known == name).map(|(mutant, _)| *mutant)
    }
}
