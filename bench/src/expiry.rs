//! Coupons that end at one moment: are reads exact from then on, what do callers feel while the patrol writes it down, and does every
//! event arrive?

mod report;
mod told;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use scrip_client::{
    Client, Coupon, CouponQuery, CouponStatus, TemplateDefinition, TemplateId, UserId, Validity, mint_request_id,
};
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub use self::report::{Expiry, Phase};
use self::told::Told;
use crate::arrival::mix;
use crate::audit::audit;
use crate::board::{Target, Watched};
use crate::counts::Counts;
use crate::deployment::Deployment;
use crate::drive::Driver;
use crate::report::{Environment, VERSION, write_json};
use crate::screen::Screen;
use crate::spec::{BedSpec, CallerSpec, Load, LoadSpec, LoopKind, OutputSpec, WindowSpec, duration, refuse};
use crate::usage::Tiers;
use crate::workload::{Kind, Workload};
use crate::{Error, environment, sql};

/// Unless the caller has a configuration of its own.
const CONFIG: &str = "[events]\nenabled = true\n[patrol]\nenabled = true\nround_interval = \"1s\"\n";
/// How long the patrol may take, and how long events may be on their way.
const END_MAX: Duration = Duration::from_secs(600);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two reads of somebody's coupons.
const READ_EVERY: Duration = Duration::from_millis(10);

/// Coupons that end together, beside a load.
#[derive(Debug, Clone, Args)]
pub struct ExpirySpec {
    /// Coupons that end at one moment.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub coupons: u64,
    /// When they end, from the first claim of one: making them and one measurement has to fit in.
    #[arg(long, value_name = "SPAN", default_value = "60s", value_parser = duration)]
    pub ends_after: Duration,
    /// The load, on another template: always an open loop.
    #[command(flatten)]
    pub load: LoadSpec,
    /// Those who claim.
    #[command(flatten)]
    pub caller: CallerSpec,
    /// The servers. Without `--proxy-config`: with events and patrol.
    #[command(flatten)]
    pub bed: BedSpec,
    /// Each of the three measurements: before the end, from it on, and after everything is written down.
    #[command(flatten)]
    pub window: WindowSpec,
    /// Where the report goes; it has no page.
    #[command(flatten)]
    pub output: OutputSpec,
}

/// Measures it, prints it and writes it.
///
/// # Errors
/// When it could not be measured, and when something was told wrongly or not at all: then the error says what.
pub async fn expiry(spec: &ExpirySpec) -> Result<Expiry, Error> {
    spec.bed.check()?;
    refuse(&[
        (spec.coupons == 0, "--coupons must be at least 1"),
        (spec.window.duration.is_zero(), "--duration must be more than nothing"),
        (spec.output.html.is_some(), "expiry has no page: leave --html out"),
    ])?;
    let screen = Screen::new();
    let mut bed = spec.bed.clone();
    if bed.proxy_config.is_empty() {
        bed.proxy_config = CONFIG.to_owned();
    }
    let deployment = Deployment::start(&bed, screen).await?;
    let (environment, _) = environment::read(&deployment).await?;
    let expiry = Scene::new(&deployment, spec, screen).await?.play(environment).await?;
    screen.result(&expiry.to_string());
    if let Some(path) = &spec.output.json {
        write_json(path, &expiry)?;
    }
    match expiry.void() {
        Some(why) => Err(Error::Void(why)),
        None => Ok(expiry),
    }
}

struct Scene<'a> {
    deployment: &'a Deployment,
    spec: &'a ExpirySpec,
    screen: Screen,
    load: Load,
    clients: Vec<Client>,
    tiers: Tiers,
    told: Told,
    /// The coupons that end.
    ending: TemplateId,
    ends_at: SystemTime,
}

impl<'a> Scene<'a> {
    async fn new(deployment: &'a Deployment, spec: &'a ExpirySpec, screen: Screen) -> Result<Self, Error> {
        let load = LoadSpec { loop_kind: LoopKind::Open, ..spec.load.clone() }.load(0);
        let clients = deployment.connect(&spec.caller).await?;
        let client = clients.first().ok_or_else(|| Error::Arguments("there is no client".to_owned()))?;
        let ends_at = SystemTime::now() + spec.ends_after;
        let validity = Validity::Fixed { from_ms: 0, until_ms: unix_ms(ends_at) };
        let definition = TemplateDefinition::new("ends with all others", spec.coupons, 1, validity);
        let ending = client.create_template(mint_request_id(), definition).await?.template;
        client.publish(ending).await?;
        let told = Told::start(deployment, ending)?;
        let tiers = deployment.tiers();
        Ok(Self { deployment, spec, screen, load, clients, tiers, told, ending, ends_at })
    }

