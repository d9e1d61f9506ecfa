//! Addresses: what is taken, how it is shown, what is refused.

use proptest::prelude::*;
use scrip_shard_config::{Address, AddressError};

fn check(text: &str, expect: Result<&str, AddressError>) {
    let shown = text.parse::<Address>().map(|address| address.to_string());
    assert_eq!(shown, expect.map(str::to_owned), "{text:?}");
}

#[test]
fn cases() {
    use AddressError::{Credentials, Host, Ipv6, LongPath, Port, RelativePath};
    let longest = format!("unix:/{}", "a".repeat(106));
    let too_long = format!("{longest}a");
    let cases = [
        ("127.0.0.1:3306", Ok("127.0.0.1:3306")),
        ("db-7.example.net:1", Ok("db-7.example.net:1")),
        ("DB:65535", Ok("db:65535")),
        ("[::1]:3306", Ok("[::1]:3306")),
        ("[0:0::0:1]:3306", Ok("[::1]:3306")),
        ("unix:/run/mysqld.sock", Ok("unix:/run/mysqld.sock")),
        ("unix:/with space/and:colon", Ok("unix:/with space/and:colon")),
        (&longest, Ok(longest.as_str())),
        (&too_long, Err(LongPath)),
        ("unix:run/mysqld.sock", Err(RelativePath)),
        ("unix:", Err(RelativePath)),
        ("", Err(Port)),
        ("localhost", Err(Port)),
        ("localhost:", Err(Port)),
        ("localhost:0", Err(Port)),
        ("localhost:65536", Err(Port)),
        ("localhost:+80", Err(Port)),
        ("localhost:64x2", Err(Port)),
        (":3306", Err(Host)),
        ("my host:3306", Err(Host)),
        ("host/path:3306", Err(Host)),
        ("::1:3306", Err(Ipv6)),
        ("[::1:3306", Err(Ipv6)),
        ("[localhost]:3306", Err(Ipv6)),
        ("mysql://root@host:3306", Err(Credentials)),
        ("redis://host:6379", Err(Host)),
    ];
    for (text, expect) in cases {
        check(text, expect);
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_taken(text in "(unix:/[a-z/]{0,20}|[a-zA-Z0-9.-]{1,20}:[0-9]{1,5}|\\[[0-9a-f:]{2,12}\\]:[0-9]{1,5})") {
        if let Ok(address) = text.parse::<Address>() {
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
    }

    #[test]
    fn nothing_panics(text: String) {
        let _ = text.parse::<Address>();
    }
}
