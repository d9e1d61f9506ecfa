//! One call from a proxy to a store: what may become of it on the way there and back.
//!
//! What was written runs by itself from then on, whatever becomes of the caller: it may arrive late, when the caller gave up
//! or is dead, or be carried out by a server that was frozen in between.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::fault::Moment;
use super::process::Process;
use super::world::{Backend, Sim};

/// What is asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is a call of a store trait, or a part of one")]
pub enum CallKind {
    Run,
    Deduct,
    Release,
    Install,
    Remaining,
    Cache,
    Dial,
    Record,
    Commit,
    LookUp,
    Epochs,
    List,
    CreateLedger,
    Fences,
    MetaRead,
    Advance,
    FinishWithdrawal,
    MoveRest,
    MarkSettled,
    ChangeStock,
    Template,
    Term,
    BulkMeta,
    BulkList,
    BulkNote,
    CodeMeta,
    Use,
    Lease,
    Walk,
    Note,
    Reminded,
    Remind,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Nothing was sent.
    NotSent,
    /// It was sent, and will never arrive; the caller cannot know that.
    Never,
    /// It was sent. It was, will be or will not be carried out.
    Unknown,
}

/// The state of the way between a proxy and a store, in chances per thousand and milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weather {
    /// Added to each way at most.
    pub slow_ms: u64,
    /// Requests that never arrive.
    pub lose_request: u32,
    /// Answers that never arrive.
    pub lose_answer: u32,
    /// Requests that arrive when the caller has given up.
    pub late: u32,
    /// Connections that break for the caller, while what it sent is still carried out some time later.
    pub detach: u32,
    /// Connections that cannot be made.
    pub refuse: u32,
    /// Installs that arrive once more, some time later.
    pub twice: u32,
}

/// What becomes of one call.
#[derive(Debug, Clone, Copy)]
struct Passage {
    out: Duration,
    back: Duration,
    request_lost: bool,
    answer_lost: bool,
    detached: bool,
    /// What is lost shows as a broken connection, and not as silence.
    breaks: bool,
}

/// Sends a call and waits for its answer, at most for `limit`. `life`: of the server that the connection leads to, if it is
/// one that was made before. `serve` is carried out at the server; `None`: the server went down in the middle.
pub async fn call<T, F>(
    sim: &Sim,
    process: &Arc<Process>,
    (to, kind): (Backend, CallKind),
    limit: Duration,
    life: Option<u32>,
    serve: impl FnOnce(Sim, u32) -> F + Send + 'static,
) -> Result<T, Lost>
where
    T: Send + 'static,
    F: Future<Output = Option<T>> + Send + 'static,
{
    process.awake().await;
    let Some((passage, life)) = dispatch(sim, process.slot, to, kind, limit, life) else {
        sleep(Duration::from_millis(1)).await;
        return Err(Lost::NotSent);
    };
    let (answer, answered) = oneshot::channel();
    tokio::spawn(deliver(sim.clone(), (to, kind), life, passage, serve, answer));
    let heard = match passage.detached {
        true => timeout(passage.back, std::future::pending()).await,
        false => timeout(limit, answered).await,
    };
    process.awake().await;
    match heard {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) | Err(_) if passage.request_lost => Err(Lost::Never),
        Ok(Err(_)) | Err(_) => Err(Lost::Unknown),
    }
}

/// `None`: no connection can be made.
fn dispatch(
    sim: &Sim,
    slot: usize,
    to: Backend,
    kind: CallKind,
    limit: Duration,
    life: Option<u32>,
) -> Option<(Passage, u32)> {
    let mut world = sim.world();
    let weather = world.weather(slot, to);
    let host = world.host(to);
    let (is_up, now) = (host.up, host.life);
    if life.is_none() && (!is_up || world.dice.chance(weather.refuse)) {
        world.note(format_args!("proxy {slot}: no connection to {to} for {kind:?}"));
        return None;
    }
    let dice = &mut world.dice;
    let way =
        |dice: &mut super::dice::Dice| Duration::from_millis(dice.within(0..=2) + dice.within(0..=weather.slow_ms));
    let (mut out, back) = (way(dice), way(dice));
    if dice.chance(weather.late) {
        out += limit + Duration::from_millis(dice.within(0..=2_000));
    }
    let detached = dice.chance(weather.detach);
    if detached {
        out += Duration::from_millis(dice.within(0..=1_500));
    }
    let passage = Passage {
        out,
        back,
        request_lost: dice.chance(weather.lose_request),
        answer_lost: dice.chance(weather.lose_answer),
        detached,
        breaks: dice.chance(700),
    };
    Some((passage, life.unwrap_or(now)))
}

async fn deliver<T, F>(
    sim: Sim,
    (to, kind): (Backend, CallKind),
    life: u32,
    passage: Passage,
    serve: impl FnOnce(Sim, u32) -> F + Send + 'static,
    mut answer: oneshot::Sender<T>,
) where
    F: Future<Output = Option<T>> + Send + 'static,
{
    sleep(passage.out).await;
    if passage.request_lost {
        sim.world().note(format_args!("{kind:?} to {to} is lost on the way"));
        if !passage.breaks {
            answer.closed().await;
        }
        return;
    }
    sim.moment(Moment { kind, done: false }).await;
    if !sim.thawed(to, life).await {
        return;
    }
    // Dropping `answer` is a connection that breaks.
    let Some(out) = serve(sim.clone(), life).await else { return };
    sim.moment(Moment { kind, done: true }).await;
    if passage.answer_lost {
        sim.world().note(format_args!("the answer to {kind:?} of {to} is lost on the way"));
        if !passage.breaks {
            answer.closed().await;
        }
        return;
    }
    sleep(passage.back).await;
    // The caller may be gone.
    drop(answer.send(out));
}
