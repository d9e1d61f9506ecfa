//! The client's examples and its command line, as programs against running proxies.

use super::scene::{Scene, cases};

cases! {
    the_life_of_a_coupon_is_as_the_guide_tells on own;
    the_examples_run on Scene::shared;
    the_command_line_creates_claims_and_lists on Scene::shared;
    the_command_line_quotes_by_rules_from_a_file on Scene::shared;
    the_command_line_issues_in_bulk on Scene::shared;
    the_command_line_makes_and_claims_codes on Scene::shared;
    the_command_line_claims_packs on Scene::shared;
}

async fn own(server: std::path::PathBuf) -> Scene {
    let spec = scrip_chaos::testbed::TestbedSpec::new(3, 2).with_database_server(server);
    let config = "[events]\nenabled = true\n\
         [patrol]\nenabled = true\nround_interval = \"3s\"\nslice_rows = 1000\nrows_per_second = 30000\n\
         remind_before = [\"30s\"]\narchive_directory = \"archive\"\narchive_after = \"2s\"\n";
    Scene::own_prepared(spec, config, |folder| std::fs::create_dir(folder.join("archive")).expect("a folder")).await
}

mod cases {
    use std::process::Output;

    use scrip_shard_config::Topology;
    use tokio::process::Command;

    use crate::end_to_end::scene::{Scene, program};

