//! Routes: a user's primary, a sub-stock's shard, the suffixes of a new template. `cargo bench -p scrip-shard-config`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use scrip_shard_config::{SubStock, Tail, Topology, stock_key};

const TOPOLOGY: &str = include_str!("../examples/topology.toml");

fn routes(criterion: &mut Criterion) {
    let Ok(topology) = Topology::parse_without_secrets(TOPOLOGY) else {
        panic!("the example topology is good: a test says so");
    };
    let mut group = criterion.benchmark_group("route");
    let mut user = 0u64;
    group.bench_function("user to primary", |bencher| {
        bencher.iter(|| {
            user = user.wrapping_add(0x9e37_79b9_7f4a_7c15);
            topology.primary_of(Tail::of_user(black_box(user)))
        });
    });
    let keys: Vec<String> = (0..64).map(|number| stock_key(7, SubStock(number))).collect();
    let mut index = 0;
    group.bench_function("sub-stock to shard", |bencher| {
        bencher.iter(|| {
            index = (index + 1) % keys.len();
            topology.shard_of_key(black_box(&keys[index]))
        });
    });
    group.bench_function("suffixes of a template", |bencher| bencher.iter(|| drop(topology.place(black_box(7)))));
    group.bench_function("read a topology", |bencher| {
        bencher.iter(|| drop(Topology::parse_without_secrets(black_box(TOPOLOGY))));
    });
    group.finish();
}

criterion_group!(benches, routes);
criterion_main!(benches);
