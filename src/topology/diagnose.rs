//! Which part of the file a refusal is about.
//!
//! A refusal comes as a sentence without a place. The part it is about is the one without which the
//! refusal goes away, so keys are left out one at a time, from the top down, until leaving out
//! less changes nothing. That part is reported and left out for good, and the rest is read again,
//! so one run finds every mistake.

use serde_json::Value;

use super::tree::{Content, Edit, Edits, Node, Path, typed};

/// Most problems reported of one file.
pub(super) const PROBLEMS_MAX: usize = 20;
/// The key that chooses among the components of a registry.
const TAG: &str = "type";

/// A refusal and the path of the part it is about.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) path: Path,
    pub(super) message: String,
}

/// Reads a value of a tree, leaving out what is refused, and gives the refusals.
pub(super) fn read<T>(
    root: &Node,
    mut edits: Edits,
    parse: &dyn Fn(Value) -> Result<T, String>,
) -> (Option<T>, Vec<Refusal>) {
    let mut refusals = Vec::new();
    while refusals.len() < PROBLEMS_MAX {
        let message = match parse(root.value(&edits)) {
            Ok(value) => return (Some(value), refusals),
            Err(message) => message,
        };
        let path = culprit(root, &mut edits, parse, &message);
        if is_worth_typing(root.at(&path), &message) && !edits.contains_key(&path) {
            edits.insert(path, Edit::Typed);
            continue;
        }
        let is_everything = path.is_empty();
        edits.insert(without(root, &path), Edit::Removed);
        refusals.push(Refusal { path, message });
        if is_everything {
            break;
        }
    }
    (None, refusals)
}

/// Whether a replaced variable could be taken for a number or truth value where text is refused.
fn is_worth_typing(node: &Node, message: &str) -> bool {
    let Content::Replaced { value, .. } = &node.content else { return false };
    message.starts_with("invalid type: string") && !typed(value).is_string()
}

/// What to leave out so that the rest can be read: a component whose type is not known goes as a
/// whole, or the lack of a type would be the next refusal.
fn without(root: &Node, path: &[usize]) -> Path {
    let Some((child, parent)) = path.split_last() else { return Path::new() };
    let is_tag = root.at(parent).key(*child).is_some_and(|key| key.text == TAG);
    if is_tag { parent.to_vec() } else { path.to_vec() }
}

fn culprit<T>(
    root: &Node,
    edits: &mut Edits,
    parse: &dyn Fn(Value) -> Result<T, String>,
    message: &str,
) -> Path {
    let mut path = Path::new();
    while let Some(child) = guilty_child(root, edits, parse, message, &path) {
        path.push(child);
    }
    path
}

/// The child without which the refusal goes away.
fn guilty_child<T>(
    root: &Node,
    edits: &mut Edits,
    parse: &dyn Fn(Value) -> Result<T, String>,
    message: &str,
    path: &[usize],
) -> Option<usize> {
    let parent = root.at(path);
    (0..parent.children().len()).find(|child| {
        let key = parent.key(*child).map(|key| key.text.as_str()).unwrap_or_default();
        let mut child_path = path.to_vec();
        child_path.push(*child);
        let before = edits.insert(child_path.clone(), Edit::Removed);
        if before == Some(Edit::Removed) {
            return false;
        }
        let after = parse(root.value(edits)).err();
        match before {
            Some(edit) => edits.insert(child_path, edit),
            None => edits.remove(&child_path),
        };
        // Without its tag a component is refused for the lack of it, whatever else is wrong.
        if key == TAG {
            return message.starts_with("unknown variant") && after.as_deref() != Some(message);
        }
        // A key that is needed as well would only be missing in its turn.
        let is_missed = after.as_deref() == Some(format!("missing field `{key}`").as_str());
        let was_missing = message.starts_with("missing field");
        after.as_deref() != Some(message) && !(was_missing && is_missed)
    })
}
