//! The scanner of the common line: one price of one selection, or a pull, of the 1X2 market, as the
//! exporter and most feeds write it, keys in this order and no spaces:
//!
//! ```text
//! {"seq":1,"ts":1760000000000,"type":"odds","fixture":"..","book":"..","sel":"home","price":2.35}
//! ```
//!
//! Knowing the order beforehand is what makes it fast: between two values there is a comparison
//! with a constant and no search. To everything else it says `None`: it never has to be right about
//! what it does not know, only about what it accepts.

/// A line that the scanner understood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain<'a> {
    /// Sequence, 0 when absent.
    pub seq: u64,
    /// UTC milliseconds, unchecked.
    pub ts: i64,
    /// Name of the fixture, bytes as they came.
    pub fixture: &'a [u8],
    /// Name of the book, bytes as they came.
    pub book: &'a [u8],
    /// What it says.
    pub kind: Kind,
}

/// What a plain line says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// One price, in ten-thousandths and unchecked.
    Odds {
        /// Index of the selection.
        selection: u8,
        /// The price.
        price: u32,
    },
    /// All prices off.
    Pull,
}

/// Digits of the longest number accepted: it cannot overflow 64 bits.
const DIGITS_MAX: usize = 18;
/// Digits before the point of the greatest price, 100000.
const PRICE_DIGITS_MAX: usize = 6;
/// Digits after the point that a price keeps exactly.
const PRICE_DECIMALS_MAX: usize = 4;

/// Reads a plain line; `None` means "ask `serde_json`", not "bad line".
#[inline]
pub(super) fn scan(line: &[u8]) -> Option<Plain<'_>> {
    let mut rest = line.strip_prefix(b"{")?;
    let mut seq = 0;
    if let Some(after) = rest.strip_prefix(b"\"seq\":") {
        (seq, rest) = number(after)?;
        rest = rest.strip_prefix(b",")?;
    }
    let (ts, rest) = number(rest.strip_prefix(b"\"ts\":")?)?;
    let rest = rest.strip_prefix(b",\"type\":\"")?;
    let (odds, rest) = match rest.strip_prefix(b"odds") {
        Some(after) => (true, after),
        None => (false, rest.strip_prefix(b"pull")?),
    };
    let (fixture, rest) = text(rest.strip_prefix(b"\",\"fixture\":\"")?)?;
    let (book, rest) = text(rest.strip_prefix(b",\"book\":\"")?)?;
    let (kind, rest) = if odds {
        let rest = rest.strip_prefix(b",\"sel\":\"")?;
        let (selection, rest) = match rest.first_chunk() {
            Some(b"home") => (0, &rest[4..]),
            Some(b"draw") => (1, &rest[4..]),
            Some(b"away") => (2, &rest[4..]),
            _ => return None,
        };
        let (price, rest) = decimal(rest.strip_prefix(b"\",\"price\":")?)?;
        (Kind::Odds { selection, price }, rest)
    } else {
        (Kind::Pull, rest)
    };
    // Nothing may follow: an exponent after the price, another key, a second object.
    (rest == b"}").then_some(Plain { seq, ts: ts as i64, fixture, book, kind })
}

/// What is before the closing quote of a string, and what follows it; `None` when there is anything
/// in the string that JSON writes with an escape, or may not.
#[inline]
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    // Eight bytes at a time while none of them is special.
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            at += (special.trailing_zeros() / 8) as usize;
            break;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Some((&bytes[..at], &bytes[at + 1..])),
            b'\\' | 0..0x20 => return None,
            _ => at += 1,
        }
    }
    None
}

/// The high bit of every byte that may be a quote, a backslash or a control character. The lowest
/// of them really is one; higher ones can be borrowed from it (Mycroft 1987).
#[inline]
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let backslashes = backslash.wrapping_sub(ONES) & !backslash;
    let controls = word.wrapping_sub(ONES * 0x20) & !word;
    (quotes | backslashes | controls) & HIGHS
}

/// A whole number without sign or leading zero, and what follows it.
#[inline]
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (mut value, mut length) = (0, 0);
    // A time in milliseconds has 13 digits: eight of them at once.
    if let Some(word) = bytes.first_chunk()
        && let Some(eight) = eight_digits(u64::from_le_bytes(*word))
    {
        (value, length) = (eight, 8);
    }
    while let Some(byte @ b'0'..=b'9') = bytes.get(length) {
        if length == DIGITS_MAX {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
        length += 1;
    }
    let leading_zero = length > 1 && bytes[0] == b'0';
    (length > 0 && !leading_zero).then(|| (value, &bytes[length..]))
}

