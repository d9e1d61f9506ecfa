//! The command line: what was asked, done, and shown.
//!
//! Exit codes: 0 applied, 1 not applied, 2 the command line or the configuration cannot be used, 3 the outcome is not known.

use std::process::ExitCode;
use std::time::Duration;

use scrip_client::{Client, ClientConfig, ConnectError, Secret};
use serde_json::{Value, json};

mod archive;
mod arguments;
mod bulk;
mod codes;
mod command;
mod definition;
mod order;
mod quote;
mod show;

pub(crate) use arguments::Arguments;
use arguments::Command;
use show::Trouble;

/// A person waits, so a proxy that is not there is told sooner than a service would want it.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);

/// Does what the command line asks; the code to exit with.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let as_json = arguments.connection.json;
    if let Command::Archive(command) = &arguments.command {
        return archive::run(command, as_json);
    }
    let result = start(arguments);
    match result {
        Ok(answer) => {
            print!("{}", if as_json { format!("{answer}\n") } else { show::text(&answer) });
            ExitCode::SUCCESS
        }
        Err(trouble) if as_json => {
            println!("{}", trouble.json());
            trouble.exit_code()
        }
        Err(trouble) => {
            eprint!("{}", trouble.text());
            trouble.exit_code()
        }
    }
}

fn start(arguments: Arguments) -> Result<Value, Trouble> {
    let config = config(&arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::Usage(format!("no runtime: {error}")))?;
    runtime.block_on(async {
        let mut client = Client::connect(config).await.map_err(connect_trouble)?;
        if let Some(deadline) = arguments.connection.deadline {
            client = client.with_deadline(deadline);
        }
        if let Some(max_staleness) = arguments.connection.max_staleness {
            client = client.with_max_staleness(max_staleness);
        }
        let result = command::run(&client, arguments.command).await;
        client.close().await;
        result
    })
}

fn config(arguments: &Arguments) -> Result<ClientConfig, Trouble> {
    let connection = &arguments.connection;
    let mut config = ClientConfig::new(connection.proxy.clone(), connection.caller.clone(), token(arguments)?);
    config.connections_per_proxy = 1;
    config.connect_deadline = CONNECT_DEADLINE;
    Ok(config)
}

/// From a file or the environment: what is on a command line is seen by every user of the machine.
fn token(arguments: &Arguments) -> Result<Secret, Trouble> {
    let Some(path) = &arguments.connection.token_file else {
        let missing = || Trouble::Usage("no token: give --token-file FILE, or set SCRIP_TOKEN".to_owned());
        return std::env::var("SCRIP_TOKEN").map(Secret::new).map_err(|_| missing());
    };
    let unreadable = |error| Trouble::Usage(format!("the token file {} cannot be read: {error}", path.display()));
    std::fs::read_to_string(path).map(Secret::new).map_err(unreadable)
}

fn connect_trouble(error: ConnectError) -> Trouble {
    match error {
        ConnectError::Config(error) => Trouble::Usage(error.to_string()),
        ConnectError::NoRuntime => Trouble::Usage(error.to_string()),
        ConnectError::Refused(failures) | ConnectError::Unreachable(failures) => Trouble::NotConnected(failures),
    }
}

/// The id is told before anything is sent: with it the outcome can be asked for, whatever happens to this process.
fn announce(request_id: scrip_client::RequestId) {
    eprintln!("request id {request_id}");
}

fn applied(what: &str, value: Value) -> Value {
    json!({ "disposition": "applied", what: value })
}

/// The same of a read that a replica may have served; 0: the primary did.
fn read(what: &str, value: Value, staleness: Option<Duration>) -> Value {
    let staleness_ms = staleness.map_or(0, |staleness| staleness.as_millis() as u64);
    json!({ "disposition": "applied", "staleness_ms": staleness_ms, what: value })
}
