//! The configuration file of a proxy on a testbed.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::{Table, Value};

use super::ProxySpec;
use crate::testbed::Error;
use crate::testbed::deployment::{CALLER, CALLER_TOKEN, COUPON_KEY, Deployment};
use crate::testbed::secret::write_private;

/// Where the files of one proxy are.
#[derive(Debug)]
pub(super) struct ProxyFiles {
    pub(super) config: PathBuf,
    pub(super) ready: PathBuf,
    pub(super) log: PathBuf,
}

impl ProxyFiles {
    /// Writes the configuration beside the files of the deployment, as its paths are relative to it.
    pub(super) fn write(
        deployment: &Deployment,
        spec: &ProxySpec,
        listen: SocketAddr,
        admin_listen: SocketAddr,
    ) -> Result<Self, Error> {
        let of = |kind: &str| deployment.folder().join(format!("{}.{kind}", spec.name));
        let files = Self { config: of("toml"), ready: of("ready"), log: of("log") };
        let problem = |problem: String| Error::Config { name: spec.name.clone(), problem };
        let mut config = basis(deployment, &spec.name, listen, admin_listen);
        merge(&mut config, spec.config.parse().map_err(|error: toml::de::Error| problem(error.to_string()))?);
        write_private(&files.config, &toml::to_string(&config).map_err(|error| problem(error.to_string()))?)?;
        Ok(files)
    }
}

fn basis(deployment: &Deployment, name: &str, listen: SocketAddr, admin_listen: SocketAddr) -> Table {
    let secret = |file: &str| table([("file", file.into())]);
    let caller = table([("name", CALLER.into()), ("token", secret(CALLER_TOKEN))]);
    let mut config = Table::new();
    let values: [(&str, Value); 8] = [
        ("name", name.into()),
        ("topology", deployment.topology_path().display().to_string().into()),
        ("listen", listen.to_string().into()),
        ("admin_listen", admin_listen.to_string().into()),
        ("ready_file", format!("{name}.ready").into()),
        ("coupon_key", secret(COUPON_KEY)),
        ("caller", Value::Array(vec![caller])),
        ("log", table([("format", "json".into()), ("level", "info".into())])),
    ];
    config.extend(values.map(|(key, value)| (key.to_owned(), value)));
    config
}

fn table<const N: usize>(values: [(&str, Value); N]) -> Value {
    Value::Table(values.map(|(key, value)| (key.to_owned(), value)).into_iter().collect())
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(present)), Value::Table(further)) => merge(present, further),
            (Some(Value::Array(present)), Value::Array(further)) => present.extend(further),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_replace_tables_merge_and_arrays_grow() {
        let mut basis: Table = "a = 1\nlist = [1]\n[log]\nlevel = \"info\"\nformat = \"json\"".parse().expect("TOML");
        merge(&mut basis, "a = 2\nlist = [2]\n[log]\nlevel = \"debug\"".parse().expect("TOML"));
        let expect: Table = "a = 2\nlist = [1, 2]\n[log]\nlevel = \"debug\"\nformat = \"json\"".parse().expect("TOML");
        assert_eq!(basis, expect);
    }
}