    async fn play(self, environment: Environment) -> Result<Expiry, Error> {
        let Self { deployment, spec, screen, .. } = &self;
        let ending = Arc::new(Workload::new(Kind::Rush, spec.window.seed, vec![self.ending]));
        screen.say("  making the coupons");
        let mut driver = Driver::new(&self.clients, &ending, Kind::Rush.in_flight());
        driver.fill(spec.coupons).await;
        let (claimed, _) = driver.finish().await;
        let coupons = claimed.acknowledged.len();

        let templates = deployment.publish(&self.clients[0], Kind::Rush, 1).await?;
        let load = Arc::new(Workload::new(Kind::Rush, !spec.window.seed, templates));
        let mut driver = Driver::new(&self.clients, &load, self.load.in_flight_max());
        let mut phases = vec![self.phase(&mut driver, "before the end").await?];
        let left = self.ends_at.duration_since(SystemTime::now());
        sleep(left.map_err(|_| Error::Arguments("the coupons ended too early: raise --ends-after".to_owned()))?).await;
        let ended = Instant::now();
        let reader = Reader::start(&self.clients[0], &ending, coupons);
        phases.push(self.phase(&mut driver, "from the end on").await?);
        let until = ended + END_MAX;
        let written_after_s = self.written(coupons, until).await?.saturating_duration_since(ended).as_secs_f64();
        let (told, at) = self.told.all(coupons, until).await;
        phases.push(self.phase(&mut driver, "after it").await?);
        let (reads, wrong_reads) = reader.stop().await?;

        screen.say("  auditing");
        let (book, _) = driver.finish().await;
        if let Some(why) = audit(deployment, &load, &book, sql::REQUESTS).await?.void() {
            return Err(Error::Void(why));
        }
        Ok(Expiry {
            version: VERSION,
            commit: environment::commit(),
            environment,
            rate_per_s: spec.load.rate,
            coupons,
            phases,
            reads,
            wrong_reads,
            told,
            written_after_s,
            told_after_s: at.saturating_duration_since(ended).as_secs_f64(),
            audit: audit(deployment, &ending, &claimed, sql::REQUESTS).await?,
        })
    }

    async fn phase(&self, driver: &mut Driver, name: &str) -> Result<Phase, Error> {
        self.screen.say(&format!("  {name}"));
        let target = Target { proxies: &self.deployment.proxies, tiers: &self.tiers, screen: self.screen };
        let Watched { recorder, counts, .. } = driver.phase(&target, self.load, &self.spec.window).await?;
        let (latency, written) = (recorder.latency(), counts.total("patrol_steps"));
        let (p50_ms, p99_ms, answered) = (latency.p50, latency.p99, recorder.answered());
        Ok(Phase { name: name.to_owned(), p50_ms, p99_ms, answered, written })
    }

    /// When the patrol had written down so many.
    async fn written(&self, coupons: u64, until: Instant) -> Result<Instant, Error> {
        loop {
            let written = Counts::read(&self.deployment.proxies).await?.total("patrol_steps");
            let now = Instant::now();
            if written >= coupons || now >= until {
                return Ok(now);
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Users who look at a coupon that has ended.
struct Reader {
    stopped: Arc<AtomicBool>,
    task: JoinHandle<Result<(u64, u64), Error>>,
}

impl Reader {
    fn start(client: &Client, ending: &Arc<Workload>, coupons: u64) -> Self {
        let stopped = Arc::new(AtomicBool::new(false));
        let (client, ending, over) = (client.clone(), Arc::clone(ending), Arc::clone(&stopped));
        let task = tokio::spawn(async move {
            let (mut reads, mut wrong) = (0, 0);
            while !over.load(Ordering::Relaxed) {
                let user = UserId(ending.send(mix(ending.seed(), reads) % coupons.max(1)).user);
                let query = CouponQuery::new(user).template(ending.templates()[0]);
                let page = client.list_coupons(&query, None).await?;
                let is_right = |coupon: &Coupon| coupon.status == CouponStatus::Expired;
                wrong += u64::from(page.coupons.len() != 1 || !page.coupons.iter().all(is_right));
                reads += 1;
                sleep(READ_EVERY).await;
            }
            Ok((reads, wrong))
        });
        Self { stopped, task }
    }

    /// How many reads there were, and how many of them were wrong.
    async fn stop(self) -> Result<(u64, u64), Error> {
        self.stopped.store(true, Ordering::Relaxed);
        self.task.await?
    }
}

fn unix_ms(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
