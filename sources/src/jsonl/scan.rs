//! The scanner of the common line. It knows flat objects of plain strings and numbers, without
//! spaces or escapes, and says `None` to everything else: it never has to be right about what it
//! does not know, only about what it accepts.

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

/// What a plain line says, always about the 1X2 market.
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

const SEEN_SEQ: u8 = 1;
const SEEN_TS: u8 = 2;
const SEEN_TYPE: u8 = 4;
const SEEN_FIXTURE: u8 = 8;
const SEEN_BOOK: u8 = 16;
const SEEN_SEL: u8 = 32;
const SEEN_PRICE: u8 = 64;

/// Digits of the longest number accepted: it cannot overflow 64 bits.
const DIGITS_MAX: usize = 18;
/// Digits before the point of the greatest price, 100000.
const PRICE_DIGITS_MAX: usize = 6;
/// Digits after the point that a price keeps exactly.
const PRICE_DECIMALS_MAX: usize = 4;

/// Reads a plain line; `None` means "ask `serde_json`", not "bad line".
#[inline]
pub(super) fn scan(line: &[u8]) -> Option<Plain<'_>> {
    let mut plain = Plain { seq: 0, ts: 0, fixture: b"", book: b"", kind: Kind::Pull };
    let (mut kind, mut selection, mut price) = (b"".as_slice(), b"".as_slice(), 0);
    let mut seen = 0_u8;
    let mut rest = line.strip_prefix(b"{")?;
    loop {
        let (key, after) = text(rest)?;
        rest = after.strip_prefix(b":")?;
        let bit = match key {
            b"seq" => {
                (plain.seq, rest) = number(rest)?;
                SEEN_SEQ
            }
            b"ts" => {
                let (ts, after) = number(rest)?;
                (plain.ts, rest) = (ts as i64, after);
                SEEN_TS
            }
            b"type" => {
                (kind, rest) = text(rest)?;
                SEEN_TYPE
            }
            b"fixture" => {
                (plain.fixture, rest) = text(rest)?;
                SEEN_FIXTURE
            }
            b"book" => {
                (plain.book, rest) = text(rest)?;
                SEEN_BOOK
            }
            b"sel" => {
                (selection, rest) = text(rest)?;
                SEEN_SEL
            }
            b"price" => {
                (price, rest) = decimal(rest)?;
                SEEN_PRICE
            }
            _ => return None,
        };
        if seen & bit != 0 {
            return None;
        }
        seen |= bit;
        match rest.split_first()? {
            (b',', after) => rest = after,
            (b'}', []) => break,
            _ => return None,
        }
    }
    let common = SEEN_TS | SEEN_TYPE | SEEN_FIXTURE | SEEN_BOOK;
    plain.kind = match (kind, seen & !SEEN_SEQ) {
        (b"odds", all) if all == common | SEEN_SEL | SEEN_PRICE => {
            Kind::Odds { selection: selection_index(selection)?, price }
        }
        (b"pull", all) if all == common => Kind::Pull,
        _ => return None,
    };
    Some(plain)
}

#[inline]
fn selection_index(name: &[u8]) -> Option<u8> {
    match name {
        b"home" => Some(0),
        b"draw" => Some(1),
        b"away" => Some(2),
        _ => None,
    }
}

/// A string without escapes or control characters, and what follows its closing quote.
#[inline]
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let bytes = bytes.strip_prefix(b"\"")?;
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => return Some((&bytes[..index], &bytes[index + 1..])),
            b'\\' | 0..0x20 => return None,
            _ => {}
        }
    }
    None
}

/// A whole number without sign or leading zero, and what follows it.
#[inline]
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (value, length) = digits(bytes, DIGITS_MAX)?;
    Some((value, &bytes[length..]))
}

/// Digits as a number and how many they are; JSON allows no leading zero.
#[inline]
fn digits(bytes: &[u8], digits_max: usize) -> Option<(u64, usize)> {
    let (mut value, mut length) = (0_u64, 0);
    while let Some(byte @ b'0'..=b'9') = bytes.get(length) {
        if length == digits_max {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
        length += 1;
    }
    (length == 1 || (length > 1 && bytes[0] != b'0')).then_some((value, length))
}

/// A decimal number in ten-thousandths, exact or not at all.
#[inline]
fn decimal(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (whole, length) = digits(bytes, PRICE_DIGITS_MAX)?;
    let mut scaled = whole as u32;
    let mut rest = &bytes[length..];
    let mut decimals = 0;
    if let Some(after) = rest.strip_prefix(b".") {
        rest = after;
        while let Some((byte @ b'0'..=b'9', after)) = rest.split_first() {
            if decimals == PRICE_DECIMALS_MAX {
                return None;
            }
            scaled = scaled.checked_mul(10)?.checked_add(u32::from(byte - b'0'))?;
            decimals += 1;
            rest = after;
        }
        if decimals == 0 {
            return None;
        }
    }
    while decimals < PRICE_DECIMALS_MAX {
        scaled = scaled.checked_mul(10)?;
        decimals += 1;
    }
    // An exponent would follow here; the caller refuses anything but a comma or the end.
    Some((scaled, rest))
}
