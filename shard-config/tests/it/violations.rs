//! Every kind of violation: what the file says, and what the user reads. All of a file are listed at once.

use scrip_shard_config::Local;

use crate::{parse, spec};

const BASE: &str = r#"version = 1
meta = 0
[ring]
virtual_nodes = 512
[stock]
stripes = 2
[primary_defaults]
user = "scrip"
[[primary]]
id = 0
address = "db-0:3306"
tails = ["0000-4999"]
database = "scrip"
[[primary]]
id = 1
address = "db-1:3306"
tails = ["5000-9999"]
database = "scrip"
replicas = ["db-2:3306"]
[[shard]]
id = 0
address = "redis-0:6379"
[[shard]]
id = 1
address = "redis-1:6379"
"#;

/// The base with each `from` replaced by its `to` has exactly these violations, a line each, in this order.
fn check(edits: &[(&str, &str)], expect: &[&str]) {
    let mut text = BASE.to_owned();
    for (from, to) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from:?} is to be found once");
        text = text.replace(from, to);
    }
    let violations = parse(&text).expect_err("violations").to_string();
    assert_eq!(violations.lines().collect::<Vec<_>>(), expect, "{edits:?}");
}

#[test]
fn the_base_has_none() {
    parse(BASE).expect("a topology");
}

#[test]
fn kinds() {
    for (from, to, expect) in CASES {
        check(&[(from, to)], expect);
    }
}

