//! The judge: what clients sent and were told, against what the stores hold.
//!
//! [`check`] is a pure function of a [`History`] and a [`StoresView`]; [`StoresView::read`] reads every store directly,
//! past the proxies. The stores must be at rest while they are read.
//!
//! - `view`: what the stores hold. `read`: reading it. `archive`: what is in files. `sql`: every query.
//! - `told`: what the history says of each request. `loss`: what a fail-over may have taken, which is all that is excused.
//! - `stores`, `answers`, `operations`, `deeds`, `packs`, `bulk`, `codes`, `events`: the checks. `verdict`: what comes out.
//! - `derived`: the request ids that no caller minted.

mod answers;
mod archive;
mod bulk;
mod codes;
mod deeds;
mod derived;
mod events;
mod loss;
mod operations;
mod packs;
mod read;
mod sql;
mod stores;
mod told;
mod verdict;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use self::archive::parts;
pub(crate) use self::derived::of_pack;
pub use self::events::untold;
pub use self::read::ReadError;
pub use self::verdict::{Counts, Kind, Verdict, Violation};
pub use self::view::{
    CodeBatchRow, CodeUseRow, CouponRow, LedgerRow, PackRow, ServerSettings, StepRow, StockRow, StoresView,
    SubStockRow, TemplateRow,
};

use scrip_client::TemplateId;

use self::told::Requests;
use crate::history::{Action, History, RequestIndex};

/// What happened beside the claims, and so what the oracle may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// More coupons were wanted than there were units, by users below their limit, and every request was followed up:
    /// every unit must be sold.
    pub demand_exceeds_stock: bool,
    /// Stock was added on the way: a coupon may be issued after "sold out" was said. A history that has the operations says
    /// so itself.
    pub replenished: bool,
    /// After healing, every request was sent again until its answer was definite: none may be in doubt.
    pub doubt_resolved: bool,
}

/// The requests that are in doubt: neither a coupon, nor a refusal by the rules after the last send that brought no
/// definite answer.
pub fn undecided(history: &History) -> Vec<RequestIndex> {
    let requests = Requests::of(history);
    let open = requests.sent().filter(|(_, told)| told.is_undecided());
    open.map(|(number, _)| RequestIndex(u32::try_from(number).unwrap_or(u32::MAX))).collect()
}

/// The history with the request ids that the stores know of claims by code.
pub fn resolved(history: &History, view: &StoresView) -> History {
    history.with_ids(&codes::ids(history, view))
}

/// Whether so many units of a template may be unsold although it is sold out: a fail-over may have taken as many coupons
/// afterwards, as was announced.
pub fn may_stay_unsold(history: &History, view: &StoresView, template: TemplateId, units: u64) -> bool {
    loss::unsold_for_good(&resolved(history, view), view).get(&template).is_some_and(|most| units <= *most)
}

/// Checks every promise that stores and history can show.
pub fn check(history: &History, view: &StoresView, circumstances: Circumstances) -> Verdict {
    let history = &resolved(history, view);
    let requests = Requests::of(history);
    let mut verdict = Verdict::default();
    let added = history.operations().iter().any(|o| matches!(o.action, Action::Stock { units, .. } if units > 0));
    let circumstances = Circumstances { replenished: circumstances.replenished || added, ..circumstances };
    stores::check(&mut verdict, history, view, circumstances);
    answers::check(&mut verdict, history, &requests, view, circumstances);
    operations::check(&mut verdict, history, view);
    deeds::check(&mut verdict, history, view);
    packs::check(&mut verdict, history, &requests, view);
    bulk::check(&mut verdict, history, view);
    codes::check(&mut verdict, history, &requests, view, circumstances.doubt_resolved);
    events::check(&mut verdict, history, view);
    verdict
}
