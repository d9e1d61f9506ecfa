//! A client in Python, from the `.proto` files and that language's stock protobuf runtime alone.

use super::scene::{Scene, cases};

cases! {
    a_python_program_claims_a_coupon on Scene::shared;
}

mod cases {
    use std::path::Path;

    use tokio::process::Command;

    use crate::end_to_end::scene::{Books, Scene};

    pub(super) async fn a_python_program_claims_a_coupon(scene: &Scene) {
        let template = scene.template(10, 1).await;
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/examples/python/claim.py");
        let token_file = tempfile::NamedTempFile::new().expect("a file");
        let token = scene.testbed.caller_token().expect("token");
        std::fs::write(token_file.path(), token.expose()).expect("written");
        let python = scrip_chaos::install::python_with_protobuf().expect("the suite installs python3-protobuf");
        let output = Command::new(python)
            .arg(program)
            .arg(scene.proxies[0].address().to_string())
            .arg("demo")
            .arg(token_file.path())
            .args(["4711", &template.get().to_string()])
            .output()
            .await
            .expect("ran");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert!(text.contains("\"CODE_OK\""), "{text}");
        assert_eq!(scene.books(template).await, Books { coupons: 1, ledger: 1 });
    }
}
