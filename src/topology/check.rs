//! From text to topology, and what can be read and still makes no sense. Components check their own
//! figures; this file finds the place of what they refuse, and checks what no component sees alone.

use std::collections::BTreeMap;
use std::path::{Component, PathBuf};

use schema::{Money, Span};
use serde_json::Value;

use super::diagnose::{self, Refusal};
use super::problem::Problem;
use super::tree::{self, Content, Edit, Edits, Node, Place};
use super::words::{self, Words};
use super::{SCHEMA, Topology, variables};

/// Longest topology: beyond it something else was given by mistake.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Smallest segment of a journal worth a file.
const SEGMENT_BYTES_MIN: u64 = 64 << 10;
/// Shortest training window: shorter ones hold too few closed markets.
const WINDOW_MIN: Span = Span::hours(1);

/// Reads a topology and appends its problems.
pub(super) fn read(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> Option<Topology> {
    let whole = |message: String, help: &str, place: Place| {
        Problem::new(String::new(), message, Some(help.to_owned()), place)
    };
    if text.len() > TEXT_BYTES_MAX {
        let message =
            format!("the file has {} bytes, a topology at most {TEXT_BYTES_MAX}", text.len());
        problems.push(whole(message, "give the topology, not a feed", 0..0));
        return None;
    }
    let mut root = match tree::read(text) {
        Ok(root) => root,
        Err((message, place)) => {
            let help = if message.starts_with("duplicate") {
                "give each key once"
            } else {
                "see that indentation, quotes and brackets agree"
            };
            problems.push(whole(format!("this is not YAML: {message}"), help, place));
            return None;
        }
    };
    let mut edits = Edits::new();
    for (path, message) in variables::replace(&mut root, lookup) {
        let help = "set it, or give a default: `${NAME:-default}`".to_owned();
        let place = root.at(&path).place.clone();
        problems.push(Problem::new(shown(&root, &path), message, Some(help), place));
        edits.insert(path, Edit::Removed);
    }
    let parse = |value: Value| Topology::deserialize_checked(value);
    let (topology, refusals) = diagnose::read(&root, edits, &parse);
    problems.extend(refusals.iter().map(|refusal| problem_of(&root, refusal)));
    if let Some(topology) = &topology {
        Checks { root: &root, problems }.all(topology);
    }
    topology
}

impl Topology {
    fn deserialize_checked(value: Value) -> Result<Self, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }
}

/// A path as it is shown: `tests[0].expect`.
fn shown(root: &Node, path: &[usize]) -> String {
    let mut node = root;
    let mut out = String::new();
    for child in path {
        match node.key(*child) {
            Some(key) if out.is_empty() => out.push_str(&key.text),
            Some(key) => {
                out.push('.');
                out.push_str(&key.text);
            }
            None => out.extend(["[", &child.to_string(), "]"]),
        }
        node = node.children().get(*child).copied().unwrap_or(node);
    }
    out
}

/// Where the key of a node stands, or the node itself in a list.
fn key_place(root: &Node, path: &[usize]) -> Place {
    let Some((child, parent)) = path.split_last() else { return 0..0 };
    let key = root.at(parent).key(*child);
    key.map_or_else(|| root.at(path).place.clone(), |key| key.place.clone())
}

/// Where a value stands, or its key where nothing stands there.
fn value_place(root: &Node, path: &[usize]) -> Place {
    let node = root.at(path);
    let is_shown = matches!(node.content, Content::Scalar(_) | Content::Replaced { .. });
    if is_shown && !node.place.is_empty() { node.place.clone() } else { key_place(root, path) }
}

fn problem_of(root: &Node, Refusal { path, message }: &Refusal) -> Problem {
    let mut message = message.clone();
    if let Content::Replaced { value, written } = &root.at(path).content
        && !value.is_empty()
    {
        // What a variable holds may be a secret.
        message = message.replace(value.as_str(), written);
    }
    let Words { message, help, about_key } = words::explain(&message);
    let place = if about_key { key_place(root, path) } else { value_place(root, path) };
    Problem::new(shown(root, path), message, help, place)
}

struct Checks<'a> {
    root: &'a Node,
    problems: &'a mut Vec<Problem>,
}

