//! Text for people: escaping into HTML, and how numbers are written.

use std::fmt;

use schema::Money;

/// Appends formatted text to a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($args:tt)*) => {{
        use std::fmt::Write as _;
        let _ = write!($out, $($args)*);
    }};
}
pub(crate) use put;

/// Text from outside, safe as element content and inside quoted attributes. Control characters, and
/// those that change the direction of writing, show as a replacement character: a name could
/// otherwise pass for another.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(
    /// The text.
    pub &'a str,
);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}')?,
                c if c.is_control() => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// What stands where there is no number.
pub const NOTHING: &str = "\u{2013}";
const MINUS: char = '\u{2212}';

/// A whole number with commas between thousands.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An amount to the cent, rounded half away from zero.
pub(crate) fn money(amount: Money) -> String {
    let cents = (amount.scaled().unsigned_abs() + 50) / 100;
    let sign = if amount.scaled() < 0 && cents > 0 { MINUS.to_string() } else { String::new() };
    format!("{sign}{}.{:02}", grouped(cents / 100), cents % 100)
}

/// An amount with its sign, plus included.
pub(crate) fn signed_money(amount: Money) -> String {
    let text = money(amount);
    if amount.scaled() >= 50 { format!("+{text}") } else { text }
}

/// A number with a true minus sign; [`NOTHING`] unless it is finite.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    if value < 0.0 && !is_zero { format!("{MINUS}{text}") } else { text }
}

/// A fraction as a percentage.
pub fn percent(fraction: f64, decimals: usize) -> String {
    let text = number(fraction * 100.0, decimals);
    if text == NOTHING { text } else { format!("{text}%") }
}

/// A fraction as a percentage with its sign, plus included.
pub fn signed_percent(fraction: f64, decimals: usize) -> String {
    let text = percent(fraction, decimals);
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'%'));
    if fraction > 0.0 && fraction.is_finite() && !is_zero { format!("+{text}") } else { text }
}

/// CSS class of a gain or a loss. Never the only sign: the text has plus or minus too.
pub(crate) fn tone(value: f64) -> &'static str {
    match value {
        v if v > 0.0 => "gain",
        v if v < 0.0 => "loss",
        _ => "flat",
    }
}

/// A market's name for people: `asian_handicap -0.75` becomes `Asian handicap −0.75`.
pub(crate) fn market(name: &str) -> String {
    let (kind, line) = name.split_once(' ').unwrap_or((name, ""));
    let kind = match kind {
        "1x2" => "1X2".to_owned(),
        other => capitalised(other),
    };
    let line = line.replacen('-', &MINUS.to_string(), 1);
    if line.is_empty() { kind } else { format!("{kind} {line}") }
}

/// A name made for machines for people: `margin_of_safety` becomes `Margin of safety`.
pub fn capitalised(name: &str) -> String {
    let spaced = name.replace('_', " ");
    let mut letters = spaced.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => spaced,
    }
}

/// `1 bet`, `2 bets`.
pub(crate) fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(100), "100");
        assert_eq!(money(Money::new(-1_234.565).unwrap()), "\u{2212}1,234.57");
        assert_eq!(money(Money::from_scaled(-10)), "0.00");
        assert_eq!(signed_money(Money::new(0.5).unwrap()), "+0.50");
        assert_eq!(percent(-0.0314, 1), "\u{2212}3.1%");
        assert_eq!(signed_percent(0.0314, 1), "+3.1%");
        assert_eq!(signed_percent(-0.00001, 1), "0.0%");
        assert_eq!(signed_percent(0.00001, 1), "0.0%");
        assert_eq!(percent(f64::NAN, 1), NOTHING);
        assert_eq!(signed_percent(f64::INFINITY, 1), NOTHING);
    }

    #[test]
    fn names_read_well() {
        assert_eq!(market("asian_handicap -0.75"), "Asian handicap \u{2212}0.75");
        assert_eq!(market("1x2"), "1X2");
        assert_eq!(market(""), "");
        assert_eq!(counted(1, "bet"), "1 bet");
    }

    #[test]
    fn nothing_gets_out_of_its_element() {
        let text = Escaped("<a href='x' title=\"y\">&\u{202e}\x1b\n").to_string();
        assert_eq!(
            text,
            "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;\u{fffd}\u{fffd}\u{fffd}"
        );
    }
}
