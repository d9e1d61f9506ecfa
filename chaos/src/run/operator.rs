//! What operators do to the template while things break, and what they are told.

use std::time::{Duration, Instant};

use scrip_client::{Client, TemplateId, mint_request_id};
use tokio::time::sleep;

use super::Error;
use super::bed::Bed;
use super::fault::Order;
use super::recorder::Recorder;
use crate::history::{Action, OperationTold};

/// Operators are patient, but not for ever.
const DEADLINE: Duration = Duration::from_secs(3);
const RESOLVE_LIMIT: Duration = Duration::from_secs(30);

/// Does what is ordered, once, and writes down what came of it.
pub(super) async fn give(bed: &Bed, recorder: &Recorder, order: Order) -> Result<(), Error> {
    let action = match order {
        Order::Stock(units) => Action::Stock { units, id: mint_request_id() },
        Order::Paused => Action::Pause,
    };
    let client = bed.direct_client().await?;
    operate(&client, recorder, recorder.template(), action).await;
    Ok(())
}

/// A pause ends; what was added or withdrawn stays so.
pub(super) async fn take_back(bed: &Bed, recorder: &Recorder, order: Order) -> Result<(), Error> {
    if order == Order::Paused {
        let client = bed.direct_client().await?;
        operate(&client, recorder, recorder.template(), Action::Resume).await;
    }
    Ok(())
}

/// One call, written down.
pub(super) async fn operate(
    client: &Client,
    recorder: &Recorder,
    template: TemplateId,
    action: Action,
) -> OperationTold {
    let operation = recorder.operating(template, action);
    let client = client.with_deadline(DEADLINE);
    let told = match action {
        Action::Stock { units, id } => OperationTold::of_stock(&client.replenish(template, id, units).await),
        Action::Pause => OperationTold::of_status(&client.pause(template).await),
        Action::Resume => OperationTold::of_status(&client.resume(template).await),
        Action::Close => OperationTold::of_status(&client.close_template(template).await),
    };
    recorder.operated(operation, told);
    told
}

/// After healing: the template is to be claimed, and every change of stock in doubt is asked for again with its own id until
/// the answer is definite. Returns what is left in doubt.
pub(super) async fn resolve(client: &Client, recorder: &Recorder) -> Vec<String> {
    let deadline = Instant::now() + RESOLVE_LIMIT;
    let mut left = recorder.orders_in_doubt();
    if recorder.was_paused() {
        left.push(Action::Resume);
    }
    let mut last = String::new();
    while !left.is_empty() && Instant::now() < deadline {
        let mut again = Vec::new();
        for action in left {
            let told = operate(client, recorder, recorder.template(), action).await;
            last = format!("{told:?}");
            let is_done = match told {
                OperationTold::Done | OperationTold::Changed { .. } => true,
                OperationTold::NotApplied(code) => code.fault() == Some(scrip_protocol::Fault::Rules),
                OperationTold::Nothing | OperationTold::Unknown(_) => false,
            };
            if !is_done {
                again.push(action);
            }
        }
        left = again;
        sleep(Duration::from_millis(50)).await;
    }
    left.iter().map(|action| format!("{action:?} is in doubt {RESOLVE_LIMIT:?} after healing; last: {last}")).collect()
}
