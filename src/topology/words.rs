//! Refusals in plain words. `serde` speaks of fields, variants and `f64`; the reader of a topology
//! thinks of keys, choices and numbers, and wants to know what was meant.

/// A refusal: what is wrong, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Whether it is about the key and not about its value.
    pub(super) about_key: bool,
}

/// How `serde` calls things, and how the reader does.
const TERMS: [(&str, &str); 14] = [
    ("invalid type: ", "wrong type: found "),
    ("invalid value: ", "wrong value: found "),
    ("floating point ", "number "),
    ("integer ", "number "),
    ("string \"", "text \""),
    ("unit value", "nothing"),
    ("null, ", "nothing, "),
    ("sequence, ", "a list, "),
    ("map, ", "keys and values, "),
    ("boolean ", ""),
    ("expected a boolean", "expected true or false"),
    ("expected a sequence", "expected a list"),
    ("expected a map", "expected keys and values"),
    ("expected a string", "expected text"),
];

/// Puts a refusal of `serde` into plain words.
pub(super) fn explain(message: &str) -> Words {
    if let Some(words) = unknown(message, "unknown field ", "key") {
        return Words { about_key: true, ..words };
    }
    if let Some(words) = unknown(message, "unknown variant ", "choice") {
        return words;
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        let help = Some(format!("add {name}"));
        let message = format!("the key {name} is missing");
        return Words { message, help, about_key: true };
    }
    let mut message = message.to_owned();
    for (term, word) in TERMS {
        message = message.replacen(term, word, 1);
    }
    Words { message: expected(&message), help: None, about_key: false }
}

/// Says what Rust types are.
fn expected(message: &str) -> String {
    let Some((before, wanted)) = message.rsplit_once("expected ") else {
        return message.to_owned();
    };
    let wanted = match wanted {
        "f64" | "f32" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" => "a whole number",
        _ if wanted.starts_with("struct ") || wanted.starts_with("internally tagged enum") => {
            "keys and values"
        }
        _ if wanted.starts_with("path string") => "a path",
        other => other,
    };
    format!("{before}expected {wanted}")
}

/// Reads "unknown field `x`, expected one of `a`, `b`".
fn unknown(message: &str, prefix: &str, what: &str) -> Option<Words> {
    let quoted = message.strip_prefix(prefix)?;
    let mut names = quoted.split('`').skip(1).step_by(2);
    let found = names.next()?;
    let known: Vec<&str> = names.collect();
    let listed: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    let all = if listed.is_empty() {
        format!("there are no {what}s here")
    } else {
        format!("{what}s: {}", listed.join(", "))
    };
    let help = match nearest(found, &known) {
        Some(meant) => format!("did you mean `{meant}`? {all}"),
        None => all,
    };
    let message = format!("unknown {what} `{found}`");
    Some(Words { message, help: Some(help), about_key: false })
}

/// The known name that a misspelt one was most likely meant to be.
pub(super) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let accepted = (found.chars().count() / 3).max(1);
    let measured = known.iter().map(|name| (distance(found, name), *name));
    measured.filter(|(distance, _)| *distance <= accepted).min().map(|(_, name)| name)
}

/// Insertions, deletions, substitutions and swaps of neighbours that lead from one name to the
/// other (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut least = changed.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_recognised() {
        let known = ["kelly_fraction", "hard_stop", "caps", "panel"];
        for (found, meant) in [
            ("kelly_fractoin", Some("kelly_fraction")),
            ("hardstop", Some("hard_stop")),
            ("cap", Some("caps")),
            ("bananas", None),
        ] {
            assert_eq!(nearest(found, &known), meant, "{found}");
        }
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn refusals_are_put_into_plain_words() {
        for (message, plain) in [
            (
                "invalid type: string \"a\", expected f64",
                "wrong type: found text \"a\", expected a number",
            ),
            (
                "invalid type: null, expected struct Caps",
                "wrong type: found nothing, expected keys and values",
            ),
            (
                "invalid type: sequence, expected a string",
                "wrong type: found a list, expected text",
            ),
            (
                "invalid value: integer `-1`, expected u8",
                "wrong value: found number `-1`, expected a whole number, not negative",
            ),
            ("missing field `path`", "the key `path` is missing"),
            ("unknown variant `x`, expected `a` or `b`", "unknown choice `x`"),
        ] {
            assert_eq!(explain(message).message, plain);
        }
    }
}
