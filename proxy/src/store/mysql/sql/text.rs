//! Writing numbers and bytes into a packet, without an allocation each.

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a number in decimal.
pub(in crate::store::mysql) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        // A remainder below 10 fits into a byte.
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a number with its sign, in brackets.
pub(in crate::store::mysql) fn signed(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(if value < 0 { b"(-" } else { b"(" });
    number(out, value.unsigned_abs());
    out.push(b')');
}

/// Appends 16 bytes as `x'...'`.
pub(in crate::store::mysql) fn hex(out: &mut Vec<u8>, bytes: &[u8; 16]) {
    let mut text = [b'\''; 35];
    text[0] = b'x';
    for (pair, byte) in text[2..34].chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    out.extend_from_slice(&text);
}

/// Appends any bytes as `x'...'`.
pub(in crate::store::mysql) fn hex_text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(b"x'");
    for byte in bytes {
        out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 7, 10, 99, 100, 4_294_967_295, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8_lossy(&out), value.to_string());
        }
    }

    #[test]
    fn bytes_are_hexadecimal() {
        let mut out = Vec::new();
        hex(&mut out, &std::array::from_fn(|index| (index * 17) as u8));
        assert_eq!(String::from_utf8_lossy(&out), "x'00112233445566778899aabbccddeeff'");
    }
}
