//! The tables in the crate's guide are those of the code, and its example is the file that runs.

use std::env;
use std::fs;
use std::path::Path;

use scrip_protocol::limits::ALL;
use scrip_protocol::v1::Code;

#[test]
fn tables_and_example() {
    // One after the other: each writes the same file.
    codes();
    limits();
    example();
}

fn codes() {
    let mut table =
        String::from("| number | code | disposition | fault | cause | remedy |\n|--:|---|---|---|---|---|\n");
    for code in Code::ALL {
        let disposition = code.disposition().map_or("".into(), |disposition| disposition.to_string());
        let fault = code.fault().map_or("".into(), |fault| fault.to_string());
        let (number, name) = (*code as i32, code.as_str_name());
        let row = format!("| {number} | `{name}` | {disposition} | {fault} | {} | {} |\n", code.cause(), code.remedy());
        table.push_str(&row);
    }
    check("codes", &table);
}

fn limits() {
    let mut table = String::from("| limit | value | of what | prevents |\n|---|--:|---|---|\n");
    for limit in ALL {
        let row = format!("| `{}` | {} | {} | {} |\n", limit.name, limit.value, limit.unit, limit.prevents);
        table.push_str(&row);
    }
    check("limits", &table);
}

fn example() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python/claim.py");
    let text = fs::read_to_string(file).expect("the example");
    check("claim.py", &format!("```python\n{text}```\n"));
}

/// Compares what stands between `<!-- name -->` and `<!-- /name -->` in the guide, or writes it.
fn check(name: &str, expect: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let guide = fs::read_to_string(&path).expect("the guide");
    let (before, rest) = guide.split_once(&format!("<!-- {name} -->\n")).expect("the table's first mark");
    let (found, _) = rest.split_once(&format!("<!-- /{name} -->\n")).expect("the table's last mark");
    if env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        let after = &rest[found.len()..];
        fs::write(&path, format!("{before}<!-- {name} -->\n{expect}{after}")).expect("the guide is written");
    } else {
        assert_eq!(found, expect, "`{name}` in the guide is old: UPDATE_GOLDEN=1 cargo test -p scrip-protocol");
    }
}
