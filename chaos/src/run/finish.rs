//! After healing: every doubt is resolved, the rest of the stock is sold, and callers ask again whether what they were
//! told is still true. All of it goes into the history, for the oracle.

use std::sync::Arc;
use std::time::Duration;

use scrip_client::{Client, RequestId, TemplateId, UserId, mint_request_id};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::beside::Beside;
use super::load::{ask, drain};
use super::operator;
use super::orders;
use super::recorder::{Intended, Recorder};
use super::{Error, load};
use crate::history::{Action, History, RequestIndex, Told};
use crate::oracle;

const RESOLVE_LIMIT: Duration = Duration::from_secs(30);
const SELL_LIMIT: Duration = Duration::from_secs(90);
/// Users who buy the rest start here.
const LAST_USER: u64 = 9_500_000_000;
/// Claims for the rest that are under way at once.
const IN_FLIGHT: usize = 256;
/// Units beyond this are withdrawn before the rest is sold.
const REST_MAX: u64 = 3_000;
/// Requests that are asked about again: as many with a coupon and as many without.
const SAMPLE: usize = 400;
/// Questions under way at once.
const QUESTIONS_MAX: usize = 32;

/// Returns what did not come to its end.
pub(super) async fn finish(
    client: &Client,
    recorder: &Arc<Recorder>,
    beside: Option<&Beside>,
) -> Result<Vec<String>, Error> {
    let mut problems = operator::resolve(client, recorder).await;
    resolve(client, recorder, &mut problems).await;
    problems.extend(orders::resolve(client, recorder).await);
    if let Some(beside) = beside {
        problems.extend(beside.finish(client, recorder).await);
    }
    withdraw_most(client, recorder).await?;
    // Those beside it first: the coupons of one are over soon after.
    let history = recorder.history();
    for template in recorder.templates().into_iter().rev().filter(|template| !history.is_closed(*template)) {
        sell_out(client, recorder, template, &mut problems).await?;
    }
    ask_again(client, recorder).await;
    if let Some(beside) = beside {
        problems.extend(beside.ask_again(client, recorder).await);
    }
    Ok(problems)
}

/// Sends what is in doubt again, until it no longer is.
async fn resolve(client: &Client, recorder: &Recorder, problems: &mut Vec<String>) {
    let deadline = Instant::now() + RESOLVE_LIMIT;
    loop {
        let history = recorder.history();
        // Who claims by code is looked after with the codes, who claims a pack with the packs.
        let open: Vec<RequestIndex> =
            oracle::undecided(&history).into_iter().filter(|request| is_by_itself(&history, *request)).collect();
        if open.is_empty() {
            return;
        }
        if Instant::now() >= deadline {
            problems.push(format!("{} requests are in doubt {RESOLVE_LIMIT:?} after healing", open.len()));
            return;
        }
        send(client, recorder, &open, false).await;
        sleep(Duration::from_millis(50)).await;
    }
}

async fn send(client: &Client, recorder: &Recorder, requests: &[RequestIndex], first_try: bool) {
    let stream = client.claim_stream(requests.len());
    let at = recorder.now();
    let sends: Vec<Intended> = requests.iter().map(|&request| Intended { request, at, first_try }).collect();
    stream.submit(&mut recorder.sending(&sends).into_iter());
    drain(&stream, recorder).await;
}

/// A template with far more units than were asked for is not sold one by one.
async fn withdraw_most(client: &Client, recorder: &Recorder) -> Result<(), Error> {
    let total = client.get_template(recorder.template()).await?.total_stock;
    let (_, known) = recorder.counts(recorder.template());
    let rest = total.saturating_sub(known);
    if rest > REST_MAX {
        let units = -i64::try_from(rest - REST_MAX / 2).unwrap_or(i64::MAX);
        let action = Action::Stock { units, id: mint_request_id() };
        let told = operator::operate(client, recorder, recorder.template(), action).await;
        tracing::debug!(?told, "the most of the rest is withdrawn");
    }
    Ok(())
}