/// The number that eight digits write, added up in pairs (Lemire 2018); `None` unless all are.
#[inline]
const fn eight_digits(word: u64) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let digits = word.wrapping_sub(ZEROS);
    let over = word.wrapping_add(0x4646_4646_4646_4646) | digits;
    if over & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits * 10) + (digits >> 8);
    let low = (pairs & 0x0000_00ff_0000_00ff).wrapping_mul(0x000f_4240_0000_0064);
    let high = ((pairs >> 16) & 0x0000_00ff_0000_00ff).wrapping_mul(0x0000_2710_0000_0001);
    Some(low.wrapping_add(high) >> 32)
}

/// A decimal number in ten-thousandths, exact or not at all, and what follows it.
#[inline]
fn decimal(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (mut scaled, mut length) = (0_u32, 0);
    while let Some(byte @ b'0'..=b'9') = bytes.get(length) {
        if length == PRICE_DIGITS_MAX {
            return None;
        }
        scaled = scaled * 10 + u32::from(byte - b'0');
        length += 1;
    }
    if length == 0 || (length > 1 && bytes[0] == b'0') {
        return None;
    }
    let mut decimals = 0;
    if bytes.get(length) == Some(&b'.') {
        length += 1;
        while let Some(byte @ b'0'..=b'9') = bytes.get(length) {
            if decimals == PRICE_DECIMALS_MAX {
                return None;
            }
            scaled = scaled.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
            decimals += 1;
            length += 1;
        }
        if decimals == 0 {
            return None;
        }
    }
    let scale = [10_000_u32, 1_000, 100, 10, 1][decimals];
    Some((scaled.checked_mul(scale)?, &bytes[length..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_plain_is_left_to_others() {
        let plain = r#"{"seq":7,"ts":1760000000000,"type":"odds","fixture":"F","book":"B","sel":"away","price":2.35}"#;
        let read = scan(plain.as_bytes()).unwrap();
        assert_eq!(
            (read.seq, read.ts, read.fixture, read.book),
            (7, 1_760_000_000_000, &b"F"[..], &b"B"[..])
        );
        assert!(matches!(read.kind, Kind::Odds { selection: 2, price: 23_500 }));
        let pull = r#"{"ts":1760000000000,"type":"pull","fixture":"F","book":"B"}"#;
        assert!(matches!(scan(pull.as_bytes()).unwrap().kind, Kind::Pull));
        for (from, to) in [
            ("2.35", "2.35e0"),
            ("2.35", "02.35"),
            ("2.35", "2."),
            ("2.35", ".5"),
            ("2.35", "-2.35"),
            ("2.35", "2.35001"),
            ("2.35", "1000000"),
            ("2.35", "null"),
            ("2.35}", "2.35,\"x\":1}"),
            ("2.35}", "2.35} "),
            (":7,", ":07,"),
            (":7,", ":1234567890123456789,"),
            ("\"F\"", "\"F\\n\""),
            ("\"F\"", "\"F\u{1}\""),
            ("away", "awry"),
            ("odds", "oods"),
            ("{\"seq\"", "{ \"seq\""),
        ] {
            let line = plain.replace(from, to);
            assert!(scan(line.as_bytes()).is_none(), "{line}");
        }
        for end in 0..plain.len() {
            assert!(scan(&plain.as_bytes()[..end]).is_none());
        }
    }

    proptest! {
        #[test]
        fn eight_digits_are_the_number_they_write(number in 0_u64..100_000_000) {
            let text = format!("{number:08}");
            let word = u64::from_le_bytes(text.as_bytes().try_into().unwrap());
            prop_assert_eq!(eight_digits(word), Some(number));
        }

        #[test]
        fn eight_bytes_that_are_not_all_digits_are_no_number(bytes: [u8; 8]) {
            let digits = bytes.iter().all(u8::is_ascii_digit);
            prop_assert_eq!(eight_digits(u64::from_le_bytes(bytes)).is_some(), digits);
        }

        #[test]
        fn the_lowest_special_byte_is_found(bytes: [u8; 8]) {
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let word = special_bytes(u64::from_le_bytes(bytes));
            let found = (word != 0).then(|| (word.trailing_zeros() / 8) as usize);
            prop_assert_eq!(found, bytes.iter().position(is_special));
        }
    }
}