impl Checks<'_> {
    fn all(&mut self, topology: &Topology) {
        if topology.schema != SCHEMA {
            let help = format!("write `schema: {SCHEMA}`, or use the program that reads this one");
            self.refuse(&["schema"], format!("layout {} is not known", topology.schema), help);
        }
        self.sources(topology);
        self.sinks(topology);
        self.shared_paths(topology);
        self.market(topology);
        self.model(topology);
        self.lenses(topology);
        self.account(topology);
        self.tests(topology);
    }

    fn refuse(&mut self, names: &[&str], message: String, help: impl Into<String>) {
        let path = self.root.find(names);
        let (path, place) = if path.len() == names.len() {
            (shown(self.root, &path), value_place(self.root, &path))
        } else {
            (names.join("."), key_place(self.root, &path))
        };
        self.problems.push(Problem::new(path, message, Some(help.into()), place));
    }

    fn sources(&mut self, topology: &Topology) {
        // A source that was refused, or a misspelt section, has been reported already.
        if topology.sources.is_empty() && self.problems.is_empty() {
            let help =
                "name at least one source, as in `sources: { feed: { type: replay, path: FEED } }`";
            self.refuse(&["sources"], "there is no source of facts".into(), help);
        }
        for (name, source) in &topology.sources {
            if let Err(sources::Error::Setting { key, reason }) = source.open(name) {
                self.refuse(&["sources", name, key], reason, "see the example of this source");
            }
        }
    }

    fn sinks(&mut self, topology: &Topology) {
        // Whether files can be written is asked by `--connect`; here nothing on the disk is read,
        // so the sink is opened where nothing is.
        let nowhere = topology.data_dir.join(".nowhere");
        for (name, sink) in &topology.sinks {
            let Ok(mut value) = serde_json::to_value(sink) else { continue };
            if let Some(keys) = value.as_object_mut() {
                keys.remove("path");
            }
            let elsewhere = serde_json::from_value(value).unwrap_or_else(|_| sink.clone());
            if let Err(sinks::Error::Setting { setting, found, advice, .. }) =
                elsewhere.open(name, &nowhere)
            {
                self.refuse(&["sinks", name, setting], format!("{found} is refused"), advice);
            }
        }
    }

    /// Two sinks that write one file would overwrite each other.
    fn shared_paths(&mut self, topology: &Topology) {
        let mut owners: BTreeMap<PathBuf, &str> = BTreeMap::new();
        for (name, sink) in &topology.sinks {
            let Ok(Value::Object(keys)) = serde_json::to_value(sink) else { continue };
            let kind = keys.get("type").and_then(Value::as_str).unwrap_or_default();
            let mut paths: Vec<_> = ["path", "csv", "parquet"]
                .iter()
                .filter_map(|key| Some((*key, PathBuf::from(keys.get(*key)?.as_str()?))))
                .collect();
            if paths.is_empty() && kind != "console" {
                paths.push(("type", topology.data_dir.join(kind)));
            }
            for (key, path) in paths {
                let is_step = |part: &Component<'_>| *part != Component::CurDir;
                let path: PathBuf = path.components().filter(is_step).collect();
                if let Some(owner) = owners.insert(path, name) {
                    let message = format!("it writes to the same place as the sink `{owner}`");
                    self.refuse(&["sinks", name, key], message, "give one of them another path");
                }
            }
        }
    }

    fn market(&mut self, topology: &Topology) {
        let market = &topology.market;
        if market.stale_after.ms() < 1 {
            let help = "give at least a few seconds, as in 10m";
            self.refuse(&["market", "stale_after"], "every quote would be stale".into(), help);
        }
        for (book, commission) in &market.commission {
            if !(0.0..1.0).contains(commission) {
                let message = format!("a commission of {commission} is not a fraction of winnings");
                let help = "give a number from 0 to below 1: 0.05 is 5 %";
                self.refuse(&["market", "commission", book], message, help);
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for (index, book) in market.closing_reference.iter().enumerate() {
            if !seen.insert(book) {
                let (message, index) = (format!("`{book}` is listed twice"), index.to_string());
                self.refuse(
                    &["market", "closing_reference", &index],
                    message,
                    "list each book once",
                );
            }
        }
    }

    fn model(&mut self, topology: &Topology) {
        if topology.model.window < WINDOW_MIN {
            let message = format!("a training window of {} is too short", topology.model.window);
            self.refuse(&["model", "window"], message, format!("give at least {WINDOW_MIN}"));
        }
        if let Err(model::Error::Setting { name, value, low, high }) = topology.model.pricer.open()
        {
            let key = name.split_whitespace().next().unwrap_or(name);
            let help = format!("give a number from {low} to {high}");
            self.refuse(&["model", "pricer", key], format!("{value} is out of range"), help);
        }
    }

    fn lenses(&mut self, topology: &Topology) {
        match lenses::Panel::open(&topology.lenses) {
            Err(lenses::Error::Setting { name, value, low, high }) => {
                let keys: Vec<&str> = std::iter::once("lenses").chain(name.split('.')).collect();
                let help = format!("give a number from {low} to {high}");
                self.refuse(&keys, format!("{value} is out of range"), help);
            }
            Err(error) => {
                let message = error.to_string();
                let (wrong, help) =
                    message.split_once("; ").unwrap_or((&message, "see its example"));
                let wrong = wrong.trim_start_matches("lenses: ").to_owned();
                self.refuse(&["lenses", "panel"], wrong, help);
            }
            Ok(_) => {}
        }
    }

    fn account(&mut self, topology: &Topology) {
        if topology.bankroll.start <= Money::ZERO {
            let message = format!("a bankroll of {} stakes nothing", topology.bankroll.start);
            self.refuse(&["bankroll", "start"], message, "give an amount above zero");
        }
        if topology.journal.segment_bytes_max < SEGMENT_BYTES_MIN {
            let help = format!("give at least {SEGMENT_BYTES_MIN} bytes");
            let message = "segments this small are nearly all files".to_owned();
            self.refuse(&["journal", "segment_bytes_max"], message, help);
        }
    }

    fn tests(&mut self, topology: &Topology) {
        for (index, test) in topology.tests.iter().enumerate() {
            for (key, message, help) in test.problems() {
                self.refuse(&["tests", &index.to_string(), key], message, help);
            }
        }
    }
}
