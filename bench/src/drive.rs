//! The load, through the SDK's `ClaimStream`: one task, no task for each claim.

use std::iter::from_fn;
use std::time::{Duration, Instant};

use scrip_chaos::testbed::ProxyProcess;
use scrip_client::{ClaimStream, Client, Completion};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Error;
use crate::arrival::Arrivals;
use crate::book::Book;
use crate::counts::Counts;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::screen::Screen;
use crate::spec::{Load, WindowSpec};
use crate::usage::{CpuTimes, Tiers};
use crate::workload::Workload;

/// The longest wait without a look at the clock.
const TICK: Duration = Duration::from_millis(50);
/// How long unknown outcomes are asked for.
const FOLLOW_UP_MAX: Duration = Duration::from_secs(30);

/// What a run leaves.
pub(crate) struct Driven {
    pub(crate) recorder: Recorder,
    pub(crate) book: Book,
    /// Claims sent, from the warm-up to the end.
    pub(crate) sent: u64,
    pub(crate) window: Duration,
    pub(crate) cpu: CpuTimes,
    pub(crate) counts: Counts,
}

/// What the load is driven with.
pub(crate) struct Target<'a> {
    pub(crate) client: &'a Client,
    pub(crate) proxies: &'a [ProxyProcess],
    pub(crate) tiers: &'a Tiers,
}

/// Everything counted at one moment.
struct Mark {
    at: Instant,
    cpu: CpuTimes,
    counts: JoinHandle<Result<Counts, Error>>,
}

impl Mark {
    fn take(target: &Target<'_>) -> Result<Self, Error> {
        let proxies = target.proxies.to_vec();
        let counts = tokio::spawn(async move { Counts::read(&proxies).await });
        Ok(Self { at: Instant::now(), cpu: target.tiers.read()?, counts })
    }
}

struct Driver<'a> {
    stream: ClaimStream,
    workload: &'a Workload,
    arrivals: Option<Arrivals>,
    started: Instant,
    next: u64,
    /// In an open loop: from due to submitted, by the number of the send.
    lags_us: Vec<u32>,
    book: Book,
    recorder: Recorder,
    batch: Vec<Completion>,
    answered: u64,
}

/// Warm-up, measurement, and the end of all that is under way.
pub(crate) async fn drive(
    target: &Target<'_>,
    workload: &Workload,
    load: Load,
    window: &WindowSpec,
    screen: Screen,
) -> Result<Driven, Error> {
    let mut driver = Driver::new(target.client, workload, load, window.seed);
    let mut progress = Progress::new(screen, window.warm_up + window.duration);
    driver
        .until(window.warm_up, None, |driver, at| {
            progress.show("warm-up", at, driver.answered, driver.stream.outstanding());
        })
        .await;
    let first = Mark::take(target)?;
    let end = driver.started.elapsed() + window.duration;
    driver
        .until(end, Some(first.at), |driver, at| {
            progress.show("measured", at, driver.answered, driver.stream.outstanding());
        })
        .await;
    let last = Mark::take(target)?;
    drop(progress);
    driver.drain().await;
    driver.resolve().await;
    Ok(Driven {
        sent: driver.next,
        recorder: driver.recorder,
        book: driver.book,
        window: last.at - first.at,
        cpu: last.cpu - first.cpu,
        counts: last.counts.await?? - first.counts.await??,
    })
}

impl<'a> Driver<'a> {
    fn new(client: &Client, workload: &'a Workload, load: Load, seed: u64) -> Self {
        let (in_flight, arrivals) = match load {
            Load::Closed { in_flight } => (in_flight, None),
            Load::Open { rate_per_s, spacing, in_flight_max } => {
                (in_flight_max, Some(Arrivals::new(rate_per_s, spacing, seed)))
            }
        };
        Self {
            stream: client.claim_stream(in_flight),
            workload,
            arrivals,
            started: Instant::now(),
            next: 0,
            lags_us: Vec::new(),
            book: Book::default(),
            recorder: Recorder::new(),
            batch: Vec::new(),
            answered: 0,
        }
    }

    /// Sends and takes answers until `end`; records them from `measured` on, if it is given.
    async fn until(&mut self, end: Duration, measured: Option<Instant>, mut show: impl FnMut(&Self, Duration)) {
        loop {
            let elapsed = self.started.elapsed();
            if elapsed >= end {
                return;
            }
            self.submit(elapsed);
            self.take(self.wait(end)).await;
            self.note(measured);
            show(self, elapsed);
        }
    }

    fn submit(&mut self, elapsed: Duration) {
        let (workload, next, lags) = (self.workload, &mut self.next, &mut self.lags_us);
        let mut arrivals = self.arrivals.as_mut();
        let mut claims = from_fn(|| {
            if let Some(arrivals) = &mut arrivals {
                let lag = elapsed.checked_sub(arrivals.due())?;
                lags.push(u32::try_from(lag.as_micros()).unwrap_or(u32::MAX));
                arrivals.advance();
            }
            let number = *next;
            *next += 1;
            Some((number, workload.claim(&workload.send(number))))
        });
        self.stream.submit(&mut claims);
    }

    /// Until the next claim is due, or may be sent because others were answered.
    fn wait(&self, end: Duration) -> Duration {
        let elapsed = self.started.elapsed();
        let due = match &self.arrivals {
            Some(arrivals) if self.stream.room() > 0 => arrivals.due(),
            _ => end,
        };
        due.min(end).saturating_sub(elapsed).min(TICK)
    }

    async fn take(&mut self, limit: Duration) {
        if self.stream.outstanding() == 0 {
            tokio::time::sleep(limit).await;
            self.batch.clear();
        // Nothing is lost by giving up: answers stay until they are taken.
        } else if timeout(limit, self.stream.completed(&mut self.batch)).await.is_err() {
            self.batch.clear();
        }
    }

    fn note(&mut self, measured: Option<Instant>) {
        self.answered += self.batch.len() as u64;
        let at = measured.map(|measured| measured.elapsed());
        for completion in &self.batch {
            self.book.note(self.workload.send(completion.tag).request, &completion.result);
            if let Some(at) = at {
                // The tag is the index that `submit` gave.
                let lag = self.lags_us.get(completion.tag as usize).copied().unwrap_or(0);
                self.recorder.record(completion, Duration::from_micros(lag.into()), at);
            }
        }
    }

    /// Waits for all answers.
    async fn drain(&mut self) {
        while self.stream.outstanding() > 0 {
            self.take(TICK).await;
            self.note(None);
        }
    }

    /// Asks again for every outcome that is not known, under the same request id, until it is.
    async fn resolve(&mut self) {
        let until = Instant::now() + FOLLOW_UP_MAX;
        while !self.book.unknown.is_empty() && Instant::now() < until {
            let requests = std::mem::take(&mut self.book.unknown);
            let workload = self.workload;
            let again = |number: u64| {
                let send = crate::workload::Send { first_try: false, ..workload.send(number) };
                (number, workload.claim(&send))
            };
            let mut claims = requests.into_iter().map(again);
            while claims.len() > 0 || self.stream.outstanding() > 0 {
                self.stream.submit(&mut claims);
                self.take(TICK).await;
                self.note(None);
            }
        }
    }
}
