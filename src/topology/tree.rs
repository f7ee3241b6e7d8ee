//! The file as a tree in which every key and value has its place in the text.
//!
//! `serde` reads an internally tagged enum (`type: replay`) through a buffer that forgets places, so
//! settings are not read from the YAML itself but from values made of this tree, as often as it
//! takes to find out which part of it is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

/// Where something stands in the text, in bytes.
pub(super) type Place = Range<usize>;

/// Indices of children from the root down.
pub(super) type Path = Vec<usize>;

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a node holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A scalar as YAML reads it.
    Scalar(Value),
    /// Text in which variables were replaced, beside what stands in the file.
    Replaced { value: String, written: String },
    /// A list.
    List(Vec<Node>),
    /// Keys and values in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) text: String,
    pub(super) place: Place,
}

/// How a value departs from the file when it is made of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// Left out.
    Removed,
    /// A replaced variable read as a number or a truth value, since text was refused.
    Typed,
}

/// Edits by path.
pub(super) type Edits = BTreeMap<Path, Edit>;

impl Node {
    /// Children in order.
    pub(super) fn children(&self) -> Vec<&Self> {
        match &self.content {
            Content::List(items) => items.iter().collect(),
            Content::Map(entries) => entries.iter().map(|(_, node)| node).collect(),
            Content::Scalar(_) | Content::Replaced { .. } => Vec::new(),
        }
    }

    /// The key of a child, where children have keys.
    pub(super) fn key(&self, child: usize) -> Option<&Key> {
        match &self.content {
            Content::Map(entries) => entries.get(child).map(|(key, _)| key),
            _ => None,
        }
    }

    /// The node at a path.
    pub(super) fn at(&self, path: &[usize]) -> &Self {
        path.iter().fold(self, |node, child| node.children().get(*child).copied().unwrap_or(node))
    }

    /// The path of nested keys, as far as they are there; list items are named by their number.
    pub(super) fn find(&self, names: &[&str]) -> Path {
        let mut node = self;
        let mut path = Path::new();
        for name in names {
            let found = match &node.content {
                Content::Map(entries) => entries.iter().position(|(key, _)| key.text == *name),
                Content::List(_) => name.parse().ok(),
                _ => None,
            };
            let next = found.and_then(|child| node.children().get(child).copied());
            let (Some(child), Some(next)) = (found, next) else { break };
            path.push(child);
            node = next;
        }
        path
    }

    /// The value made of this tree with edits.
    pub(super) fn value(&self, edits: &Edits) -> Value {
        self.value_at(&mut Path::new(), edits).unwrap_or(Value::Null)
    }

    fn value_at(&self, path: &mut Path, edits: &Edits) -> Option<Value> {
        let edit = edits.get(path).copied();
        if edit == Some(Edit::Removed) {
            return None;
        }
        let mut child_value = |(child, node): (usize, &Self)| {
            path.push(child);
            let value = node.value_at(path, edits);
            path.pop();
            value
        };
        Some(match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::Replaced { value, .. } if edit == Some(Edit::Typed) => typed(value),
            Content::Replaced { value, .. } => Value::String(value.clone()),
            Content::List(items) => items.iter().enumerate().filter_map(child_value).collect(),
            Content::Map(entries) => {
                let pairs = entries.iter().enumerate().filter_map(|(child, (key, node))| {
                    child_value((child, node)).map(|value| (key.text.clone(), value))
                });
                Value::Object(pairs.collect())
            }
        })
    }
}

/// Text read as the number or truth value it looks like.
pub(super) fn typed(text: &str) -> Value {
    let as_float = || text.parse().ok().and_then(Number::from_f64).map(Value::Number);
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "" => Value::Null,
        _ => text
            .parse::<i64>()
            .map(Value::from)
            .ok()
            .or_else(as_float)
            .unwrap_or_else(|| Value::String(text.to_owned())),
    }
}

/// Reads a file into a tree.
///
/// # Errors
/// What is wrong with the YAML, and where.
pub(super) fn read(text: &str) -> Result<Node, (String, Place)> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(node(text, raw)),
        Err(error) => {
            let place = error.location().map_or(0..0, |at| {
                let start = at.span().byte_offset().map(|offset| offset as usize);
                let start = start.unwrap_or_else(|| offset_of(text, at.line(), at.column()));
                start..start
            });
            let message = error.without_snippet().to_string();
            // The position is shown beside the message, and options are not the user's to set.
            let end = message.rfind(" at line ").unwrap_or(message.len());
            let message = message[..end].split(", set ").next().unwrap_or_default();
            Err((message.to_owned(), place))
        }
    }
}

/// The byte at which a line and column, both from 1, stand.
fn offset_of(text: &str, line: u64, column: u64) -> usize {
    let skipped = (line.max(1) - 1) as usize;
    let start: usize = text.split_inclusive('\n').take(skipped).map(str::len).sum();
    let rest = text[start..].char_indices().nth((column.max(1) - 1) as usize);
    rest.map_or(text.len(), |(offset, _)| start + offset)
}

/// A value as the YAML reader hands it over.
enum Raw {
    Scalar(Value),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<String>, Spanned<Self>)>),
}

fn place<T>(spanned: &Spanned<T>, text: &str) -> Place {
    let span = spanned.referenced.span();
    let start = (span.byte_offset().unwrap_or_default() as usize).min(text.len());
    let end = start + span.byte_len().unwrap_or_default() as usize;
    // A block value reaches over several lines: its first one is where it stands.
    let shown = text.get(start..end.min(text.len())).unwrap_or_default();
    start..start + shown.lines().next().unwrap_or_default().trim_end().len()
}

fn node(text: &str, raw: Spanned<Raw>) -> Node {
    let place = place(&raw, text);
    let content = match raw.value {
        Raw::Scalar(value) => Content::Scalar(value),
        Raw::List(items) => Content::List(items.into_iter().map(|item| node(text, item)).collect()),
        Raw::Map(entries) => {
            let entry = |(key, value): (Spanned<String>, Spanned<Raw>)| {
                let place = self::place(&key, text);
                (Key { text: key.value, place }, node(text, value))
            };
            Content::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { place, content }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        // NaN and infinity become text, which every number refuses.
        let number = Number::from_f64(value).map(Value::Number);
        Ok(Raw::Scalar(number.unwrap_or_else(|| value.to_string().into())))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
