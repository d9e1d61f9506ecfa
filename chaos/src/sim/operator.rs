//! Operators: templates, stock, pauses. Each asks again with the same request id until the answer is definite.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Code, Disposition, RequestId, TemplateId};
use scrip_protocol::v1::response::Result as Answer;
use scrip_protocol::v1::template_definition::{Benefit, Validity};
use scrip_protocol::v1::{AmountOff, RelativeValidity};
use scrip_protocol::v1::{CreateTemplate, Replenish, Response, SetTemplateStatus, TemplateAction, TemplateDefinition};
use scrip_proxy::operation::Operation;
use tokio::time::{Instant, sleep};

use super::client::id_of;
use super::fleet::{Asked, Heard};
use super::plan::Change;
use super::stage::Stage;
use super::world::DAY_OFFSET_MINUTES;
use crate::history::{Action, OperationTold, TemplateFact};

/// What an operator's request may take until it is answered for good, once all is well.
const PATIENCE: Duration = Duration::from_secs(40);
const DEADLINE_MS: u64 = 2_000;

/// Creates and publishes the templates of the plan.
pub async fn publish(stage: &Arc<Stage>) -> bool {
    for (index, template) in stage.plan.templates.iter().enumerate() {
        let definition = TemplateDefinition {
            name: format!("template {index}"),
            total_stock: template.total,
            per_user_limit: template.limit,
            per_user_daily_limit: template.daily,
            day_starts_at_utc_offset_minutes: DAY_OFFSET_MINUTES,
            benefit: (template.budget_minor > 0).then_some(Benefit::AmountOff(AmountOff { amount_minor: 100 })),
            currency: if template.budget_minor > 0 { "EUR".to_owned() } else { String::new() },
            budget_minor: template.budget_minor,
            validity: Some(Validity::Relative(RelativeValidity { starts_after_s: 0, lasts_s: template.lasts_s })),
            ..TemplateDefinition::default()
        };
        let request = id_of(stage, 3, index as u64);
        let create = || {
            let (request_id, definition) = (request.to_bytes(), Some(definition.clone()));
            Operation::CreateTemplate(Box::new(CreateTemplate { request_id, definition }))
        };
        let Some(Answer::Template(made)) = until_definite(stage, None, create).await.and_then(|answer| answer.result)
        else {
            return false;
        };
        let Ok(id) = TemplateId::try_new(made.template_id) else { return false };
        {
            let mut world = stage.sim.world();
            let fact = TemplateFact { template: id, total_stock: template.total, per_user_limit: template.limit };
            world.history.created(fact);
            world.limits.insert(id, u16::try_from(template.limit).unwrap_or(u16::MAX));
        }
        stage.templates.lock().push(id);
        if set_status(stage, id, TemplateAction::Publish).await.is_none() {
            return false;
        }
    }
    true
}

/// One change of the plan.
pub async fn change(stage: Arc<Stage>, index: usize, begun: Instant) {
    let plan = stage.plan.changes[index];
    sleep(Duration::from_millis(plan.at_ms).saturating_sub(begun.elapsed())).await;
    let template = stage.templates.lock()[plan.template];
    match plan.change {
        Change::Stock(units) => {
            let answer = change_stock(&stage, template, units, id_of(&stage, 4, index as u64)).await;
            if answer.is_none() {
                stage.sim.world().find(format!("a change of {units} units of template {template} does not end"));
            }
        }
        Change::Pause(for_ms) => {
            set_status(&stage, template, TemplateAction::Pause).await;
            stage.pause(Duration::from_millis(for_ms)).await;
            if set_status(&stage, template, TemplateAction::Resume).await.is_none() {
                stage.sim.world().find(format!("template {template} cannot be resumed"));
            }
        }
    }
}

async fn change_stock(stage: &Arc<Stage>, template: TemplateId, units: i64, request: RequestId) -> Option<Response> {
    let (template_id, request_id) = (template.get(), request.to_bytes());
    let replenish = || Operation::Replenish(Replenish { template_id, units, request_id: request_id.clone() });
    until_definite(stage, Some((template, Action::Stock { units, id: request })), replenish).await
}

/// Sets a template's status.
pub async fn set_status(stage: &Arc<Stage>, template: TemplateId, action: TemplateAction) -> Option<Response> {
    let set = || Operation::SetTemplateStatus(SetTemplateStatus { template_id: template.get(), action: action.into() });
    let recorded = match action {
        TemplateAction::Pause => Some((template, Action::Pause)),
        TemplateAction::Resume => Some((template, Action::Resume)),
        TemplateAction::Unspecified | TemplateAction::Publish | TemplateAction::Close => None,
    };
    until_definite(stage, recorded, set).await
}

/// Asks one proxy after the other until the answer is definite; time counts from the healing.
async fn until_definite(
    stage: &Arc<Stage>,
    action: Option<(TemplateId, Action)>,
    operation: impl Fn() -> Operation,
) -> Option<Response> {
    let mut patience = Instant::now() + PATIENCE;
    let mut was_healed = stage.is_healed();
    while Instant::now() < patience {
        let asked = Asked::Operation(operation());
        let sent = action.map(|(template, action)| {
            let mut world = stage.sim.world();
            let at = world.at();
            world.history.operating(template, action, at)
        });
        let heard = stage.ask(stage.any_proxy(), asked, DEADLINE_MS, DEADLINE_MS + 100).await;
        if let Heard::Answer(response) = heard {
            if let Some(sent) = sent {
                let mut world = stage.sim.world();
                let at = world.at();
                world.history.operated(sent, at, told(&response));
            }
            let code = Code::try_from(response.code).unwrap_or(Code::Unspecified);
            stage.sim.world().note(format_args!("an operator is told {}: {}", code.as_str_name(), response.detail));
            if is_definite(code) {
                return Some(*response);
            }
        }
        sleep(Duration::from_millis(stage.dice(|dice| dice.within(20..=200)))).await;
        if stage.is_healed() && !was_healed {
            (was_healed, patience) = (true, Instant::now() + PATIENCE);
        }
        if !stage.is_healed() {
            patience = Instant::now() + PATIENCE;
        }
    }
    None
}

fn told(response: &Response) -> OperationTold {
    let code = Code::try_from(response.code).unwrap_or(Code::Unspecified);
    match (&response.result, code.disposition()) {
        (Some(Answer::StockChange(change)), _) if code == Code::Ok => {
            OperationTold::Changed { units: change.units_applied, total_stock: change.total_stock }
        }
        _ if code == Code::Ok => OperationTold::Done,
        (_, Some(Disposition::NotApplied)) => OperationTold::NotApplied(code),
        (_, Some(Disposition::Applied | Disposition::Unknown) | None) => OperationTold::Unknown(code),
    }
}

fn is_definite(code: Code) -> bool {
    let passing = [
        Code::OutcomeUnknown,
        Code::MetaUnavailable,
        Code::PrimaryUnavailable,
        Code::StockUnavailable,
        Code::Contended,
        Code::StoreRefused,
        Code::DeadlineExceeded,
        Code::Draining,
    ];
    !passing.contains(&code)
}
