//! What a claim meets in the proxy without any I/O: the snapshot of templates, the check of its template, the account of
//! where its time goes. `cargo bench -p scrip-proxy`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scrip_protocol::TemplateId;
use scrip_protocol::v1::{TemplateDefinition, TemplateStatus};
use scrip_proxy::meter::Histogram;
use scrip_proxy::store::TemplateRecord;
use scrip_proxy::template::Templates;
use scrip_shard_config::{Address, Local, StockSpec, SubStock, Topology, local};

const NOW_MS: u64 = 1_767_225_600_000;
/// Claims of one group at saturation.
const GROUP: u64 = 200;

fn topology() -> Arc<Topology> {
    let address = |port| Address::Tcp { host: "127.0.0.1".to_owned(), port };
    let text = local(&Local {
        version: 1,
        primaries: (0..30).map(|index| address(3_306 + index)).collect(),
        shards: (0..6).map(|index| address(6_379 + index)).collect(),
        database: "scrip".to_owned(),
        user: "scrip".to_owned(),
        password: None,
        shard_password: None,
        virtual_nodes: Local::VIRTUAL_NODES,
        stock: StockSpec::default(),
    });
    let Ok(topology) = Topology::parse_without_secrets(&text) else { panic!("a topology of this machine is good") };
    Arc::new(topology)
}

fn record(number: u32) -> Option<TemplateRecord> {
    Some(TemplateRecord {
        template: TemplateId::try_new(number).ok()?,
        definition: TemplateDefinition { total_stock: 1_000_000, per_user_limit: 1, ..TemplateDefinition::default() },
        status: TemplateStatus::Published,
        total_stock: 1_000_000,
        sold_out: false,
        created_at_ms: NOW_MS,
        revision: u64::from(number),
        sub_stocks: (0..12).map(SubStock).collect(),
        stripes: 4,
    })
}

fn templates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("template");
    for count in [1, 10_000] {
        let templates = Templates::new(topology());
        templates.apply((1..=count).filter_map(record).collect());
        let ids: Vec<TemplateId> = (1..=count).filter_map(|number| TemplateId::try_new(number).ok()).collect();
        let mut index = 0;
        group.bench_function(format!("find and check one of {count}"), |bencher| {
            bencher.iter(|| {
                // A prime step: neighbours in the list are not neighbours in time.
                index = (index + 7_919) % ids.len();
                templates.get(black_box(ids[index])).and_then(|template| template.refusal(black_box(NOW_MS)))
            });
        });
    }
    group.finish();
}

fn stages(criterion: &mut Criterion) {
    let histogram = Histogram::default();
    let times: Vec<Duration> = (0..GROUP).map(|index| Duration::from_micros(20_000 + index * 97)).collect();
    let mut group = criterion.benchmark_group("stage");
    group.throughput(Throughput::Elements(GROUP));
    group.bench_function("a group's time in a queue", |bencher| {
        bencher.iter(|| histogram.record_each(black_box(&times).iter().copied()));
    });
    group.bench_function("a group's time in a call", |bencher| {
        bencher.iter(|| histogram.record(black_box(times[0]), times.len()));
    });
    group.finish();
}

criterion_group!(benches, templates, stages);
criterion_main!(benches);