const CASES: &[(&str, &str, &[&str])] = &[
    (
        "version = 1\n",
        "version = \n",
        &["line 1: TOML: (syntax error): string values must be quoted, expected literal string"],
    ),
    ("meta = 0\n", "meta = 0\nmeta = 1\n", &["line 3: TOML: (syntax error): duplicate key"]),
    (
        "version = 1\n",
        "version = 1\nvers1on = 2\n",
        &["line 2: vers1on: (unknown key): no such key; did you mean `version`?"],
    ),
    (
        "version = 1\n",
        "version = 1\nzebra = 2\n",
        &[
            "line 2: zebra: (unknown key): no such key; known here are `version`, `meta`, `ring`, `stock`, `primary_defaults`, `shard_defaults`, `primary`, `shard`",
        ],
    ),
    ("stripes = 2", "strips = 2", &["line 6: stock.strips: (unknown key): no such key; did you mean `stripes`?"]),
    (
        "user = \"scrip\"",
        "usr = \"scrip\"",
        &["line 8: primary_defaults.usr: (unknown key): no such key; did you mean `user`?"],
    ),
    (
        "id = 0\naddress = \"db-0:3306\"",
        "id = 0\nadress = \"db-0:3306\"",
        &["line 11: primary[0].adress: (unknown key): no such key; did you mean `address`?"],
    ),
    ("version = 1\n", "", &["version: (missing): add version = 1, and raise it with every change"]),
    ("version = 1\n", "version = 0\n", &["line 1: version: 0: write a whole number from 1 to 9223372036854775807"]),
    (
        "version = 1\n",
        "version = \"1\"\n",
        &["line 1: version: \"1\": write a whole number from 1 to 9223372036854775807"],
    ),
    ("version = 1\n", "version = 1.5\n", &["line 1: version: 1.5: write a whole number from 1 to 9223372036854775807"]),
    (
        "version = 1\n",
        "version = 99999999999999999999\n",
        &["line 1: version: 99999999999999999999: write a whole number from 1 to 9223372036854775807"],
    ),
    ("meta = 0\n", "", &["meta: (missing): add the id of the primary that holds the meta schema: meta = 0"]),
    ("meta = 0\n", "meta = 2\n", &["line 2: meta: 2: no primary has this id; name one that exists"]),
    ("meta = 0\n", "meta = \"p00\"\n", &["line 2: meta: \"p00\": write a whole number from 0 to 65535"]),
    (
        "[ring]\nvirtual_nodes = 512\n",
        "",
        &["ring: (missing): add [ring] with virtual_nodes = 512, and keep it: to change it moves most keys"],
    ),
    ("[ring]\nvirtual_nodes = 512\n", "ring = 512\n", &["line 3: ring: 512: write a section with `virtual_nodes`"]),
    (
        "virtual_nodes = 512\n",
        "",
        &[
            "line 3: ring.virtual_nodes: (missing): add [ring] with virtual_nodes = 512, and keep it: to change it moves most keys",
        ],
    ),
    (
        "virtual_nodes = 512\n",
        "virtual_nodes = 0\n",
        &["line 4: ring.virtual_nodes: 0: write a whole number from 1 to 4096"],
    ),
    (
        "virtual_nodes = 512\n",
        "virtual_nodes = 4097\n",
        &["line 4: ring.virtual_nodes: 4097: write a whole number from 1 to 4096"],
    ),
    ("stripes = 2\n", "stripes = 0\n", &["line 6: stock.stripes: 0: write a whole number from 1 to 64"]),
    ("stripes = 2\n", "stripes = 65\n", &["line 6: stock.stripes: 65: write a whole number from 1 to 64"]),
    (
        "stripes = 2\n",
        "sub_stocks_per_shard = 17\n",
        &["line 6: stock.sub_stocks_per_shard: 17: write a whole number from 1 to 16"],
    ),
    (
        "[[primary]]\nid = 0\naddress",
        "[[primary]]\naddress",
        &["line 9: primary[0].id: (missing): add its id, such as id = 7; it stays when the address changes"],
    ),
    (
        "[[primary]]\nid = 1",
        "[[primary]]\nid = 0",
        &["line 15: primary[1].id: 0: primary[0].id has this id already; give each its own"],
    ),
    (
        "[[primary]]\nid = 1",
        "[[primary]]\nid = 65536",
        &["line 15: primary[1].id: 65536: write a whole number from 0 to 65535"],
    ),
    (
        "[[primary]]\nid = 1",
        "[[primary]]\nid = -1",
        &["line 15: primary[1].id: -1: write a whole number from 0 to 65535"],
    ),
    (
        "address = \"db-1:3306\"\n",
        "",
        &["line 14: primary[1].address: (missing): add address = \"host:port\" or \"unix:/path\""],
    ),
    (
        "address = \"db-1:3306\"\n",
        "address = \"db-1\"\n",
        &["line 16: primary[1].address: \"db-1\": write host:port with a port from 1 to 65535, or unix:/path"],
    ),
    (
        "address = \"db-1:3306\"\n",
        "address = 3306\n",
        &["line 16: primary[1].address: 3306: write \"host:port\" or \"unix:/path\""],
    ),
    (
        "address = \"db-1:3306\"\n",
        "address = \"root:hunter2@db-1:3306\"\n",
        &["line 16: primary[1].address: (hidden): write host:port only; user and password have fields of their own"],
    ),
    (
        "address = \"db-1:3306\"\n",
        "address = \"DB-0:3306\"\n",
        &[
            "line 16: primary[1].address: \"db-0:3306\": primary[0].address has this address already; a server has one role",
        ],
    ),
    (
        "\"db-2:3306\"",
        "\"db-0:3306\"",
        &[
            "line 19: primary[1].replicas[0]: \"db-0:3306\": primary[0].address has this address already; a server has one role",
        ],
    ),
    (
        "\"db-2:3306\"",
        "\"db-2\"",
        &["line 19: primary[1].replicas[0]: \"db-2\": write host:port with a port from 1 to 65535, or unix:/path"],
    ),
    (
        "[\"db-2:3306\"]",
        "\"db-2:3306\"",
        &["line 19: primary[1].replicas: \"db-2:3306\": write a list of addresses, such as [\"10.0.1.7:3306\"]"],
    ),
    (
        "[\"db-2:3306\"]",
        "[\"r-0:1\", \"r-1:1\", \"r-2:1\", \"r-3:1\", \"r-4:1\", \"r-5:1\", \"r-6:1\", \"r-7:1\", \"r-8:1\", \"r-9:1\", \"r-10:1\", \"r-11:1\", \"r-12:1\", \"r-13:1\", \"r-14:1\", \"r-15:1\", \"r-16:1\"]",
        &["line 19: primary[1].replicas: (an array): 17 replicas are too many; list at most 16"],
    ),
    (
        "database = \"scrip\"\nreplicas",
        "replicas",
        &["line 14: primary[1].database: (missing): add database = \"scrip\" here or in [primary_defaults]"],
    ),
    (
        "database = \"scrip\"\nreplicas",
        "database = \"scrip; --\"\nreplicas",
        &["line 18: primary[1].database: \"scrip; --\": write a name of at most 64 letters, digits and underscores"],
    ),
    (
        "database = \"scrip\"\nreplicas",
        "database = \"\"\nreplicas",
        &["line 18: primary[1].database: \"\": write a name of at most 64 letters, digits and underscores"],
    ),
    (
        "user = \"scrip\"\n",
        "",
        &[
            "line 8: primary[0].user: (missing): add user = \"scrip\" here or in [primary_defaults]",
            "line 13: primary[1].user: (missing): add user = \"scrip\" here or in [primary_defaults]",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"\"\n",
        &["line 8: primary_defaults.user: \"\": write a user name of 1 to 32 characters"],
    ),
    (
        "user = \"scrip\"\n",
        "user = 7\n",
        &["line 8: primary_defaults.user: 7: write a user name of 1 to 32 characters"],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = \"hunter2\"\n",
        &[
            "line 9: primary_defaults.password: (hidden): write { env = \"NAME\" } or { file = \"path\" }; the topology holds no secrets, only where they are",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = {}\n",
        &[
            "line 9: primary_defaults.password: (hidden): write { env = \"NAME\" } or { file = \"path\" }; the topology holds no secrets, only where they are",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = { env = \"A\", file = \"b\" }\n",
        &[
            "line 9: primary_defaults.password: (hidden): write { env = \"NAME\" } or { file = \"path\" }; the topology holds no secrets, only where they are",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = { evn = \"A\" }\n",
        &[
            "line 9: primary_defaults.password.evn: (unknown key): no such key; did you mean `env`?",
            "line 9: primary_defaults.password: (hidden): write { env = \"NAME\" } or { file = \"path\" }; the topology holds no secrets, only where they are",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = { env = \"\" }\n",
        &[
            "line 9: primary_defaults.password.env: \"\": write a name as text, not empty and without any of ['\\0', '=']",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = { env = \"A=B\" }\n",
        &[
            "line 9: primary_defaults.password.env: \"A=B\": write a name as text, not empty and without any of ['\\0', '=']",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = { file = 7 }\n",
        &["line 9: primary_defaults.password.file: 7: write a name as text, not empty and without any of ['\\0']"],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = { env = \"UNSET\" }\n",
        &[
            "line 9: primary_defaults.password: env \"UNSET\": the environment variable is not set; set it, or use { file = \"path\" }",
        ],
    ),
    (
        "user = \"scrip\"\n",
        "user = \"scrip\"\npassword = { file = \"no such file\" }\n",
        &[
            "line 9: primary_defaults.password: file \"no such file\": the file cannot be read (entity not found); create it, or correct the path",
        ],
    ),
    (
        "tails = [\"5000-9999\"]\n",
        "",
        &["line 14: primary[1].tails: (missing): add the tails that it holds: tails = [\"0000-0333\"], or [] for none"],
    ),
    (
        "\"5000-9999\"",
        "\"5001-9998\"",
        &[
            "primary: 5000: no primary holds these tails; add them to the tails of one",
            "primary: 9999: no primary holds these tails; add them to the tails of one",
        ],
    ),
    (
        "\"5000-9999\"",
        "\"4990-9999\"",
        &["line 17: primary[1].tails: 4990-4999: primary[0].tails holds these tails already; leave them in one place"],
    ),
    (
        "\"5000-9999\"",
        "\"0000-9999\"",
        &["line 17: primary[1].tails: 0000-4999: primary[0].tails holds these tails already; leave them in one place"],
    ),
    (
        "[\"5000-9999\"]",
        "[\"5000-9999\", \"0007\", \"5000-5001\"]",
        &[
            "line 17: primary[1].tails: 0007: primary[0].tails holds these tails already; leave them in one place",
            "line 17: primary[1].tails: 5000-5001: primary[1].tails holds these tails already; leave them in one place",
        ],
    ),
    ("[\"5000-9999\"]", "[]", &["primary: 5000-9999: no primary holds these tails; add them to the tails of one"]),
    (
        "\"5000-9999\"",
        "\"5000-10000\"",
        &[
            "line 17: primary[1].tails[0]: \"5000-10000\": write a range of tails from 0000 to 9999, such as \"0000-0333\", or one tail, such as \"0007\"",
        ],
    ),
    (
        "\"5000-9999\"",
        "\"9999-5000\"",
        &["line 17: primary[1].tails[0]: \"9999-5000\": the range is backwards; write the lower tail first"],
    ),
    (
        "\"5000-9999\"",
        "\"5000..9999\"",
        &[
            "line 17: primary[1].tails[0]: \"5000..9999\": write a range of tails from 0000 to 9999, such as \"0000-0333\", or one tail, such as \"0007\"",
        ],
    ),
    ("\"5000-9999\"", "5000", &["line 17: primary[1].tails[0]: 5000: write a range as text, such as \"0000-0333\""]),
    (
        "[\"5000-9999\"]",
        "\"5000-9999\"",
        &["line 17: primary[1].tails: \"5000-9999\": write a list of ranges, such as [\"0000-0333\"], or [] for none"],
    ),
    (
        "[[shard]]\nid = 1\naddress = \"redis-1:6379\"\n",
        "[[shard]]\nid = 0\naddress = \"redis-1:6379\"\n",
        &["line 24: shard[1].id: 0: shard[0].id has this id already; give each its own"],
    ),
    (
        "address = \"redis-1:6379\"",
        "address = \"redis-0:6379\"",
        &[
            "line 25: shard[1].address: \"redis-0:6379\": shard[0].address has this address already; a server has one role",
        ],
    ),
    (
        "address = \"redis-1:6379\"",
        "address = \"db-2:3306\"",
        &[
            "line 25: shard[1].address: \"db-2:3306\": primary[1].replicas[0] has this address already; a server has one role",
        ],
    ),
    (
        "address = \"redis-1:6379\"",
        "address = \"unix:redis.sock\"",
        &["line 25: shard[1].address: \"unix:redis.sock\": write an absolute path after unix:"],
    ),
    (
        "address = \"redis-1:6379\"",
        "database = 1",
        &[
            "line 23: shard[1].address: (missing): add address = \"host:port\" or \"unix:/path\"",
            "line 25: shard[1].database: (unknown key): no such key; known here are `id`, `address`, `user`, `password`",
        ],
    ),
    (
        "[[shard]]\nid = 0\naddress = \"redis-0:6379\"\n[[shard]]\nid = 1\naddress = \"redis-1:6379\"\n",
        "",
        &["shard: (missing): add at least one [[shard]] section"],
    ),
    (
        "[[shard]]\nid = 0\naddress = \"redis-0:6379\"\n[[shard]]\nid = 1\naddress = \"redis-1:6379\"\n",
        "[shard]\nid = 0\n",
        &["line 20: shard: (a table): add at least one [[shard]] section"],
    ),
    (
        "[[shard]]\nid = 0\naddress = \"redis-0:6379\"\n[[shard]]\nid = 1\naddress = \"redis-1:6379\"\n",
        "[shard_defaults]\ndatabase = \"x\"\n[[shard]]\nid = 0\naddress = \"redis-0:6379\"\n",
        &["line 21: shard_defaults.database: (unknown key): no such key; known here are `user`, `password`"],
    ),
];

#[test]
fn all_are_listed_at_once() {
    check(
        &[
            ("version = 1", "version = 0"),
            ("meta = 0", "meta = 9"),
            ("stripes = 2", "strips = 2"),
            ("\"db-0:3306\"", "\"db-0\""),
            ("0000-4999", "0000-4998"),
            ("id = 1\naddress = \"redis-1", "id = 0\naddress = \"redis-1"),
        ],
        &[
            "primary: 4999: no primary holds these tails; add them to the tails of one",
            "line 1: version: 0: write a whole number from 1 to 9223372036854775807",
            "line 2: meta: 9: no primary has this id; name one that exists",
            "line 6: stock.strips: (unknown key): no such key; did you mean `stripes`?",
            "line 11: primary[0].address: \"db-0\": write host:port with a port from 1 to 65535, or unix:/path",
            "line 24: shard[1].id: 0: shard[0].id has this id already; give each its own",
        ],
    );
}

/// A local topology of this size has exactly these violations.
fn check_size(primaries: u16, shards: u16, virtual_nodes: u16, expect: &[&str]) {
    let spec = Local { virtual_nodes, ..spec(primaries, shards) };
    let found =
        parse(&scrip_shard_config::local(&spec)).map_or_else(|violations| violations.to_string(), |_| String::new());
    assert_eq!(found.lines().collect::<Vec<_>>(), expect, "{primaries} {shards} {virtual_nodes}");
}

#[test]
fn sizes() {
    check_size(1, 1, 1, &[]);
    check_size(1000, 256, 128, &[]);
    check_size(1, 8, 4096, &[]);
    check_size(1001, 1, 512, &["primary: 1001 sections: at most 1000 are supported; remove some"]);
    check_size(1, 257, 64, &["shard: 257 sections: at most 256 are supported; remove some"]);
    check_size(0, 1, 512, &["primary: (missing): add at least one [[primary]] section"]);

    let fix = "with 9 shards the ring takes too long to build; write at most 3640";
    check_size(1, 9, 4096, &[&format!("line 5: ring.virtual_nodes: 4096: {fix}")]);
    let starved = "line 5: ring.virtual_nodes: 1: s0 would own only 0.39% of the ring; raise it";
    check_size(1, 7, 1, &[starved]);
}

#[test]
fn more_ranges_than_tails() {
    let ranges = "\"0000\", ".repeat(10_000);
    let fix = "at most 10000 are supported; join those that touch";
    check(&[("\"0000-4999\"", &ranges)], &[&format!("primary: 10001 ranges of tails: {fix}")]);
}
