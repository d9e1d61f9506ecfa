//! One Redis command over a connection of its own, blocking. Enough to look after a server; clients use `fred`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::testbed::Secret;

const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Far above what the testbed asks for; a length that is larger is garbage.
const BULK_LEN_MAX: usize = 16 << 20;

/// Logs in, sends one command, and returns its answer as text; the error is what went wrong, or the server's own words.
pub(super) fn call(address: SocketAddr, password: &Secret, name: &str, arguments: &[&str]) -> Result<String, String> {
    let stream = connect(address).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream);
    for words in [&["AUTH", password.expose()][..], &[&[name], arguments].concat()] {
        reader.get_mut().write_all(&encode(words)).map_err(|error| error.to_string())?;
        let answer = read_answer(&mut reader)?;
        if words[0] == name {
            return Ok(answer);
        }
    }
    Err("no answer".to_owned())
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    stream.set_write_timeout(Some(ANSWER_LIMIT))?;
    Ok(stream)
}

fn encode(words: &[&str]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text += &format!("${}\r\n{word}\r\n", word.len());
    }
    text.into_bytes()
}

fn read_answer(reader: &mut impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    reader.read_line(&mut line).map_err(|error| error.to_string())?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err("the connection was closed".to_owned());
    };
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "-" => Err(rest.to_owned()),
        "$" => read_bulk(reader, rest),
        "*" => {
            let count: i64 = rest.parse().map_err(|_garbage| format!("unexpected answer {line:?}"))?;
            (0..count).map(|_| read_answer(reader)).collect::<Result<Vec<_>, _>>().map(|items| items.join("\n"))
        }
        _ => Err(format!("unexpected answer {line:?}")),
    }
}

fn read_bulk(reader: &mut impl Read, len: &str) -> Result<String, String> {
    if len == "-1" {
        return Ok(String::new());
    }
    let len: usize = len.parse().map_err(|_garbage| format!("unexpected length {len:?}"))?;
    if len > BULK_LEN_MAX {
        return Err(format!("an answer of {len} bytes is too long"));
    }
    let mut bytes = vec![0; len + 2];
    reader.read_exact(&mut bytes).map_err(|error| error.to_string())?;
    bytes.truncate(len);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_text() {
        let cases: [(&str, Result<&str, &str>); 6] = [
            ("+OK\r\n", Ok("OK")),
            (":7\r\n", Ok("7")),
            ("$2\r\nab\r\n", Ok("ab")),
            ("$-1\r\n", Ok("")),
            ("*2\r\n$1\r\na\r\n:1\r\n", Ok("a\n1")),
            ("-ERR no\r\n", Err("ERR no")),
        ];
        for (bytes, expect) in cases {
            let answer = read_answer(&mut bytes.as_bytes());
            assert_eq!(answer.as_deref().map_err(String::as_str), expect, "{bytes:?}");
        }
    }
}
