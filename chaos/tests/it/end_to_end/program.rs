//! The client's examples and its command line, as programs against running proxies.

use super::scene::{Scene, cases};

cases! {
    the_examples_run on Scene::shared;
    the_command_line_creates_claims_and_lists on Scene::shared;
}

mod cases {
    use std::path::PathBuf;
    use std::process::Output;

    use tokio::process::Command;

    use crate::end_to_end::scene::Scene;

    /// A program of the workspace that `cargo test --all-features` has built: this test is in `target/PROFILE/deps`.
    fn program(name: &str) -> PathBuf {
        let own = std::env::current_exe().expect("a path");
        let path = own.parent().and_then(|deps| deps.parent()).expect("two folders up").join(name);
        assert!(path.is_file(), "{} is missing: run `cargo suite`, which builds it", path.display());
        path
    }

    async fn run(scene: &Scene, name: &str, arguments: &[&str]) -> Output {
        let token_file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(token_file.path(), scene.testbed.caller_token().expect("token").expose()).expect("written");
        let proxies: Vec<_> = scene.proxies.iter().map(|proxy| proxy.address().to_string()).collect();
        let mut command = Command::new(program(name));
        command.args(arguments).env("SCRIP_PROXIES", proxies.join(",")).env("SCRIP_CALLER", "demo");
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
}
