//! Deviations from the protocol, each of which must be caught.

use super::invariant::Invariant;

/// One rule removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A release arrives twice.
    ReleaseTwice,
    /// The unit of an unknown commit is given back.
    ReleaseAfterUnknown,
    /// An install does not ask for the nonce of step 0.
    InstallUnbound,
    /// The nonce is the run_id, which survives a fail-over and back.
    RunIdAsNonce,
    /// A record does not check the fence.
    NoFence,
    /// A record checks the epoch of the fence and not the server.
    FenceWithoutServer,
    /// A settle asks for the servers after the epoch moved.
    ServersAskedLate,
    /// A settle reads `issued` before it raises the fence.
    IssuedBeforeFence,
    /// A settle reads the allotment before the compare-and-set.
    AllotmentReadOutside,
    /// A settle installs before the last fence is up.
    InstallBeforeLastFence,
    /// A release does not ask for the epoch.
    EpochIgnoredInRelease,
    /// A deduction does not ask for the nonce.
    NonceIgnoredInDeduct,
    /// Only the first claim of a batch is checked against its fence.
    OneFenceCheckPerBatch,
    /// A record checks the fence, lets the lock go, and commits later.
    FenceUnlocked,
    /// An install arrives twice.
    InstallTwice,
    /// A server that comes back is no new one, and meta raises no term.
    NoTerm,
    /// A new connection trusts the term that its proxy remembers for this identity.
    TermRemembered,
    /// A number seen on another server than the one that records is trusted.
    SeqOfAnotherServer,
    /// A claim in doubt that is fenced starts again at deduct, without a look-up.
    DoubtForgotten,
    /// Units count as withdrawn before the fences are up.
    WithdrawnBeforeFences,
    /// A settle moves what is left although the epoch has moved on.
    MoveOfAnotherEpoch,
    /// What was moved away is installed as well.
    MoveAndInstall,
    /// Sold out is said when one sub-stock settles to zero.
    SoldOutTooEarly,
    /// Meta is restored, and epochs restart below the fences.
    EpochsRestartLow,
}

/// How a mutant is caught.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// The deviation.
    pub mutant: Mutant,
    /// For the command line.
    pub name: &'static str,
    /// The bound in which it shows.
    pub bound: &'static str,
    /// What breaks.
    pub breaks: Invariant,
}

const fn trial(mutant: Mutant, name: &'static str, bound: &'static str, breaks: Invariant) -> Trial {
    Trial { mutant, name, bound, breaks }
}

/// Every mutant.
pub const TRIALS: &[Trial] = &[
    trial(Mutant::ReleaseTwice, "release-twice", "doubt", Invariant::NoOversell),
    trial(Mutant::ReleaseAfterUnknown, "release-after-unknown", "doubt", Invariant::NoOversell),
    trial(Mutant::InstallUnbound, "install-unbound", "restart", Invariant::NoOversell),
    trial(Mutant::RunIdAsNonce, "run-id-as-nonce", "restart", Invariant::NoOversell),
    trial(Mutant::NoFence, "no-fence", "doubt", Invariant::NoOversell),
    trial(Mutant::FenceWithoutServer, "fence-without-server", "fail-over", Invariant::NoOversell),
    trial(Mutant::ServersAskedLate, "servers-asked-late", "fail-over", Invariant::NoOversell),
    trial(Mutant::IssuedBeforeFence, "issued-before-fence", "settles", Invariant::NoOversell),
    trial(Mutant::AllotmentReadOutside, "allotment-read-outside", "stock", Invariant::NoOversell),
    trial(Mutant::InstallBeforeLastFence, "install-before-last-fence", "settles", Invariant::NoOversell),
    trial(Mutant::EpochIgnoredInRelease, "epoch-ignored-in-release", "doubt", Invariant::NoOversell),
    trial(Mutant::NonceIgnoredInDeduct, "nonce-ignored-in-deduct", "restart", Invariant::NoOversell),
    trial(Mutant::OneFenceCheckPerBatch, "one-fence-check-per-batch", "batch", Invariant::NoOversell),
    trial(Mutant::FenceUnlocked, "fence-unlocked", "settles", Invariant::NoOversell),
    trial(Mutant::InstallTwice, "install-twice", "vanish", Invariant::NoOversell),
    trial(Mutant::NoTerm, "no-term", "rejoin", Invariant::NoOversell),
    trial(Mutant::TermRemembered, "term-remembered", "rejoin", Invariant::NoOversell),
    trial(Mutant::SeqOfAnotherServer, "seq-of-another-server", "limit", Invariant::SeqDense),
    trial(Mutant::DoubtForgotten, "doubt-forgotten", "doubt", Invariant::AnswersTrue),
    trial(Mutant::WithdrawnBeforeFences, "withdrawn-before-fences", "stock", Invariant::NoOversell),
    trial(Mutant::MoveOfAnotherEpoch, "move-of-another-epoch", "move", Invariant::NoOversell),
    trial(Mutant::MoveAndInstall, "move-and-install", "move", Invariant::NoOversell),
    trial(Mutant::SoldOutTooEarly, "sold-out-too-early", "stock", Invariant::SoldOutTrue),
    trial(Mutant::EpochsRestartLow, "epochs-restart-low", "meta", Invariant::NoUnitLost),
];