    /// The script that the README shows, with its hundred thousand users.
    pub(super) async fn the_life_of_a_coupon_is_as_the_guide_tells(scene: &Scene) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../client-sdk/examples/life.sh");
        let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("the guide");
        let (_, after) = guide.split_once("<!-- life.sh -->\n```sh\n").expect("the mark in the guide");
        let (shown, _) = after.split_once("```\n<!-- /life.sh -->").expect("the other mark");
        assert_eq!(shown, std::fs::read_to_string(script).expect("the script"), "README.md shows another script");
        let programs = program("scrip").parent().expect("a folder").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{programs}:{programs}/examples:{path}");
        let of_folder = |name| scene.testbed.folder().join(name).display().to_string();
        let topology = Topology::load(scene.testbed.topology_path().expect("a path")).expect("a topology");
        let shard = topology.shards.iter().position(|shard| topology.shard_of_key("events:10") == shard.id);
        let shard = scene.testbed.shard(shard.expect("a shard"));
        let shard = format!("redis://:{}@{}", shard.password().expose(), shard.address());
        let env = [
            ("PATH", path),
            ("PROXY_CONFIG", of_folder("a.toml")),
            ("ARCHIVE", of_folder("archive")),
            ("EVENTS_SHARD", shard),
        ];
        let output = run_with(scene, std::path::Path::new("bash"), &[script], &env).await;
        assert!(output.status.success() && text(&output).contains("every promise holds\n"), "{}", text(&output));
    }

    async fn run(scene: &Scene, name: &str, arguments: &[&str]) -> Output {
        run_with(scene, &program(name), arguments, &[]).await
    }

    async fn run_with(scene: &Scene, program: &std::path::Path, arguments: &[&str], env: &[(&str, String)]) -> Output {
        let token_file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(token_file.path(), scene.testbed.caller_token().expect("token").expose()).expect("written");
        let proxies: Vec<_> = scene.proxies.iter().map(|proxy| proxy.address().to_string()).collect();
        let mut command = Command::new(program);
        command
            .envs(env.iter().map(|(key, value)| (key, value)))
            .args(arguments)
            .env("SCRIP_PROXIES", proxies.join(","))
            .env("SCRIP_CALLER", "demo");
        command.env("SCRIP_TOKEN_FILE", token_file.path()).output().await.expect("ran")
    }

    fn text(output: &Output) -> String {
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    pub(super) async fn the_examples_run(scene: &Scene) {
        let template = scene.template(10, 1).await.to_string();
        for (example, user) in [("examples/admin", "0"), ("examples/blocking", "61001"), ("examples/claim", "61002")] {
            let output = run(scene, example, &[user, &template]).await;
            assert!(output.status.success(), "{example}: {}", text(&output));
        }
    }

    pub(super) async fn the_command_line_quotes_by_rules_from_a_file(scene: &Scene) {
        let rules = "name = 'shoes'\ntotal_stock = 3\ncurrency = 'CNY'\nthreshold_minor = 30000\n\
                     validity.relative.lasts = '1h'\nbenefit.percentage_off.basis_points = 1000\n\
                     applicability.categories.include = ['shoes']";
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), rules).expect("written");
        let path = file.path().to_str().expect("a path in UTF-8");
        let created = run(scene, "scrip", &["--json", "template", "create", "--definition", path]).await;
        let created: serde_json::Value = serde_json::from_slice(&created.stdout).expect("JSON");
        let template = created["template"]["template"].to_string();
        assert_eq!(created["template"]["rules"]["threshold_minor"], 30_000);
        for arguments in
            [&["template", "publish", &template][..], &["claim", "--user", "777003", "--template", &template]]
        {
            let output = run(scene, "scrip", arguments).await;
            assert!(output.status.success(), "{}", text(&output));
        }
        let order = concat!(env!("CARGO_MANIFEST_DIR"), "/../client-sdk/examples/order.json");
        let quoted = run(scene, "scrip", &["--json", "quote", "--user", "777003", "--order", order]).await;
        let quoted: serde_json::Value = serde_json::from_slice(&quoted.stdout).expect("JSON");
        // 10% of two pairs of shoes at 199.00; the socks and the shipping are paid in full.
        assert_eq!(quoted["best"][0]["line_discounts_minor"], serde_json::json!([3_980, 0]));
        assert_eq!(
            (&quoted["quote"]["goods_minor"], &quoted["quote"]["payable_minor"]),
            (&44_300.into(), &41_120.into())
        );
        let shown = run(scene, "scrip", &["quote", "--user", "777003", "--order", order]).await;
        assert!(shown.status.success() && text(&shown).contains("payable_minor: 41120"), "{}", text(&shown));
    }

    pub(super) async fn the_command_line_claims_packs(scene: &Scene) {
        let (tea, cake) = (scene.template(10, 4).await, scene.template(1, 1).await);
        let (two, one) = (format!("{tea}:2"), cake.to_string());
        let claim = async |user, item| {
            let arguments = ["--json", "claim-pack", "--user", user, "--item", item, "--item", &one];
            let output = run(scene, "scrip", &arguments).await;
            let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            (output.status.code(), answer)
        };
        let (code, claimed) = claim("777004", &two).await;
        let templates =
            claimed["coupons"].as_array().map(|coupons| coupons.iter().map(|one| &one["template"]).collect());
        assert_eq!((code, templates), (Some(0), Some(vec![&tea.get().into(), &tea.get().into(), &cake.get().into()])));
        let (code, refused) = claim("777005", &two).await;
        assert_eq!((code, &refused["error"]["template"]), (Some(1), &cake.get().into()), "{refused}");
        assert_eq!(claim("777005", "7:many").await.0, Some(2));
    }

    pub(super) async fn the_command_line_creates_claims_and_lists(scene: &Scene) {
        let created =
            run(scene, "scrip", &["--json", "template", "create", "--name", "Tea", "--stock", "3", "--limit", "1"]);
        let created: serde_json::Value = serde_json::from_slice(&created.await.stdout).expect("JSON");
        let template = created["template"]["template"].to_string();
        let published = run(scene, "scrip", &["template", "publish", &template]).await;
        assert!(published.status.success(), "{}", text(&published));
        let claim = ["claim", "--user", "777001", "--template", &template];
        let claimed = run(scene, "scrip", &claim).await;
        assert_eq!(claimed.status.code(), Some(0), "{}", text(&claimed));
        let refused = run(scene, "scrip", &claim).await;
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
        assert!(text(&refused).contains("LIMIT_REACHED"), "{}", text(&refused));
        let listed = run(scene, "scrip", &["list", "--user", "777001"]).await;
        assert!(listed.status.success() && text(&listed).contains(&template), "{}", text(&listed));
    }

    /// The rows of a CSV file without quotes, but for its header.
    fn rows(text: &str) -> Vec<Vec<&str>> {
        text.lines().skip(1).map(|line| line.split(',').collect()).collect()
    }

    pub(super) async fn the_command_line_issues_in_bulk(scene: &Scene) {
        let (template, folder) = (scene.template(1_000, 1).await, tempfile::tempdir().expect("a folder"));
        scene.claim(880_003, template).await.expect("claimed");
        let template = template.to_string();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (list, bad, results) = (path("users.csv"), path("bad.csv"), path("results.csv"));
        let users: String = (0..300).map(|user| format!("someone,{}\n", 880_000 + user)).collect();
        std::fs::write(&list, format!("name,user_id\n{users}")).expect("written");
        std::fs::write(&bad, "1\ntwo\n1\n").expect("written");

        let refused = run(scene, "scrip", &["bulk", "create", "--template", &template, "--file", &bad]).await;
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        for part in ["line 2, column 1: \"two\"", "line 3, column 1: user 1 stands on line 1"] {
            assert!(text(&refused).contains(part), "{part} in {}", text(&refused));
        }
        let request = "000102030405060708090a0b0c0d0e0f";
        let create = ["--json", "bulk", "create", "--template", &template, "--file", &list, "--request-id", request];
        let created = run(scene, "scrip", &[&create[..], &["--watch"]].concat()).await;
        let job: serde_json::Value = serde_json::from_slice(&created.stdout).expect("JSON");
        let job = &job["job"];
        assert_eq!(
            (&job["state"], &job["issued"], &job["pending"]),
            (&"finished".into(), &299.into(), &0.into()),
            "{job}"
        );
        assert_eq!(job["refused"], serde_json::json!({ "LIMIT_REACHED": 1 }));
        let again = run(scene, "scrip", &create).await;
        let again: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
        assert_eq!((&again["job"]["job"], &again["job"]["users"]), (&job["job"], &300.into()), "{again}");

        let id = job["job"].to_string();
        let written = run(scene, "scrip", &["bulk", "results", &id, "--output", &results]).await;
        assert!(written.status.success(), "{}", text(&written));
        let results = std::fs::read_to_string(&results).expect("results");
        let rows = rows(&results);
        assert_eq!(rows.len(), 300);
        assert!(rows.iter().all(|row| (row[1] == "OK") == (row[2].len() == 32)), "{results}");
        let refused: Vec<_> = rows.iter().filter(|row| row[1] != "OK").collect();
        assert!(matches!(&refused[..], [row] if row[..3] == ["880003", "LIMIT_REACHED", ""]), "{refused:?}");

        let range = ["bulk", "create", "--template", &template, "--first", "890000", "--last", "890049"];
        let paced = run(scene, "scrip", &[&range[..], &["--rate", "5", "--start-in", "1h"]].concat()).await;
        let shown = text(&paced);
        let id = shown.lines().find_map(|line| line.strip_prefix("job: ")).expect("a job").to_owned();
        for (action, state) in
            [("pause", "paused"), ("resume", "running"), ("cancel", "cancell"), ("status", "cancell")]
        {
            let output = run(scene, "scrip", &["bulk", action, &id]).await;
            assert!(text(&output).contains(&format!("state: {state}")), "{action}: {}", text(&output));
        }
        let listed = run(scene, "scrip", &["bulk", "list"]).await;
        assert!(text(&listed).contains(&format!("job={id} ")), "{}", text(&listed));
    }

    pub(super) async fn the_command_line_makes_and_claims_codes(scene: &Scene) {
        let (template, folder) = (scene.template(1_000, 1).await, tempfile::tempdir().expect("a folder"));
        let (template, file) = (template.to_string(), folder.path().join("codes.csv").display().to_string());
        let request = "00112233445566778899aabbccddeeff";
        let create = ["--json", "codes", "create", "--template", &template, "--count", "700", "--request-id", request];
        let created = run(scene, "scrip", &create).await;
        let created: serde_json::Value = serde_json::from_slice(&created.stdout).expect("JSON");
        let again = run(scene, "scrip", &create).await;
        let again: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
        assert_eq!(created, again);
        let id = created["batch"]["batch"].to_string();

        let written = run(scene, "scrip", &["codes", "export", &id, "--output", &file]).await;
        assert!(written.status.success(), "{}", text(&written));
        let codes = std::fs::read_to_string(&file).expect("codes");
        let codes = rows(&codes);
        assert_eq!(codes.len(), 700);
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).expect("a file"));
        assert_eq!(mode & 0o777, 0o600, "a code is money");

        let claim = ["codes", "claim", "--user", "770001", "--code", codes[699][0]];
        let claimed = run(scene, "scrip", &claim).await;
        assert!(text(&claimed).contains("replayed: false"), "{}", text(&claimed));
        let claimed = run(scene, "scrip", &claim).await;
        assert!(text(&claimed).contains("replayed: true"), "{}", text(&claimed));
        let other = run(scene, "scrip", &["codes", "claim", "--user", "770002", "--code", codes[699][0]]).await;
        assert_eq!(other.status.code(), Some(1), "{}", text(&other));
        assert!(text(&other).contains("CODE_USED_UP"), "{}", text(&other));
        let revoked = run(scene, "scrip", &["codes", "revoke", &id]).await;
        assert!(text(&revoked).contains("status: revoked"), "{}", text(&revoked));
        for command in [vec!["codes", "show", &id], vec!["codes", "list"]] {
            let shown = run(scene, "scrip", &command).await;
            assert!(shown.status.success() && text(&shown).contains("revoked"), "{}", text(&shown));
        }
    }
}
