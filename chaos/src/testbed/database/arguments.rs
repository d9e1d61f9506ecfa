//! The command line of a database server. No secrets here: it shows in process lists.

use std::ffi::OsString;
use std::path::Path;

use super::DatabasePlan;
use crate::testbed::template::user_argument;
use crate::testbed::{DatabaseSettings, Durability, Flavour};

/// The data folder, in the server's folder.
pub(super) const DATA: &str = "data";
/// The folder for temporary files, in the server's folder.
pub(super) const TEMPORARY: &str = "tmp";
/// The unix socket, in the server's folder.
pub(super) const SOCKET: &str = "server.sock";
/// MySQL's lock file beside the socket. It names a process id that may be another's by the next start.
pub(super) const SOCKET_LOCK: &str = "server.sock.lock";

/// Small and the same for both flavours. The asynchronous I/O of the kernel is off because its system-wide limit
/// (`fs.aio-max-nr`) is used up by some thirty servers.
const FIXED: [&str; 13] = [
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--performance-schema=OFF",
    "--innodb-use-native-aio=0",
    "--innodb-doublewrite=ON",
    "--innodb-read-io-threads=1",
    "--innodb-write-io-threads=2",
    "--innodb-log-buffer-size=8M",
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--character-set-server=utf8mb4",
    "--default-time-zone=+00:00",
    "--key-buffer-size=1M",
];

const MARIADB: [&str; 2] = ["--aria-pagecache-buffer-size=4M", "--loose-innodb-buffer-pool-chunk-size=0"];

/// No X protocol (it would want a port), no TLS. Passwords go over TCP under the server's RSA key all the same.
const MYSQL: [&str; 3] = ["--mysqlx=OFF", "--tls-version=", "--loose-innodb-buffer-pool-in-core-file=OFF"];

/// All arguments of one server.
pub(super) fn all(plan: &DatabasePlan, folder: &Path, port: u16, server_id: u32) -> Vec<OsString> {
    let flavour = plan.program.flavour;
    let mut arguments: Vec<OsString> = vec!["--no-defaults".into()];
    arguments.extend(user_argument().map(OsString::from));
    arguments.extend(paths(plan, folder));
    arguments.extend([format!("--port={port}").into(), format!("--server-id={server_id}").into()]);
    arguments.extend(FIXED.map(OsString::from));
    match flavour {
        Flavour::MariaDb => arguments.extend(MARIADB.map(OsString::from)),
        Flavour::MySql => arguments.extend(MYSQL.map(OsString::from)),
    }
    arguments.extend(chosen(&plan.settings, flavour).into_iter().map(OsString::from));
    arguments
}

/// The socket is named relative to the data folder, where servers change to: the kernel takes 107 bytes at most.
fn paths(plan: &DatabasePlan, folder: &Path) -> [OsString; 5] {
    let of = |name: &str, path: &Path| {
        let mut argument = OsString::from(format!("--{name}="));
        argument.push(path);
        argument
    };
    [
        of("datadir", &folder.join(DATA)),
        of("tmpdir", &folder.join(TEMPORARY)),
        of("pid-file", &folder.join("server.pid")),
        of("socket", &Path::new("..").join(SOCKET)),
        of("init-file", &plan.folder.join("init.sql")),
    ]
}

fn chosen(settings: &DatabaseSettings, flavour: Flavour) -> Vec<String> {
    let full = settings.durability == Durability::Full;
    let redo = match flavour {
        Flavour::MariaDb => "innodb-log-file-size",
        Flavour::MySql => "innodb-redo-log-capacity",
    };
    let mut arguments = vec![
        format!("--innodb-flush-log-at-trx-commit={}", if full { 1 } else { 2 }),
        format!("--innodb-buffer-pool-size={}M", settings.buffer_pool_mib.max(8)),
        format!("--{redo}={}M", settings.redo_mib.max(8)),
        format!("--max-connections={}", settings.max_connections),
    ];
    if settings.binlog {
        arguments.extend(["--log-bin=binlog".to_owned(), "--loose-binlog-format=ROW".to_owned()]);
        arguments.push(format!("--sync-binlog={}", u8::from(full)));
    } else {
        arguments.push("--skip-log-bin".to_owned());
    }
    arguments.extend(settings.extra_arguments.iter().cloned());
    arguments
}
