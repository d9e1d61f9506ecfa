//! What a claim costs as something grows: templates, primaries, coupons that are there already, connections.
//!
//! Points are measured in turn, each like a run of its own, and what there is so far is written after each of them: a
//! curve that breaks off at its last point has lost that point only.

mod file;

use clap::{Args, ValueEnum};
use scrip_client::Client;

pub use self::file::{Curve, Point};
use crate::deployment::Deployment;
use crate::disk::check_room;
use crate::error::Error;
use crate::screen::Screen;
use crate::spec::{RunSpec, refuse};
use crate::workload::Kind;
use crate::{ceiling, run};

/// Bytes of one coupon on disk: the row, half-full pages, the redo log and the doublewrite buffer that it goes through.
const COUPON_BYTES: u64 = 250;

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CurveKind {
    /// Templates that are wanted by a power law.
    Templates,
    /// Database servers.
    Primaries,
    /// Coupons on the primaries before the first claim.
    Coupons,
    /// Connections to each proxy.
    Connections,
}

/// What grows, through which points, under which load.
#[derive(Debug, Clone, Args)]
pub struct CurveSpec {
    /// What grows; it replaces the option of that name.
    #[arg(value_enum)]
    pub kind: CurveKind,
    /// Its sizes, ascending, separated by commas; by default four or five up to the largest that is promised to cost no more.
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub points: Vec<u64>,
    /// The load.
    #[command(flatten)]
    pub run: RunSpec,
}

impl CurveKind {
    fn points(self) -> Vec<u64> {
        match self {
            Self::Templates => vec![1, 10, 100, 1_000, 10_000],
            Self::Primaries => vec![1, 3, 10, 30],
            Self::Coupons => vec![0, 200_000, 2_000_000, 20_000_000],
            Self::Connections => vec![8, 100, 1_000, 10_000],
        }
    }

    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Templates => "templates",
            Self::Primaries => "primaries",
            Self::Coupons => "coupons",
            Self::Connections => "connections",
        }
    }
}

impl CurveSpec {
    fn check(&self) -> Result<Vec<u64>, Error> {
        let points = if self.points.is_empty() { self.kind.points() } else { self.points.clone() };
        let none = self.kind != CurveKind::Coupons && points.contains(&0);
        refuse(&[
            (!points.is_sorted_by(|a, b| a < b), "--points must ascend"),
            (none, "--points must be at least 1"),
            (points.iter().any(|point| *point > 1 << 32), "--points must be below 4294967296"),
            (
                matches!(self.run.workload, Kind::Read | Kind::Quote | Kind::Redeem),
                "the workloads read, quote and redeem have no curve: they claim nothing",
            ),
        ])?;
        points.iter().try_for_each(|point| self.at(*point).and_then(|spec| spec.check()))?;
        Ok(points)
    }

    /// The run at one point.
    fn at(&self, point: u64) -> Result<RunSpec, Error> {
        let mut spec = self.run.clone();
        let size = usize::try_from(point).map_err(|_| Error::Arguments(format!("{point} is too much")))?;
        match self.kind {
            CurveKind::Templates => (spec.workload, spec.templates) = (Kind::Mixed, Some(size)),
            CurveKind::Primaries => {
                spec.bench.bed.primaries =
                    u16::try_from(point).map_err(|_| Error::Arguments(format!("{point} primaries are too many")))?;
            }
            CurveKind::Coupons => {}
            CurveKind::Connections => spec.caller.connections = size,
        }
        Ok(spec)
    }
}

/// What is kept from point to point.
struct Bench {
    deployment: Deployment,
    coupons: u64,
}

/// Measures all points, prints the curve and writes it.
///
/// # Errors
/// When a point could not be measured, or its count is wrong; what was measured before it is written.
pub async fn curve(spec: &CurveSpec) -> Result<Curve, Error> {
    let points = spec.check()?;
    let screen = Screen::new();
    let mut curve = Curve::new(spec.kind.name());
    let mut bench: Option<Bench> = None;
    for point in points {
        screen.say(&format!("{point} {}", spec.kind.name()));
        let run = spec.at(point)?;
        let kept = match bench.take().filter(|_| spec.kind != CurveKind::Primaries) {
            Some(kept) => kept,
            None => Bench { deployment: Deployment::start(&run.bench.bed, screen).await?, coupons: 0 },
        };
        curve.points.push(kept.measure(spec.kind, point, &run, screen).await.map(|(kept, point)| {
            bench = Some(kept);
            point
        })?);
        curve.write(&spec.run.bench.output)?;
        curve.void().map_or(Ok(()), |why| Err(Error::Void(why)))?;
    }
    screen.result(&curve.to_string());
    Ok(curve)
}

impl Bench {
    async fn measure(
        mut self,
        kind: CurveKind,
        point: u64,
        spec: &RunSpec,
        screen: Screen,
    ) -> Result<(Self, Point), Error> {
        if kind == CurveKind::Coupons {
            let clients = self.deployment.connect(&spec.caller).await?;
            self.fill(&clients[0], point, screen).await?;
        }
        // What a template's sale leaves behind must not count as the next point's coupons: another seed, other users.
        let mut run = spec.clone();
        run.bench.window.seed = run.bench.window.seed.wrapping_add(point << 8);
        let size = if kind == CurveKind::Coupons { self.coupons } else { point };
        let report = run::on(&self.deployment, &run, screen).await?;
        self.coupons += report.repeats.iter().map(|figures| figures.audit.rows).sum::<u64>();
        Ok((self, Point { size, report }))
    }

    async fn fill(&mut self, client: &Client, coupons: u64, screen: Screen) -> Result<(), Error> {
        let missing = coupons.saturating_sub(self.coupons);
        if missing == 0 {
            return Ok(());
        }
        check_room(self.deployment.testbed.folder(), missing * COUPON_BYTES)?;
        screen.say(&format!("  writing {missing} coupons"));
        self.coupons += ceiling::fill(&self.deployment, client, missing, coupons).await?;
        Ok(())
    }
}
