//! `${VAR}` and `${VAR:-default}` in scalars, replaced after parsing: a value can then never change
//! the shape of the file, whatever it holds.

use serde_json::Value;

use super::tree::{Content, Node, Path};

/// Replaces the variables of a tree, and gives the places at which one is not set, with what to
/// say there. `$${` stands for `${`.
pub(super) fn replace(
    root: &mut Node,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Vec<(Path, String)> {
    let mut refused = Vec::new();
    walk(root, &mut Path::new(), lookup, &mut refused);
    refused
}

fn walk(
    node: &mut Node,
    path: &mut Path,
    lookup: &dyn Fn(&str) -> Option<String>,
    refused: &mut Vec<(Path, String)>,
) {
    match &mut node.content {
        Content::Scalar(Value::String(written)) if written.contains("${") => {
            match replaced(written, lookup) {
                Ok(value) => {
                    node.content = Content::Replaced { value, written: std::mem::take(written) };
                }
                Err(message) => refused.push((path.clone(), message)),
            }
        }
        Content::Scalar(_) | Content::Replaced { .. } => {}
        Content::List(items) => {
            for (child, item) in items.iter_mut().enumerate() {
                path.push(child);
                walk(item, path, lookup, refused);
                path.pop();
            }
        }
        Content::Map(entries) => {
            for (child, (_, item)) in entries.iter_mut().enumerate() {
                path.push(child);
                walk(item, path, lookup, refused);
                path.pop();
            }
        }
    }
}

/// One scalar with its variables replaced. What they hold is not looked at again.
fn replaced(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            rest = &from[2..];
            continue;
        }
        out.push_str(before);
        let end =
            from.find('}').ok_or("`${` without `}`: write `${NAME}`, or `$${` for the text")?;
        let inside = &from[2..end];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(format!(
                "`${{{inside}}}` is no variable: write `${{NAME}}` or `${{NAME:-default}}`"
            ));
        }
        // As in a shell, `:-` also covers a variable that is set to nothing.
        let value = lookup(name).filter(|value| default.is_none() || !value.is_empty());
        match (value, default) {
            (Some(value), _) => out.push_str(&value),
            (None, Some(default)) => out.push_str(default),
            (None, None) => return Err(format!("the environment variable {name} is not set")),
        }
        rest = &from[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "HOME_DIR" => Some("/srv".into()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${HOME_DIR}".into()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced_once() {
        for (text, value) in [
            ("${HOME_DIR}/x", "/srv/x"),
            ("${NONE:-a b}!", "a b!"),
            ("${EMPTY:-full}", "full"),
            ("[${EMPTY}]", "[]"),
            ("${TRICK}", "${HOME_DIR}"),
            ("costs $5", "costs $5"),
            ("$${HOME_DIR}", "${HOME_DIR}"),
            ("${HOME_DIR}${HOME_DIR}", "/srv/srv"),
        ] {
            assert_eq!(replaced(text, &lookup).as_deref(), Ok(value), "{text}");
        }
        for (text, complaint) in
            [("${NONE}", "NONE is not set"), ("${", "without `}`"), ("${a b}", "no variable")]
        {
            let error = replaced(text, &lookup).unwrap_err();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
}
