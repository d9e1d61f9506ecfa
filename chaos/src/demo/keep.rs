//! How to go on by hand with what `--keep` leaves running.

use std::env;

use super::Deployment;
use super::report::Report;
use crate::screen::Screen;
use crate::testbed::{CALLER, ProxyProcess};

/// Where the testbed writes the caller's token.
const TOKEN_FILE: &str = "demo.token";

pub(super) fn explain(screen: &Screen, deployment: &Deployment, report: &Report) {
    let testbed = &deployment.testbed;
    let running: Vec<&ProxyProcess> = deployment.proxies.iter().filter(|proxy| proxy.is_running()).collect();
    let addresses: Vec<String> = running.iter().map(|proxy| proxy.address().to_string()).collect();
    let token = testbed.folder().join(TOKEN_FILE);
    let template = report.load.template;
    screen.line("\nEverything is left running. In another terminal:\n");
    screen.line(&format!("  export SCRIP_PROXIES={}", addresses.join(",")));
    screen.line(&format!("  export SCRIP_CALLER={CALLER} SCRIP_TOKEN_FILE={}", token.display()));
    let commands = [
        format!("template show {template}"),
        format!("template replenish {template} --units 10"),
        format!("claim --user 42 --template {template}"),
        "list --user 42".to_owned(),
        "template create --name Breakfast --stock 1000 --limit 2".to_owned(),
    ];
    for command in commands {
        screen.line(&format!("  {} {command}", scrip()));
    }
    screen.line("");
    for proxy in running {
        let admin = proxy.admin_address();
        screen.line(&format!("  {}: curl http://{admin}/metrics, log {}", proxy.name(), proxy.log_path().display()));
    }
    screen.line(&format!("  servers, topology, logs: {}", testbed.folder().display()));
    screen.line("\nCtrl-C ends it and removes everything.");
}

/// The command-line client beside this program.
fn scrip() -> String {
    let beside = env::current_exe().ok().map(|program| program.with_file_name("scrip"));
    beside.filter(|path| path.is_file()).map_or_else(|| "scrip".to_owned(), |path| path.display().to_string())
}
