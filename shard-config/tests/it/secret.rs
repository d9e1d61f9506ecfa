//! Secrets come from outside, and are shown nowhere.

use std::fs;

use scrip_shard_config::{Secret, SecretRef, Topology, local};

/// The password of the first primary, if `reference` leads to one.
fn password(reference: SecretRef, files: &[(&str, &[u8])]) -> Result<String, String> {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, content) in files {
        fs::write(dir.path().join(name), content).expect("a file");
    }
    let mut spec = crate::spec(1, 1);
    spec.password = Some(reference);
    let env = |name: &str| match name {
        "SET" => Some(" hunter2\n".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let topology = Topology::parse(&local(&spec), dir.path(), &env).map_err(|violations| {
        assert_eq!(violations.len(), 1, "{violations}");
        violations.to_string()
    })?;
    Ok(topology.primaries[0].password.as_ref().expect("a password").expose().to_owned())
}

fn check(reference: SecretRef, files: &[(&str, &[u8])], expect: Result<&str, &str>) {
    let found = password(reference.clone(), files);
    let expect = expect.map(str::to_owned).map_err(|why| format!("line 14: primary_defaults.password: {why}"));
    assert_eq!(found, expect, "{reference:?}");
}

#[test]
fn cases() {
    let env = |name: &str| SecretRef::Env(name.to_owned());
    let file = |name: &str| SecretRef::File(name.into());
    check(env("SET"), &[], Ok(" hunter2\n"));
    check(
        env("UNSET"),
        &[],
        Err("env \"UNSET\": the environment variable is not set; set it, or use { file = \"path\" }"),
    );
    let empty = "the secret is empty; give it a value, or remove the key where there is no password";
    check(env("EMPTY"), &[], Err(&format!("env \"EMPTY\": {empty}")));
    check(file("f"), &[("f", b"hunter2")], Ok("hunter2"));
    check(file("f"), &[("f", b"hunter2\n")], Ok("hunter2"));
    check(file("f"), &[("f", b"hunter2\r\n")], Ok("hunter2"));
    check(file("f"), &[("f", b" hunter2 \n\n")], Ok(" hunter2 \n"));
    check(file("f"), &[("f", b"\n")], Err(&format!("file \"f\": {empty}")));
    check(
        file("g"),
        &[],
        Err("file \"g\": the file cannot be read (entity not found); create it, or correct the path"),
    );
    check(
        file("f"),
        &[("f", &[b'x'; 4097])],
        Err("file \"f\": the file is longer than 4096 bytes; name the file that holds the secret alone"),
    );
    check(file("f"), &[("f", &[0xff])], Err("file \"f\": the file is not UTF-8 text; write the secret as text"));
}

#[test]
fn a_secret_is_not_shown() {
    assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "Secret(hidden)");
    let mut spec = crate::spec(2, 1);
    spec.password = Some(SecretRef::Env("ANY".to_owned()));
    let topology = Topology::parse(&local(&spec), ".".as_ref(), &|_| Some("hunter2".to_owned())).expect("a topology");
    assert!(!format!("{topology:?}").contains("hunter2"));
    let without = Topology::parse_without_secrets(&local(&spec)).expect("a topology");
    assert!(without.primaries.iter().all(|primary| primary.password.is_none()));
    assert_eq!(without.fingerprint(), topology.fingerprint());
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let text = local(&crate::spec(1, 1));
    let leaks = [
        ("user = \"scrip\"", "user = \"scrip\"\npassword = \"hunter2\""),
        ("user = \"scrip\"", "user = \"scrip\"\npasswort = \"hunter2\""),
        ("user = \"scrip\"", "user = \"scrip\"\npassword = [\"hunter2\"]"),
        ("user = \"scrip\"", "user = \"scrip\"\npassword = { value = \"hunter2\" }"),
        ("user = \"scrip\"", "user = \"scrip\"\npassword = \"hunter2"),
        ("user = \"scrip\"", "user = \"scrip\"\npassword = hunter2"),
        ("\"127.0.0.1:10000\"", "\"mysql://root:hunter2@127.0.0.1:10000\""),
    ];
    for (from, to) in leaks {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text);
        let violations = crate::parse(&edited).expect_err("a refusal").to_string();
        assert!(!violations.contains("hunter2"), "{violations}");
    }
}
