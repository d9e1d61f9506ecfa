//! The arrows between the crates: what each may know of the others. Anything else is a mistake of structure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folder, package, and the packages that its programs and libraries may use; beside them, what its tests may use.
const ARROWS: [(&str, &str, &[&str], &[&str]); 6] = [
    ("protocol", "scrip-protocol", &[], &[]),
    ("shard-config", "scrip-shard-config", &[], &[]),
    ("client-sdk", "scrip-client", &["scrip-protocol"], &[]),
    ("proxy", "scrip-proxy", &["scrip-protocol", "scrip-shard-config"], &[]),
    // The proxy itself for `chaos::sim`, which runs its pipeline on model stores.
    ("chaos", "scrip-chaos", &["scrip-client", "scrip-protocol", "scrip-proxy", "scrip-shard-config"], &[]),
    ("bench", "scrip-bench", &["scrip-chaos", "scrip-client", "scrip-protocol", "scrip-shard-config"], &[]),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn ours<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    names.filter(|name| name.starts_with("scrip-")).map(str::to_owned).collect()
}

/// What the manifest names in these tables.
fn named(folder: &str, tables: &[&str]) -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let tables = tables.iter().filter_map(|name| manifest.get(*name)?.as_table());
    ours(tables.flat_map(|table| table.keys().map(String::as_str)))
}

/// What the sources below `src` name, as `scrip_x::`.
fn used(folder: &Path, package: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            found.extend(used(&entry, package));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&entry).expect("a source");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            found.extend(code.flat_map(mentions).filter(|name| name != package));
        }
    }
    found
}

fn mentions(line: &str) -> Vec<String> {
    let packages = ARROWS.iter().map(|(_, package, _, _)| *package);
    packages.filter(|package| line.contains(&format!("{}::", package.replace('-', "_")))).map(str::to_owned).collect()
}

#[test]
fn manifests_and_sources_follow_the_arrows() {
    for (folder, package, allowed, allowed_in_tests) in ARROWS {
        let allowed = ours(allowed.iter().copied());
        assert_eq!(named(folder, &["dependencies", "build-dependencies"]), allowed, "{package}: its manifest");
        let in_tests = named(folder, &["dev-dependencies"]);
        assert_eq!(in_tests, ours(allowed_in_tests.iter().copied()), "{package}: its tests' manifest");
        let used = used(&root().join(folder).join("src"), package);
        let strangers: Vec<_> = used.difference(&allowed).collect();
        assert!(strangers.is_empty(), "{package} uses {strangers:?}");
    }
}

#[test]
fn the_root_holds_the_six_crates_and_nothing_else() {
    let files = ["Cargo.toml", "Cargo.lock", "README.md", "LICENSE", "target"];
    let folders = ARROWS.map(|(folder, _, _, _)| folder);
    for entry in std::fs::read_dir(root()).expect("the root") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        let known = name.starts_with('.') || files.contains(&name.as_str()) || folders.contains(&name.as_str());
        assert!(known, "{name} has no place at the root");
    }
}