/// Claims for ever new users until everybody is told that it is sold out, and the template says so.
async fn sell_out(
    client: &Client,
    recorder: &Recorder,
    template: TemplateId,
    problems: &mut Vec<String>,
) -> Result<(), Error> {
    let deadline = Instant::now() + SELL_LIMIT;
    let mut next = 0u64;
    loop {
        let request = |_| {
            next += 1;
            let user = UserId(LAST_USER + next.wrapping_mul(7_919) % 400_000_000);
            recorder.request_of(user, template, RequestId(rand::random()))
        };
        let requests: Vec<RequestIndex> = (0..IN_FLIGHT).map(request).collect();
        let (from, _) = recorder.counts(template);
        send(client, recorder, &requests, true).await;
        let told = recorder.told_since(from);
        let all_sold_out = told.iter().all(|told| *told == Told::NotApplied(scrip_client::Code::SoldOut));
        if all_sold_out && client.get_template(template).await?.sold_out {
            return Ok(());
        }
        // A pause that was in doubt may have come late.
        if told.contains(&Told::NotApplied(scrip_client::Code::TemplatePaused)) {
            problems.extend(operator::resolve(client, recorder).await);
            sleep(Duration::from_millis(300)).await;
        }
        if Instant::now() >= deadline {
            let found = client.get_template(template).await?;
            let (_, known) = recorder.counts(template);
            let last: Vec<Told> = told.into_iter().take(3).collect();
            let (total, sold_out) = (found.total_stock, found.sold_out);
            problems.push(format!(
                "template {template} is not sold out {SELL_LIMIT:?} after healing: {known} coupons known of {total}, sold \
                 out: {sold_out}; last told: {last:?}"
            ));
            return Ok(());
        }
    }
}

/// Some requests with a coupon and some without.
async fn ask_again(client: &Client, recorder: &Arc<Recorder>) {
    let history = recorder.history();
    ask_about(client, recorder, &history, sample(&history)).await;
}

/// Requests are sent again, and asked about. Packs are sent again as packs; what became of each of their coupons can be asked.
pub(super) async fn ask_about(
    client: &Client,
    recorder: &Arc<Recorder>,
    history: &History,
    requests: Vec<RequestIndex>,
) {
    let plain: Vec<RequestIndex> = requests.iter().copied().filter(|request| is_by_itself(history, *request)).collect();
    send(client, recorder, &plain, false).await;
    let mut asking = JoinSet::new();
    for request in requests {
        if asking.len() >= QUESTIONS_MAX {
            asking.join_next().await;
        }
        let (client, recorder) = (client.clone(), Arc::clone(recorder));
        asking.spawn(async move { ask(&client, &recorder, request).await });
    }
    asking.join_all().await;
}

fn sample(history: &History) -> Vec<RequestIndex> {
    let mut granted = vec![false; history.requests().len()];
    let mut sent = granted.clone();
    for send in history.sends() {
        sent[send.request.0 as usize] = true;
        granted[send.request.0 as usize] |= matches!(send.told, Told::Coupon { .. });
    }
    let of = |want: bool| {
        let numbers = (0u32..).zip(&granted).zip(&sent).filter(|((_, g), s)| **s && **g == want).map(|((n, _), _)| n);
        // Who claims by code has asked again with the codes.
        let numbers: Vec<u32> = numbers.filter(|number| history.code_of(RequestIndex(*number)).is_none()).collect();
        let step = numbers.len().div_ceil(SAMPLE).max(1);
        numbers.into_iter().step_by(step).map(RequestIndex).collect::<Vec<_>>()
    };
    [of(true), of(false)].concat()
}

/// A plain claim, which can be sent under its request id.
fn is_by_itself(history: &History, request: RequestIndex) -> bool {
    history.code_of(request).is_none() && !history.is_of_pack(request)
}

/// The most that the proxies serve, measured with one client.
pub(super) async fn peak(client: &Client, recorder: &Recorder, duration: Duration) -> f64 {
    // Warm first: connections, plans, lanes.
    load::peak(client, recorder, IN_FLIGHT, duration / 4).await;
    load::peak(client, recorder, 8 * IN_FLIGHT, duration).await
}
